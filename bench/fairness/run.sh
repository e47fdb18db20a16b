#!/usr/bin/env bash
# bench/fairness/run.sh [--save]: p99 of well-behaved clients while others read slowly, write slowly, send single bytes, open and reset
# connections, or all of it at once. Lintel should keep it within twice of what it is without them; nginx stands beside it.
# SECONDS_EACH (5) and RATE (2000 requests/s of the well-behaved), CONTENDERS, LOAD_CORE, GATEWAY_CORE, WARM_SECONDS (15) can be set.
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$repo/bench/load
save=
case ${1:-} in
  '') ;;
  --save) save=yes ;;
  *) sed -n '2,4s/^# //p' "$0"; exit 2 ;;
esac
exact_command=
for variable in SECONDS_EACH RATE CONTENDERS LINTEL_PROGRAM LINTEL_BEFORE LOAD_CORE GATEWAY_CORE WARM_SECONDS; do
  [[ -z ${!variable:-} ]] || exact_command+="$variable=\"${!variable}\" "
done
exact_command+="bench/fairness/run.sh${*:+ $*}"
readonly repo here load_core=${LOAD_CORE:-0} gateway_core=${GATEWAY_CORE:-1} quiet_wait=${QUIET_WAIT:-30} rate=${RATE:-2000}
readonly seconds_each=${SECONDS_EACH:-5} warm_seconds=${WARM_SECONDS:-15} mode=fairness rounds=1 round_seconds=${SECONDS_EACH:-5}
work=$(mktemp -d "${TMPDIR:-/tmp}/lintel-fairness.XXXXXX")
readonly work
for part in processes contenders generators measuring report; do
  # shellcheck source=/dev/null
  source "$here/$part.sh"
done

# abused NAME KIND: the well-behaved clients' latencies; the abusers begin before them and end after them.
abused() {
  local abusers=
  if [[ $2 != nobody ]]; then
    taskset -c "$load_core" dotnet "$repo/artifacts/bin/Fairness/release/Fairness.dll" "${port[$1]}" "$2" $((seconds_each + 3)) >"$work/abusers" 2>&1 &
    abusers=$!
  fi
  pace "$1" "$rate" "$seconds_each" 32 || say "$1, $2: $(tail -n 1 "$work/report")"
  echo nobody >"$work/deeds"
  [[ -z $abusers ]] || { wait "$abusers" || die "no abuse of $1: $(cat "$work/abusers")"; cp "$work/abusers" "$work/deeds"; }
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$(paced 4)" "$(paced 6)" "$(paced 8)" "$(paced 3)" "$(cat "$work/deeds")" >>"$work/$rounds_file"
  say "$1, $2: p99 $(paced 6) ms"
}

# What abusers make a gateway do is compiled when it is done often: a gateway that has run for a while is measured.
warm_abused() {
  taskset -c "$load_core" dotnet "$repo/artifacts/bin/Fairness/release/Fairness.dll" "${port[$1]}" all "$warm_seconds" >"$work/abusers" 2>&1 &
  pace "$1" "$rate" "$warm_seconds" 32 || true
  wait $! || die "no abuse of $1: $(cat "$work/abusers")"
}

install_missing nginx wrk curl haproxy jq openssl h2load
build src/Lintel.Cli/Lintel.Cli.csproj
build bench/clients/LoadClients.csproj
build bench/fairness/Fairness.csproj
reset_workload
start_upstream upstream "$load_core" 1
choose lintel nginx
begin_rounds fairness "contender abusers p50_ms p99_ms longest_ms failed deeds"
for name in "${contenders[@]}"; do
  start "$name"
  warm "$name"
  warm_abused "$name"
  for kind in nobody slow-readers slow-writers one-byte resets all nobody; do
    await_quiet
    abused "$name" "$kind"
  done
  is_right "$name" || die "$name no longer answers as it should: $answer"
  end "$name"
done

# The calm before and after: the mean of the two p99.
awk -F'\t' '/^#/ { next } $2 == "nobody" { calm[$1] += $4 / 2; next } { line[++n] = $0 }
  END {
    print "| contender | abusers | p99 calm | p99 | × calm | p50 | longest | failed | what they did |"
    print "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for (i = 1; i <= n; i++) { split(line[i], f, "\t"); printf "| %s | %s | %.3f ms | %.3f ms | **%.2f** | %.3f ms | %.1f ms | %d | %s |\n", f[1], f[2], calm[f[1]], f[4], f[4] / calm[f[1]], f[3], f[5], f[6], f[7] }
  }' "$work/$rounds_file" >"$work/table"
section "Fairness" < <(
  cat "$work/table"
  echo
  echo "Well-behaved clients: $rate requests/s over 32 connections for $seconds_each s, latencies from when a request was due. Generator, abusers and upstream on core $load_core: what the abusers take of it slows the well-behaved too, whoever the gateway is."
)
for kind in slow-readers slow-writers one-byte resets all; do
  target fairness "p99 with $kind, × calm" "$(awk -F' [|] ' -v kind="$kind" '$1 == "| lintel" && $2 == kind { gsub(/\*/, "", $5); print $5 }' "$work/table")" "<=" 2
done
target_table
[[ -z $save ]] || save_report
