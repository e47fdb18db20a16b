#!/usr/bin/env bash
# bench/drills/run.sh [DRILL…]: fault drills. 2 000 requests/s through a gateway to three instances for 12 s, while something happens to instance 2
# (kill, freeze, half), to all in turn (rolling) or to all at once (dead); beside it nginx and HAProxy with their own checks and retries.
# Prints a table: how many requests failed, and how long the others took. About 20 s per drill and contender; CONTENDERS and RATE may be set.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
drills=("$@")
((${#drills[@]})) || drills=(kill freeze half rolling dead)
read -ra contenders <<<"${CONTENDERS:-lintel lintel-plain nginx haproxy}"
rate=${RATE:-2000}
seconds=12
declare -A instance=()
gateway=

say() { echo "[drills] $*" >&2; }

# Everything started is a child of this shell: jobs -p knows exactly those that have not ended.
# shellcheck disable=SC2329 # called by the trap
end_children() {
  local children
  children=$(jobs -pr)
  # shellcheck disable=SC2086
  [[ -z $children ]] || kill -KILL $children 2>/dev/null || true
  rm -rf "$work"
}
trap end_children EXIT
trap 'exit 130' INT TERM

# Below the range that the kernel hands out to clients.
base=$((15000 + RANDOM % 8000))
port() { echo $((base + $1)); }

listens() {
  for ((i = 0; i < 400; i++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.05
  done
  say "nothing listens on $1"
  cat "$work"/*.log >&2
  exit 1
}

# start_instance N: one process, so that a signal meets all of it.
start_instance() {
  nginx -e "$work/instance$1.log" -p "$work" -c "$work/instance$1.conf" >>"$work/instance$1.log" 2>&1 &
  instance[$1]=$!
}

write_instances() {
  local n body
  for n in 1 2 3; do
    body='return 200 "{\"id\":1}";'
    [[ $1 == half && $n == 2 ]] && body='if ($fails) { return 500 "no"; } return 200 "{\"id\":1}";'
    cat >"$work/instance$n.conf" <<CONF
daemon off; master_process off; pid $work/instance$n.pid;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000;
  split_clients \$request_id \$fails { 50% 1; * ""; }
  server { listen 127.0.0.1:$(port "$n") reuseport backlog=1024; location / { $body } }
}
CONF
  done
}

write_lintel() {
  local options=
  [[ $1 == lintel ]] && options="
    timeouts: { connect: 300ms, request: 2s }
    health:
      active: { path: /, every: 500ms, timeout: 250ms, unhealthyAfter: 2, healthyAfter: 1 }
      passive: { consecutiveFailures: 3, successRate: { below: 80%, minimum: 50, window: 2s }, ejectFor: 2s }
    retry: { attempts: 3, on: [connect, reset, timeout, notProcessed, 500, 502, 503, 504], perTryTimeout: 300ms }
    breaker: { failureRatio: 0.9, minimumRequests: 100, window: 1s, openFor: 500ms }"
  cat >"$work/lintel.yaml" <<CONF
listeners: { public: "http://127.0.0.1:$(port 0)" }
services:
  s:
    instances: ["http://127.0.0.1:$(port 1)", "http://127.0.0.1:$(port 2)", "http://127.0.0.1:$(port 3)"]$options
routes: { all: { match: "/{**rest}", forward: s } }
observability: { accessLog: { to: none } }
CONF
}

write_nginx() {
  cat >"$work/nginx.conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000;
  upstream s {
    server 127.0.0.1:$(port 1) max_fails=3 fail_timeout=2s; server 127.0.0.1:$(port 2) max_fails=3 fail_timeout=2s;
    server 127.0.0.1:$(port 3) max_fails=3 fail_timeout=2s; keepalive 64;
  }
  server {
    listen 127.0.0.1:$(port 0) backlog=1024;
    location / {
      proxy_pass http://s; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_connect_timeout 300ms; proxy_read_timeout 300ms; proxy_next_upstream_tries 3;
      proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
    }
  }
}
CONF
}

write_haproxy() {
  cat >"$work/haproxy.cfg" <<CONF
global
  nbthread 1
defaults
  mode http
  timeout connect 300ms
  timeout server 300ms
  timeout client 10s
  retries 2
  option redispatch 1
  retry-on conn-failure empty-response response-timeout 500 502 503 504
frontend f
  bind 127.0.0.1:$(port 0)
  default_backend s
backend s
  timeout check 250ms
  option httpchk GET /
  default-server check inter 500ms fall 2 rise 1 observe layer7 error-limit 3 on-error mark-down
  server s1 127.0.0.1:$(port 1)
  server s2 127.0.0.1:$(port 2)
  server s3 127.0.0.1:$(port 3)
CONF

}

start_gateway() {
  case $1 in
    lintel*) write_lintel "$1"; taskset -c 1 "$program" run "$work/lintel.yaml" >"$work/gateway.log" 2>&1 & ;;
    nginx) write_nginx; taskset -c 1 nginx -e "$work/gateway.log" -p "$work" -c "$work/nginx.conf" >"$work/gateway.log" 2>&1 & ;;
    haproxy) write_haproxy; taskset -c 1 haproxy -f "$work/haproxy.cfg" >"$work/gateway.log" 2>&1 & ;;
  esac
  gateway=$!
  listens "$(port 0)"
}

# What happens, from 5 s after the start of the load.
strike() {
  sleep 5
  case $1 in
    kill) kill -KILL "${instance[2]}"; sleep 4; start_instance 2 ;;
    freeze) kill -STOP "${instance[2]}"; sleep 4; kill -CONT "${instance[2]}" ;;
    half) ;;
    rolling)
      for n in 1 2 3; do
        kill -QUIT "${instance[$n]}" # requests in flight end
        sleep 1
        start_instance "$n"
        sleep 1
      done
      ;;
    dead)
      kill -KILL "${instance[1]}" "${instance[2]}" "${instance[3]}"
      sleep 2
      for n in 1 2 3; do start_instance "$n"; done
      ;;
  esac
}

program=${PROGRAM:-$repo/artifacts/bin/Lintel.Cli/release/Lintel.Cli}
clients=$repo/artifacts/bin/LoadClients/release/LoadClients.dll
[[ -x $program && -f $clients ]] || { say "build first: dotnet build Lintel.slnx -c Release"; exit 2; }

echo "| drill | contender | answered | failed | p50 ms | p99 ms | p99.9 ms | longest ms |"
echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
for drill in "${drills[@]}"; do
  for contender in "${contenders[@]}"; do
    say "$drill, $contender"
    base=$((base + 10))
    write_instances "$drill"
    for n in 1 2 3; do start_instance "$n"; done
    for n in 1 2 3; do listens "$(port "$n")"; done
    start_gateway "$contender"
    taskset -c 0 dotnet "$clients" pace "$(port 0)" / "$rate" "$seconds" 128 2 >"$work/load.txt" 2>&1 &
    load=$!
    strike "$drill"
    wait "$load" || true
    awk -F'\t' -v d="$drill" -v c="$contender" '$1 == "total" { printf "| %s | %s | %d | %d | %.2f | %.2f | %.1f | %.1f |\n", d, c, $2, $3, $4, $6, $7, $8 }' "$work/load.txt"
    kill -KILL "$gateway" "${instance[@]}" 2>/dev/null || true
    wait "$gateway" "${instance[@]}" 2>/dev/null || true
  done
done
