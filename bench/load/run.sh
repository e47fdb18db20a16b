#!/usr/bin/env bash
# Lintel side by side with its peers: CPU per proxied request, throughput, latency, memory. bench/README.md says how to read the tables.
set -euo pipefail

usage() {
  cat <<'END'
usage: bench/load/run.sh [quick|full] [--save]

  quick    3 rounds of 5 s after 15 s of warm-up; the workload get
  full     5 rounds of 10 s after 30 s of warm-up; all workloads
  --save   also write bench/results/DATE-load-MODE.md

environment:
  WORKLOADS      which to run, in this order, or all:
                   get secured routes bodies tls cores idle latency reload composition
  CONTENDERS     for a single workload: its contenders, for example "yarp nginx lintel-log"
  LINTEL_PROGRAM folder of the program that lintel runs: what is published, for instance (default: what dotnet build makes)
  LINTEL_BEFORE  folder of another build, which lintel-before runs
  LOAD_CORE      core of the load generator and the upstream (0)
  GATEWAY_CORE   core of the contenders (1)
  WARM_SECONDS, ROUNDS, ROUND_SECONDS   other lengths
  QUIET_WAIT     before each round, wait at most so many seconds for both cores to be idle (60)
  IDLE_CONNECTIONS   connections of the workload idle (10000)
END
}

# As it was called, environment included: it goes into the saved result.
exact_command=
for variable in WORKLOADS CONTENDERS LINTEL_PROGRAM LINTEL_BEFORE LOAD_CORE GATEWAY_CORE WARM_SECONDS ROUNDS ROUND_SECONDS QUIET_WAIT IDLE_CONNECTIONS; do
  [[ -z ${!variable:-} ]] || exact_command+="$variable=\"${!variable}\" "
done
exact_command+="bench/load/run.sh${*:+ $*}"
mode=quick save=
for argument in "$@"; do
  case $argument in
    quick | full) mode=$argument ;;
    --save) save=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
readonly here repo load_core=${LOAD_CORE:-0} gateway_core=${GATEWAY_CORE:-1} quiet_wait=${QUIET_WAIT:-60}
readonly all="get secured routes bodies tls cores idle latency reload composition"
case $mode in
  quick) warm_seconds=15 rounds=3 round_seconds=5 set=get ;;
  full) warm_seconds=30 rounds=5 round_seconds=10 set=all ;;
esac
warm_seconds=${WARM_SECONDS:-$warm_seconds} rounds=${ROUNDS:-$rounds} round_seconds=${ROUND_SECONDS:-$round_seconds}
set=${WORKLOADS:-$set}
read -r -a workloads <<<"${set/#all/$all}"

work=$(mktemp -d "${TMPDIR:-/tmp}/lintel-bench.XXXXXX")
readonly work
# shellcheck source=processes.sh
source "$here/processes.sh"
# shellcheck source=contenders.sh
source "$here/contenders.sh"
# shellcheck source=generators.sh
source "$here/generators.sh"
# shellcheck source=measuring.sh
source "$here/measuring.sh"
# shellcheck source=report.sh
source "$here/report.sh"
for workload in "${workloads[@]}"; do
  [[ -f $here/workloads/$workload.sh ]] || die "no such workload: $workload"
  # shellcheck source=/dev/null
  source "$here/workloads/$workload.sh"
done

for core in "$load_core" "$gateway_core"; do
  taskset -c "$core" true 2>/dev/null || die "core $core cannot be used; two cores are needed (LOAD_CORE, GATEWAY_CORE)"
done
[[ -z ${CONTENDERS:-} || ${#workloads[@]} == 1 ]] || die "CONTENDERS goes with a single workload"

install_missing nginx wrk curl haproxy jq openssl h2load
build src/Lintel.Cli/Lintel.Cli.csproj
reset_workload
start_upstream upstream "$load_core" 1

for workload in "${workloads[@]}"; do
  say "== $workload"
  reset_workload
  "workload_$workload"
  end_contenders
done

target_table
[[ -z $save ]] || save_report
