#!/usr/bin/env bash
# The first seconds: time to the first answer, and CPU per request over the first seconds of load, of several builds of Lintel in turns.
# usage: bench/start/run.sh NAME=FOLDER…   for example jit=/tmp/jit ready-to-run=/tmp/r2r (folders of dotnet publish, native ones too; docs/decisions/0012-ready-to-run.md)
# environment: ROUNDS (3), LOAD_SECONDS (5), LOAD_CORE (0), GATEWAY_CORE (1), QUIET_WAIT (20, seconds to wait for idle cores before each turn); DOTNET_* goes to the gateways
set -euo pipefail
(($#)) || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
readonly rounds=${ROUNDS:-3} seconds=${LOAD_SECONDS:-5} load_core=${LOAD_CORE:-0} gateway_core=${GATEWAY_CORE:-1} quiet_wait=${QUIET_WAIT:-20}
readonly path=/api/users/42 body='{"id":42,"name":"Grace Brewster Hopper","email":"grace.b.hopper@shop.example","roles":["admin","author"],"active":true}'
work=$(mktemp -d "${TMPDIR:-/tmp}/lintel-start.XXXXXX")
upstream= gateway=
end() {
  [[ -z $gateway ]] || kill "$gateway" 2>/dev/null || true
  [[ -z $upstream ]] || kill "$upstream" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap end EXIT
base=$((15000 + RANDOM % 8000))
readonly upstream_port=$base port=$((base + 1))

cat >"$work/nginx.conf" <<END
$([[ $EUID -ne 0 ]] || echo "user root;")
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  server { listen 127.0.0.1:$upstream_port; location = $path { default_type application/json; return 200 '$body'; } }
}
END
cat >"$work/config.yaml" <<END
listeners: { public: "http://127.0.0.1:$port" }
admin: { address: "http://127.0.0.1:$((port + 1))" }
observability: { accessLog: { to: none } }
services: { users: "http://127.0.0.1:$upstream_port" }
routes: { users: { match: "GET /api/users/{id}", forward: users } }
END
taskset -c "$load_core" nginx -p "$work" -c "$work/nginx.conf" 2>"$work/nginx.log" &
upstream=$!

# answers: as often as curl can ask.
answers() { [[ $(curl -s --max-time 2 "http://127.0.0.1:$1$path") == "$body" ]]; }
until answers "$upstream_port"; do kill -0 "$upstream"; done

# await_quiet: until the machine has been 90 % idle for half a second.
await_quiet() {
  local deadline=$((SECONDS + quiet_wait)) before after
  while ((SECONDS < deadline)); do
    before=$(head -1 /proc/stat)
    sleep 0.5
    after=$(head -1 /proc/stat)
    awk -v before="$before" -v after="$after" 'BEGIN {
      split(before, b, " "); n = split(after, a, " ")
      for (i = 2; i <= n; i++) total += a[i] - b[i]
      exit !(a[5] - b[5] > 0.9 * total)
    }' && return
  done
  echo "the machine has not been quiet for $quiet_wait s; measuring nevertheless" >&2
}

measure() {
  local name=$1 program=("$2/Lintel.Cli") began first before after requests
  [[ ! -e $2/Lintel.Cli.dll ]] || program=(dotnet "$2/Lintel.Cli.dll")
  await_quiet
  began=$(date +%s%N)
  taskset -c "$gateway_core" env DOTNET_gcServer=0 "${program[@]}" run "$work/config.yaml" >"$work/$name.log" 2>&1 &
  gateway=$!
  until answers "$port"; do kill -0 "$gateway" || { cat "$work/$name.log" >&2; exit 1; }; done
  first=$((($(date +%s%N) - began) / 1000000))
  before=$(awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$gateway/stat")
  taskset -c "$load_core" wrk -t1 -c64 -d"${seconds}s" "http://127.0.0.1:$port$path" >"$work/wrk"
  after=$(awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$gateway/stat")
  ! grep -qE 'Socket errors|Non-2xx' "$work/wrk" || { cat "$work/wrk" >&2; exit 1; }
  requests=$(awk '$2 == "requests" && $3 == "in" { print $1 }' "$work/wrk")
  awk -v name="$name" -v first="$first" -v start="$before" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v requests="$requests" \
    'BEGIN { printf "%s\t%d\t%d\t%.1f\t%d\n", name, first, 1000 * start / hz, 1000000 * ticks / hz / requests, requests }' | tee -a "$work/rounds.tsv"
  kill "$gateway"
  wait "$gateway" || true
  gateway=
}

printf 'build\tms to the first answer\tCPU ms until then\tCPU µs/request, first %s s\trequests\n' "$seconds"
for ((round = 1; round <= rounds; round++)); do
  for build in "$@"; do measure "${build%%=*}" "${build#*=}"; done
done
echo "medians:"
for build in "$@"; do
  for column in 2 3 4; do
    awk -F'\t' -v name="${build%%=*}" -v column=$column '$1 == name { print $column }' "$work/rounds.tsv" | sort -n | sed -n "$(((rounds + 1) / 2))p"
  done | paste -sd '\t' | sed "s/^/${build%%=*}\t/"
done
