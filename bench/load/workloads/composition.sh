# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# One request that becomes three parallel calls and one answer. There is no peer in Debian: the measure is nginx's plain request.

workload_composition() {
  local what="composition of 3 calls" name extra problem
  lintel_conf lintel-compose 1 compose
  if ! dotnet "$repo/artifacts/bin/Lintel.Cli/release/Lintel.Cli.dll" validate "$work/lintel-compose/config.yaml" >"$work/validate" 2>&1; then
    problem=$(grep -m1 compose "$work/validate" || head -n 1 "$work/validate")
    say "composition is not available: $problem"
    section "$what" < <(echo "Not available in this version: \`$problem\`")
    target "$what" "CPU, × nginx's plain request" "" "<=" 3 "not available"
    target "$what" "p50, ms more than the slowest call" "" "<=" 0.3 "not available"
    return
  fi
  choose lintel-compose nginx
  begin_rounds composition
  for name in "${contenders[@]}"; do
    plain_or_composed "$name"
    start "$name"
    warm "$name"
  done
  for ((round = 1; round <= rounds; round++)); do
    for name in "${contenders[@]}"; do
      plain_or_composed "$name"
      measure "$name" "$round"
    done
  done
  composition_latency lintel-compose
  section "Composition of 3 calls" < <(
    round_table nginx
    echo
    sentence "\`wrk -t1 -c$connections\`; lintel-compose answers with three calls' answers, nginx forwards the small GET"
    echo "At 200 requests/s: composed p50 $composed_p50 ms, slowest of the three calls without a gateway p50 $slowest_p50 ms."
  )
  target "$what" "CPU, × nginx's plain request" "$(ratio lintel-compose nginx)" "<=" 3
  extra=$(awk -v a="$composed_p50" -v b="$slowest_p50" 'BEGIN { printf "%.3f", a - b }')
  target "$what" "p50, ms more than the slowest call" "$extra" "<=" 0.3
  target "$what" "CPU, × lura" "" "<=" 0.2 "no lura here; measured elsewhere: 420–440 µs"
  target "$what" "CPU, × Ocelot" "" "<=" 0.1 "no Ocelot here; measured elsewhere: 830 µs"
}

# plain_or_composed NAME: what it is asked, and what it must answer.
plain_or_composed() {
  path=/api/users/42 compares=bytes
  printf %s "$user" >"$work/expected"
  [[ $1 == lintel-compose* ]] || return 0
  path=/api/dashboard/42 compares=json # one property a call, in their order; white space is free
  printf '{"user":%s,"orders":%s,"segment":%s}' "$user" "$orders" "$segment" >"$work/expected"
}

# composition_latency NAME: sets composed_p50 and slowest_p50.
composition_latency() {
  local call
  plain_or_composed "$1"
  pace "$1" 200 "$round_seconds" 8 || die "$1 at 200 requests/s: $(tail -n 1 "$work/report")"
  composed_p50=$(paced 4) slowest_p50=0
  for call in users orders segments; do
    path=/api/$call/42
    pace upstream 200 "$round_seconds" 8 || die "the upstream at 200 requests/s: $(tail -n 1 "$work/report")"
    slowest_p50=$(awk -v a="$slowest_p50" -v b="$(paced 4)" 'BEGIN { print (a > b ? a : b) }')
  done
}
