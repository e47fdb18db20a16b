# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# CPU per request: differences of the kernel's accounts around a round of load.

ticks_per_second=$(getconf CLK_TCK)
readonly ticks_per_second
declare -A admin_port=()

# reset_workload: what a workload has unless it says otherwise.
reset_workload() {
  generator=wrk connections=64 threads=1 streams=1 scheme=http path=/api/users/42 compares=bytes unit=request
  gateway_cores=$gateway_core load_cores=$load_core notes='' cipher='' curl_more=() wrk_more=()
  printf %s "$user" >"$work/expected"
}

# process_ticks PID...: "user sys" of all their threads together, in clock ticks. The name in brackets may hold anything, hence the sub.
process_ticks() {
  local id
  for id in "$@"; do cat "/proc/$id/stat"; done | awk '{ sub(/^.*\) /, ""); user += $12; sys += $13 } END { print user + 0, sys + 0 }'
}

# core_ticks CORES (a list with commas): "total idle" (idle includes waiting for I/O).
core_ticks() {
  awk -v cores="$1" 'BEGIN { n = split(cores, list, ","); for (i = 1; i <= n; i++) wanted["cpu" list[i]] = 1 }
    $1 in wanted { for (i = 2; i <= 9; i++) total += $i; idle += $5 + $6 } END { print total, idle }' /proc/stat
}

# ticks WORKER...: everything that measure takes differences of.
ticks() {
  # The last one: what this shell's ended children have used, which is the generator (and a few milliseconds of awk).
  echo "$(process_ticks "$@")" "$(core_ticks "$gateway_cores")" "$(core_ticks "$load_cores")" "$(process_ticks "${upstream_workers[@]}")" \
    "$(awk '{ sub(/^.*\) /, ""); print $14 + $15 }' /proc/$$/stat)"
}

# await_quiet: until both cores have been 95 % idle for a second, or $quiet_wait seconds have gone by; table.awk points out what was disturbed.
await_quiet() {
  local deadline=$((SECONDS + quiet_wait)) before after
  while ((SECONDS < deadline)); do
    before=$(core_ticks "$gateway_core,$load_core")
    sleep 1 &
    wait $!
    after=$(core_ticks "$gateway_core,$load_core")
    awk -v before="$before" -v after="$after" 'BEGIN { split(before, b, " "); split(after, a, " "); exit !(a[2] - b[2] > 0.95 * (a[1] - b[1])) }' && return 0
  done
  ((quiet_wait == 0)) || say "the machine has not been quiet for $quiet_wait s; measuring nevertheless"
}

# memory_kib FIELD PID...: VmRSS of status or Pss of smaps_rollup, summed.
memory_kib() {
  local field=$1 file=status id
  shift
  [[ $field != Pss ]] || file=smaps_rollup
  for id in "$@"; do cat "/proc/$id/$file"; done | awk -v field="$field:" '$1 == field { sum += $2 } END { print sum + 0 }'
}

# measure NAME ROUND: one line for the workload's rounds (columns in table.awk).
measure() {
  local name=$1 before after workers
  working_pids "$name"
  await_quiet
  before=$(ticks "${workers[@]}")
  load "$name" "$round_seconds"
  after=$(ticks "${workers[@]}")
  awk -v name="$name" -v round="$2" -v hz="$ticks_per_second" -v before="$before" -v after="$after" -v requests="$got_requests" -v rate="$got_rate" \
    -v p50="$got_p50" -v p99="$got_p99" -v rss="$(memory_kib VmRSS "${workers[@]}")" -v shared="$([[ $gateway_cores == "$load_cores" ]] && echo 1 || echo 0)" 'BEGIN {
      split(before, b, " "); split(after, a, " ")
      # 1-2 user and sys, 3-4 total and idle of the gateway core, 5-6 of the load core, 7-8 user and sys of the upstream, 9 the generator
      for (i = 1; i <= 9; i++) d[i] = a[i] - b[i]
      us = 1000000 / hz / requests
      printf "%s\t%d\t%d\t%.3f\t%.3f\t%.0f\t%s\t%s\t%.1f", name, round, requests, d[1] * us, d[2] * us, rate, p50, p99, rss / 1024
      printf "\t%.1f\t%.1f", 100 * d[6] / d[5], 100 * d[4] / d[3]
      on_load = d[7] + d[8] + d[9]; on_gateway = d[1] + d[2]
      printf "\t%.1f\t%.1f\n", 100 * (d[5] - d[6] - on_load - shared * on_gateway) / d[5], 100 * (d[3] - d[4] - on_gateway - shared * on_load) / d[3]
    }' >>"$work/$rounds_file"
  say "round $2 of $rounds: $name $(awk -F'\t' -v unit="$unit" 'END { printf "%.1f µs/%s, %d/s", $4 + $5, unit, $6 }' "$work/$rounds_file")"
}

# begin_rounds WORKLOAD [COLUMNS]: the file of its rounds, with its columns as a comment.
begin_rounds() {
  rounds_file=$1.tsv
  echo "# ${2:-contender round requests user_µs sys_µs rate p50_ms p99_ms rss_MiB load_core_idle_% gateway_core_idle_% load_core_others_% gateway_core_others_%}" |
    tr ' ' '\t' | sed 's/\t/ /' >"$work/$rounds_file"
}

# choose CONTENDER...: sets contenders, to CONTENDERS where that is given.
choose() { if [[ -n ${CONTENDERS:-} ]]; then read -r -a contenders <<<"$CONTENDERS"; else contenders=("$@"); fi; }

# warm NAME
warm() {
  say "warming $1 for $warm_seconds s"
  load "$1" "$warm_seconds"
}

# compare WORKLOAD: starts and warms the contenders, measures them interleaved, and writes the workload's table.
compare() {
  local name round
  begin_rounds "$1"
  for name in "${contenders[@]}"; do
    start "$name"
    warm "$name"
  done
  for ((round = 1; round <= rounds; round++)); do
    for name in "${contenders[@]}"; do measure "$name" "$round"; done
  done
  for name in "${contenders[@]}"; do is_right "$name" || die "$name no longer answers as it should after the load: $answer"; done
}
