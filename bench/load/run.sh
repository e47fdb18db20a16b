#!/usr/bin/env bash
# Lintel side by side with its peers: CPU per proxied request, throughput, latency. bench/README.md says how to read the table.
set -euo pipefail

usage() {
  cat <<'END'
usage: bench/load/run.sh [quick|full] [--save]

  quick    3 rounds of 5 s after 15 s of warm-up: yarp lintel nginx
  full     5 rounds of 10 s after 30 s of warm-up: also haproxy lintel-log lintel-1000 lintel-10000
  --save   also write bench/results/DATE-load-MODE.md

environment:
  CONTENDERS     the set to run, for example "yarp nginx lintel-log"
  LINTEL_BEFORE  folder of another build, which lintel-before runs
  LOAD_CORE      core of the load generator and the upstream (0)
  GATEWAY_CORE   core of the contenders (1)
  WARM_SECONDS   another length of the warm-up
  QUIET_WAIT     before each round, wait at most so many seconds for both cores to be idle (60)
END
}

# As it was called, environment included: it goes into the saved result.
exact_command=
for variable in CONTENDERS LINTEL_BEFORE LOAD_CORE GATEWAY_CORE WARM_SECONDS QUIET_WAIT; do
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
readonly here repo load_core=${LOAD_CORE:-0} gateway_core=${GATEWAY_CORE:-1} connections=64 quiet_wait=${QUIET_WAIT:-60}
case $mode in
  quick) warm_seconds=15 rounds=3 round_seconds=5 set="yarp lintel nginx" ;;
  full) warm_seconds=30 rounds=5 round_seconds=10 set="yarp lintel nginx haproxy lintel-log lintel-1000 lintel-10000" ;;
esac
read -r -a contenders <<<"${CONTENDERS:-$set}"
warm_seconds=${WARM_SECONDS:-$warm_seconds}

readonly path=/api/users/42
readonly body='{"id":42,"name":"Grace Brewster Hopper","email":"grace.b.hopper@shop.example","roles":["admin","author"],"active":true}'
work=$(mktemp -d "${TMPDIR:-/tmp}/lintel-bench.XXXXXX")
declare -A pid=() port=()
ticks_per_second=$(getconf CLK_TCK)

say() { echo "[bench] $*" >&2; }
die() { say "FAILED: $*"; exit 1; }

# Everything started is a child of this shell and runs in the background, so that the signal traps come through at once.
# jobs -p knows exactly those that have not ended yet: no pid of anybody else can be in it.
end_children() {
  local children i
  children=$(jobs -pr)
  # shellcheck disable=SC2086 # a list of pids
  [[ -z $children ]] || kill $children 2>/dev/null || true
  for ((i = 0; i < 50; i++)); do
    children=$(jobs -pr)
    [[ -n $children ]] || return 0
    sleep 0.1
  done
  # shellcheck disable=SC2086
  kill -KILL $children 2>/dev/null || true
}
trap 'trap "" INT TERM HUP; end_children; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# run LOG COMMAND...: in the background and waited for; interruptible, unlike a foreground command.
run() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  wait $!
}

# launch NAME CORE COMMAND...: pinned, until the end of this script. taskset becomes the command, so the pid is the command's.
launch() {
  local name=$1 core=$2
  shift 2
  taskset -c "$core" "$@" >"$work/$name.log" 2>&1 &
  pid[$name]=$!
}

# Sets reply (a subshell would forget the cursor). Below the range that the kernel hands out to clients.
port_cursor=$((15000 + RANDOM % 8000))
free_port() {
  while ((++port_cursor)); do
    (: <"/dev/tcp/127.0.0.1/$port_cursor") 2>/dev/null || break
  done
  reply=$port_cursor
}

# shellcheck source=contenders.sh
source "$here/contenders.sh"

install_missing() {
  local packages=() program as_root=()
  for program in nginx wrk curl; do command -v "$program" >/dev/null || packages+=("$program"); done
  [[ " ${contenders[*]}" != *" haproxy"* ]] || command -v haproxy >/dev/null || packages+=(haproxy)
  ((${#packages[@]})) || return 0
  command -v apt-get >/dev/null || die "missing: ${packages[*]} (no apt-get here to install them with)"
  [[ $EUID -eq 0 ]] || as_root=(sudo)
  say "installing ${packages[*]}"
  run "$work/apt.log" "${as_root[@]}" apt-get update -qq || say "apt-get update failed; trying with the lists that are there"
  run "$work/apt.log" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" ||
    die "apt-get install ${packages[*]}"$'\n'"$(tail -n 20 "$work/apt.log")"
}

# build PROJECT: Release, and no build server stays behind to disturb the measurement.
build() {
  [[ -e $repo/$1 ]] || die "$1 does not exist; CONTENDERS=\"yarp nginx\" leaves Lintel out"
  say "building $1"
  run "$work/build.log" dotnet build "$repo/$1" -c Release -v quiet --disable-build-servers ||
    die "dotnet build $1"$'\n'"$(tail -n 20 "$work/build.log")"
}

# get NAME: true if the contender answers 200 with the upstream's very bytes; otherwise answer holds what it said.
get() {
  local status
  status=$(curl -s --max-time 5 -o "$work/answer" -w '%{http_code}' "http://127.0.0.1:${port[$1]}$path") || true
  answer="status $status, body '$(head -c 300 "$work/answer" 2>/dev/null || true)'"
  [[ $status == 200 ]] && cmp -s "$work/answer" "$work/expected"
}

# await NAME: until it answers rightly. Fails at once when the process ends, and after 30 s of wrong answers.
await() {
  local deadline=$((SECONDS + 30))
  until get "$1"; do
    kill -0 "${pid[$1]}" 2>/dev/null || die "$1 has ended:"$'\n'"$(tail -n 20 "$work/$1.log")"
    ((SECONDS < deadline)) || die "$1 does not answer as it should ($answer):"$'\n'"$(tail -n 20 "$work/$1.log")"
    sleep 0.2
  done
}

# Sets reply to the process that does the work: nginx's one worker, otherwise the process itself.
working_pid() {
  reply=${pid[$1]}
  [[ ${1%%-*} != nginx && $1 != upstream ]] || reply=$(cat /proc/[0-9]*/stat 2>/dev/null |
    awk -v parent="$reply" '{ id = $1; sub(/^.*\) /, ""); if ($2 == parent) print id }')
  [[ $reply =~ ^[0-9]+$ ]] || die "$1: no single working process ('$reply')"
}

# process_ticks PID: "user sys" of all its threads, in clock ticks. The name in brackets may hold anything, hence the sub.
process_ticks() { awk '{ sub(/^.*\) /, ""); print $12, $13 }' "/proc/$1/stat"; }

# core_ticks CORE: "total idle" (idle includes waiting for I/O).
core_ticks() { awk -v core="cpu$1" '$1 == core { for (i = 2; i <= 9; i++) total += $i; print total, $5 + $6 }' /proc/stat; }

# load NAME SECONDS: leaves wrk's report in $work/wrk and fails on any error in it.
load() {
  run "$work/wrk" taskset -c "$load_core" wrk -t1 -c"$connections" -d"$2s" --latency "http://127.0.0.1:${port[$1]}$path" ||
    die "wrk against $1:"$'\n'"$(cat "$work/wrk")"
  if grep -qE 'Socket errors|Non-2xx' "$work/wrk" || ! grep -qE '^ *[1-9][0-9]* requests in' "$work/wrk"; then
    die "errors under load: $1"$'\n'"$(cat "$work/wrk")"$'\n'"$(tail -n 20 "$work/$1.log")"
  fi
}

# ticks WORKER: everything that measure takes differences of.
ticks() {
  # The last one: what this shell's ended children have used, which is wrk (and a few milliseconds of awk).
  echo "$(process_ticks "$1")" "$(core_ticks "$gateway_core")" "$(core_ticks "$load_core")" "$(process_ticks "$upstream_worker")" \
    "$(awk '{ sub(/^.*\) /, ""); print $14 + $15 }' /proc/$$/stat)"
}

# await_quiet: until both cores have been 95 % idle for a second, or $quiet_wait seconds have gone by; table.awk points out what was disturbed.
await_quiet() {
  local deadline=$((SECONDS + quiet_wait)) before after
  while ((SECONDS < deadline)); do
    before="$(core_ticks "$gateway_core") $(core_ticks "$load_core")"
    sleep 1 &
    wait $!
    after="$(core_ticks "$gateway_core") $(core_ticks "$load_core")"
    awk -v before="$before" -v after="$after" 'BEGIN {
      split(before, b, " "); split(after, a, " ")
      exit !(a[2] - b[2] > 0.95 * (a[1] - b[1]) && a[4] - b[4] > 0.95 * (a[3] - b[3]))
    }' && return 0
  done
  say "the machine has not been quiet for $quiet_wait s; measuring nevertheless"
}

# measure NAME ROUND: one line for rounds.tsv (columns in table.awk).
measure() {
  local name=$1 worker before after
  working_pid "$name"
  worker=$reply
  await_quiet
  before=$(ticks "$worker")
  load "$name" "$round_seconds"
  after=$(ticks "$worker")
  awk -v name="$name" -v round="$2" -v hz="$ticks_per_second" -v before="$before" -v after="$after" '
    function milliseconds(text) {
      if (text ~ /us$/) return text / 1000
      if (text ~ /ms$/) return text + 0
      return text ~ /m$/ ? text * 60000 : text * 1000
    }
    $1 == "VmRSS:" { rss = $2 / 1024 }
    $1 == "50%" { p50 = milliseconds($2) }
    $1 == "99%" { p99 = milliseconds($2) }
    $2 == "requests" && $3 == "in" { requests = $1 }
    $1 == "Requests/sec:" { rate = $2 }
    END {
      split(before, b, " "); split(after, a, " ")
      # 1-2 user and sys, 3-4 total and idle of the gateway core, 5-6 of the load core, 7-8 user and sys of the upstream, 9 wrk
      for (i = 1; i <= 9; i++) d[i] = a[i] - b[i]
      us = 1000000 / hz / requests
      printf "%s\t%d\t%d\t%.3f\t%.3f\t%.0f\t%.3f\t%.3f\t%.1f", name, round, requests, d[1] * us, d[2] * us, rate, p50, p99, rss
      printf "\t%.1f\t%.1f", 100 * d[6] / d[5], 100 * d[4] / d[3]
      printf "\t%.1f\t%.1f\n", 100 * (d[5] - d[6] - d[7] - d[8] - d[9]) / d[5], 100 * (d[3] - d[4] - d[1] - d[2]) / d[3]
    }' "$work/wrk" "/proc/$worker/status" >>"$work/rounds.tsv"
}

table() {
  echo
  awk -f "$here/table.awk" "$work/rounds.tsv"
  echo
  echo "Medians of $rounds rounds of $round_seconds s, interleaved, after $warm_seconds s of warm-up each;" \
    "\`wrk -t1 -c$connections\`, GET, ${#body}-byte JSON, HTTP/1.1 keep-alive on both sides." \
    "Gateway on core $gateway_core; load generator and upstream on core $load_core."
}

report() {
  local commit settings
  commit=$(git -C "$repo" rev-parse --short HEAD 2>/dev/null || echo unknown)
  [[ -z $(git -C "$repo" status --porcelain -- . ':!bench/results' 2>/dev/null) ]] || commit="$commit and uncommitted changes"
  settings=$(env | grep -E '^(DOTNET|COMPlus)_(Tiered|TC_|Ready|GC|gc|System|Thread|PROCESSOR)' | sort | paste -sd ' ' || true)
  echo "# Load, $mode: $(date -u '+%F %H:%M') UTC"
  table
  cat <<END

| | |
| --- | --- |
| command | \`$exact_command\` |
| commit | $commit |
| machine | $(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, $(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo) |
| kernel | $(uname -sr) |
| .NET | ASP.NET Core $(dotnet --list-runtimes | awk '$1 == "Microsoft.AspNetCore.App" && $2 ~ /^10\./ { version = $2 } END { print version }') (SDK $(dotnet --version)) |
| YARP | $(sed -n 's/.*"Yarp.ReverseProxy" Version="\([^"]*\)".*/\1/p' "$repo/Directory.Packages.props") |
| nginx | $(nginx -v 2>&1 | sed 's/.*nginx\///') |
| HAProxy | $(if command -v haproxy >/dev/null; then haproxy -v | awk 'NR == 1 { print $3 }'; else echo "not installed"; fi) |
| wrk | $(wrk -v 2>&1 | awk 'NR == 1 { print $2 }') |
| .NET settings | ${settings:-defaults}; DOTNET_gcServer=0 |

Every round:

\`\`\`tsv
contender	round	requests	user µs	sys µs	req/s	p50 ms	p99 ms	RSS MiB	load core idle %	gateway core idle %	load core others %	gateway core others %
$(cat "$work/rounds.tsv")
\`\`\`
END
}

# save_report: dated; a second run on one day gets a number instead of replacing the first.
save_report() {
  local stem number=2 file
  stem=$repo/bench/results/$(date -u +%F)-load-$mode
  file=$stem.md
  while [[ -e $file ]]; do file=$stem-$((number++)).md; done
  mkdir -p "$repo/bench/results"
  report >"$work/report.md"
  mv "$work/report.md" "$file"
  say "saved: $file"
}

((${#body} == 119)) || die "the body has ${#body} bytes instead of 119"
for core in "$load_core" "$gateway_core"; do
  taskset -c "$core" true 2>/dev/null || die "core $core cannot be used; two cores are needed (LOAD_CORE, GATEWAY_CORE)"
done
((${#contenders[@]})) || die "CONTENDERS is empty"
for name in "${contenders[@]}"; do
  [[ $name != upstream* ]] && declare -F "start_${name%%-*}" >/dev/null && continue
  die "no such contender: $name"
done

install_missing
[[ " ${contenders[*]}" != *" yarp"* ]] || build bench/yarp/YarpHost.csproj
[[ " ${contenders[*]}" != *" lintel"* ]] || build src/Lintel.Cli/Lintel.Cli.csproj

printf %s "$body" >"$work/expected"
free_port
upstream_port=$reply port[upstream]=$reply
start_upstream
await upstream
working_pid upstream
upstream_worker=$reply

for name in "${contenders[@]}"; do
  [[ -z ${pid[$name]:-} ]] || die "$name is named twice"
  free_port
  port[$name]=$reply
  variant=${name#"${name%%-*}"}
  "start_${name%%-*}" "$name" "$reply" ${variant:+"${variant#-}"}
  await "$name"
  say "warming $name for $warm_seconds s"
  load "$name" "$warm_seconds"
done

for ((round = 1; round <= rounds; round++)); do
  for name in "${contenders[@]}"; do
    measure "$name" "$round"
    say "round $round of $rounds: $name $(awk -F'\t' 'END { printf "%.1f µs/request, %d requests/s", $4 + $5, $6 }' "$work/rounds.tsv")"
  done
done
for name in "${contenders[@]}"; do
  get "$name" || die "$name no longer answers as it should after the load: $answer"
done

table
[[ -z $save ]] || save_report
