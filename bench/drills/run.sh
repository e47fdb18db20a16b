#!/usr/bin/env bash
# Fault drills: what clients notice while instances, the way to them, or the gateway itself fail. bench/README.md says how to read the tables.
set -euo pipefail

usage() {
  cat <<'END'
usage: bench/drills/run.sh [DRILL…] [--save]

  DRILL    kill freeze half rolling slow dead herd           instances that fail
           backlog rst cut fin loss                          connections that fail (loss: as root)
           dns consul                                        instances that come and go
           crowd storm fifth-cpu 200MiB reloads              too much of everything (fifth-cpu, 200MiB: as root)
           default: all, about 25 s for each drill and contender
  --save   also write bench/results/DATE-drills.md

environment:
  CONTENDERS     default "lintel lintel-get nginx haproxy"; lintel-plain has nothing configured. Drills that are about the gateway itself,
                 or need what nginx and HAProxy do not have, are lintel's alone
  RATE           requests per second (2000)
  LINTEL_PROGRAM folder of the program that lintel runs (default: what dotnet build makes)
  BUILT          any value: take the programs as they are in artifacts/, and build nothing
  KEEP           folder that gets the logs and reports of each run
  LOAD_CORE      core of clients and instances (0)
  GATEWAY_CORE   core of the gateway (1)
END
}

exact_command=
for variable in CONTENDERS RATE LINTEL_PROGRAM LOAD_CORE GATEWAY_CORE; do
  [[ -z ${!variable:-} ]] || exact_command+="$variable=\"${!variable}\" "
done
exact_command+="bench/drills/run.sh${*:+ $*}"
save='' drills=()
for argument in "$@"; do
  case $argument in
    --save) save=yes ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) drills+=("$argument") ;;
  esac
done
((${#drills[@]})) || drills=(kill freeze half rolling slow dead herd backlog rst cut fin loss dns consul crowd storm fifth-cpu 200MiB reloads)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
# shellcheck disable=SC2034 # used by the other files
readonly here repo load_core=${LOAD_CORE:-0} gateway_core=${GATEWAY_CORE:-1} usual_rate=${RATE:-2000}
read -r -a contenders <<<"${CONTENDERS:-lintel lintel-get nginx haproxy}"
work=$(mktemp -d "${TMPDIR:-/tmp}/lintel-drills.XXXXXX")
readonly work
# shellcheck source=../load/processes.sh
source "$here/../load/processes.sh"
for part in instances gateways network report drills/instances drills/connections drills/discovery drills/gateway; do
  # shellcheck source=/dev/null
  source "$here/$part.sh"
done
trap 'trap "" INT TERM HUP; end_children; end_network; end_groups; rm -rf "$work"' EXIT

for drill in "${drills[@]}"; do
  declare -F "strike_${drill//-/_}" >/dev/null || die "no such drill: $drill"
done
for contender in "${contenders[@]}"; do
  [[ $contender =~ ^(lintel|lintel-get|lintel-plain|nginx|haproxy)$ ]] || die "no such contender: $contender"
done
install_missing nginx haproxy curl dnsmasq
if [[ -z ${BUILT:-} ]]; then
  build src/Lintel.Cli/Lintel.Cli.csproj
  build bench/clients/LoadClients.csproj
  build bench/faulty/FaultyService.csproj
fi

# What a drill may change; the other files use it.
# shellcheck disable=SC2034
reset_drill() {
  rate=$usual_rate warming=3 warm=2 seconds=12 strikes_at=5
  mix=(get=50:64 composed=20:64 grpc=20:64 upload=10:32) # kind=share of the rate:connections
  peers=yes needs_root='' delay=0 per_try=300ms check_timeout=250ms balancing=leastRequests limits='' discover='' limit=()
  address=('' 127.0.0.11 127.0.0.12 127.0.0.13)
}

# start_load RATE SECONDS WARM_SECONDS: in the background; its report is its log.
start_load() {
  local kinds=() kind path how
  for kind in "${mix[@]}"; do
    case $kind in
      get=*) how=get:${port[gateway]} path=/a ;;
      composed=*) how=get:${port[gateway]} path=/composed ;;
      grpc=*) how=grpc:${port[h2c]} path=/bench.Echo/Say ;;
      upload=*) how=post-65536:${port[gateway]} path=/upload ;;
    esac
    kinds+=("$kind:$how:$path")
  done
  launch load "$load_core" dotnet "$repo/artifacts/bin/LoadClients/release/LoadClients.dll" mix "$@" "${kinds[@]}"
}

end_load() {
  wait "${pid[load]}" || die "the load has failed:"$'\n'"$(tail -n 5 "$work/load.log")"
  unset "pid[load]"
}

# one DRILL CONTENDER
one() {
  local drill=${1//-/_}
  contender=$2
  reset_drill
  ! declare -F "prepare_$drill" >/dev/null || "prepare_$drill"
  [[ $contender == lintel || $drill == crowd ]] || mix=(get=100:128)
  [[ $peers == yes || $contender == lintel ]] || return 0
  if [[ -n $needs_root && $EUID -ne 0 ]]; then say "$1 needs root: left out"; return 0; fi
  say "$1, $contender"
  choose_ports
  ! declare -F "arrange_$drill" >/dev/null || "arrange_$drill"
  start_instances
  start_gateway
  # What is compiled at the first requests is no fault of anybody's, and neither are timeouts because of it.
  start_load $((rate / 4 + 1)) "$warming" 0
  end_load
  count_instances
  # shellcheck disable=SC2034,SC2154 # count_instances sets the one, judge_storm uses the other
  before=$requests
  ! declare -F "begin_$drill" >/dev/null || "begin_$drill"
  start_load "$rate" "$seconds" "$warm"
  sleep "$strikes_at"
  "strike_$drill"
  end_load
  mv "$work/load.log" "$work/load.txt"
  count_instances
  # shellcheck disable=SC2034 # set by judge
  verdict='' criterion=''
  if declare -F "judge_$drill" >/dev/null; then "judge_$drill"; else judge_idempotent; fi
  report_run "$1"
  end_run "$1"
}

end_run() {
  local name
  if [[ -n ${KEEP:-} ]]; then
    mkdir -p "$KEEP/$1-$contender"
    cp "$work"/*.log "$work"/*.txt "$work"/lintel.yaml "$KEEP/$1-$contender/" 2>/dev/null || true
  fi
  for name in "${!pid[@]}"; do finish "$name"; done
  end_network
  end_groups
}

table_head
for drill in "${drills[@]}"; do
  for contender in "${contenders[@]}"; do one "$drill" "$contender"; done
done
report_rest
[[ -z $save ]] || save_report
