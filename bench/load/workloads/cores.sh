# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# Two cores against one, on a machine that has no third: gateway, generator and upstream share all the cores of a phase, in the
# same proportions. What the gateway uses for a request is measured in both. bench/README.md says what that can and cannot show.

workload_cores() {
  choose lintel nginx
  local kind cores round first=$upstream_port first_workers=("${upstream_workers[@]}")
  start_upstream upstream-one "$gateway_core" 1
  one_port=$upstream_port one_workers=("${upstream_workers[@]}")
  start_upstream upstream-two "$load_core,$gateway_core" 2
  two_port=$upstream_port two_workers=("${upstream_workers[@]}")
  begin_rounds cores
  for kind in "${contenders[@]}"; do for cores in one two; do
    on_"$cores"
    start "$kind-$cores"
    warm "$kind-$cores"
  done; done
  : >"$work/loops"
  for ((round = 1; round <= rounds; round++)); do
    for kind in "${contenders[@]}"; do for cores in one two; do
      on_"$cores"
      loops_before=$(loop_ticks "${pid[$kind-$cores]}")
      measure "$kind-$cores" "$round"
      [[ -z $loops_before ]] || echo "$kind-$cores $loops_before $(loop_ticks "${pid[$kind-$cores]}")" >>"$work/loops"
    done; done
  done
  section "Two cores against one" < <(
    round_table nginx-one nginx-two
    echo
    echo "Medians of $rounds rounds of $round_seconds s after $warm_seconds s of warm-up; \`wrk\` with a thread and 32 connections for each core, the small GET. All processes share the cores of a line: one, or both."
    for kind in "${contenders[@]}"; do
      echo "$kind: CPU per request on two cores × $(ratio "$kind-two" "$kind-one") of one, so two cores carry $(scaling "$kind") × the requests of one; requests per second with all processes: $(throughput "$kind") ×."
    done
    awk '$1 == "lintel-two" { a += $4 - $2; b += $5 - $3 } END { if (a + b) printf "CPU of the two loops: %.0f %% and %.0f %%.\n", 100 * a / (a + b), 100 * b / (a + b) }' "$work/loops"
  )
  target "two cores" "requests for the same CPU, × one core" "$(scaling lintel)" ">=" 1.85 "CPU per request with two loops at work; see README"
  upstream_port=$first upstream_workers=("${first_workers[@]}")
}

on_one() { gateway_cores=$gateway_core load_cores=$gateway_core threads=1 connections=32 upstream_port=$one_port upstream_workers=("${one_workers[@]}"); }

on_two() { gateway_cores=$load_core,$gateway_core load_cores=$load_core,$gateway_core threads=2 connections=64 upstream_port=$two_port upstream_workers=("${two_workers[@]}"); }

# loop_ticks PID: the CPU that Lintel's loops have used, one number each; nothing where there are none.
loop_ticks() {
  awk '{ name = $0; sub(/^[^(]*\(/, "", name); sub(/\).*/, "", name); sub(/^.*\) /, ""); if (name ~ /^lintel-loop-/) printf "%s%d", n++ ? " " : "", $12 + $13 }' \
    /proc/"$1"/task/*/stat 2>/dev/null
}

# scaling KIND: two cores' worth of requests, by what one costs.
scaling() { ratio "$1-one" "$1-two" | awk 'NF { printf "%.2f", 2 * $1 }'; }

throughput() { awk -v one="$(median_of "$1-one" 6)" -v two="$(median_of "$1-two" 6)" 'BEGIN { if (one) printf "%.2f", two / one }'; }
