# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# Added latency at half load: the same constant rate for all, half of what Lintel carries on its core.

workload_latency() {
  choose lintel nginx haproxy
  local name round rate rehearsals=5
  begin_rounds latency "contender round rate requests p50_ms p90_ms p99_ms p99.9_ms longest_ms"
  for name in "${contenders[@]}"; do
    start "$name"
    warm "$name"
  done
  load "${contenders[0]}" 3
  rate=$(awk -v full="$got_rate" 'BEGIN { printf "%d", full / 200 + 0.5 }')00

  # Full load over the same connections for all that time has opened 64 of them: what a new connection runs through is compiled when more have come.
  for name in "${contenders[@]}"; do
    for ((round = 1; round <= rehearsals; round++)); do
      pace "$name" "$rate" 3 64 || die "$name at $rate requests/s: $(tail -n 1 "$work/report")"
    done
  done
  for ((round = 1; round <= rounds; round++)); do
    for name in upstream "${contenders[@]}"; do
      await_quiet
      pace "$name" "$rate" "$round_seconds" 64 || die "$name at $rate requests/s: $(tail -n 1 "$work/report")"
      printf '%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n' "$name" "$round" "$rate" "$(paced 2)" "$(paced 4)" "$(paced 5)" "$(paced 6)" "$(paced 7)" "$(paced 8)" >>"$work/$rounds_file"
      say "round $round of $rounds: $name p50 $(paced 4) ms, p99 $(paced 6) ms"
    done
  done
  section "Latency at half load" < <(
    echo "| contender | p50 ms | p90 ms | p99 ms | p99.9 ms | longest ms |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name in upstream "${contenders[@]}"; do
      echo "| $name | $(median_of "$name" 5) | $(median_of "$name" 6) | $(median_of "$name" 7) | $(median_of "$name" 8) | $(median_of "$name" 9) |"
    done
    echo
    echo "Medians of $rounds rounds of $round_seconds s at $rate requests/s, half of what ${contenders[0]} answered at full load just before, over 64 new connections each; full load and $rehearsals such rounds of 3 s went before and are not counted. A latency counts from when the request was due, so waiting is in it. \`upstream\` is the service itself, without a gateway."
  )
  target "added latency at half load" "p50, ms more than nginx" "$(added 5)" "<=" 0.05
  target "added latency at half load" "p99, ms more than nginx" "$(added 7)" "<=" 0.3
}

# added COLUMN: Lintel's median less nginx's.
added() { awk -v a="$(median_of lintel "$1")" -v b="$(median_of nginx "$1")" 'BEGIN { if (a != "" && b != "") printf "%.3f", a - b }'; }
