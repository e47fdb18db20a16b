# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file and sets work, repo, port, address and what a drill may change.
#
# How each contender is configured and started. All do what they can: checks, ejection, retries.

# instances_of PORT_NAME: as YAML.
instances_of() { printf '"http://%s:%s", "http://%s:%s", "http://%s:%s"' "${address[1]}" "$1" "${address[2]}" "$1" "${address[3]}" "$1"; }

# lintel_service NAME PORT MORE
lintel_service() {
  local from options=
  from="instances: [$(instances_of "$2")]"
  [[ -z $discover ]] || from="discover: ${discover/PORT/$2}"
  [[ $contender == lintel-plain ]] || options="
    balancing: $balancing
    timeouts: { connect: 300ms, request: 2s }
    health:
      active: { path: /healthz, every: 500ms, timeout: $check_timeout, unhealthyAfter: 2, healthyAfter: 1 }
      passive: { consecutiveFailures: 3, successRate: { below: 80%, minimum: 50, window: 2s }, ejectFor: 2s }
    retry: { attempts: 3, on: [connect, reset, timeout, notProcessed, 500, 502, 503, 504$3], perTryTimeout: $per_try }
    breaker: { failureRatio: 0.9, minimumRequests: 100, window: 1s, openFor: 500ms }"
  printf '  %s:\n    %s%s\n' "$1" "$from" "$options${limits:+$'\n'    limits: $limits}"
}

write_lintel() {
  cat <<CONF
listeners: { public: "http://127.0.0.1:${port[gateway]}", h2c: { address: "http://127.0.0.1:${port[h2c]}", protocols: [http2] } }
admin: { address: "http://127.0.0.1:${port[admin]}" }
observability: { accessLog: { to: ${ACCESS_LOG:-none} } }
services:
$(lintel_service s "${port[http]}" "")
$(lintel_service g "${port[grpc]}" ", grpc-unavailable")
    protocol: http2
routes:
  composed: { match: GET /composed, compose: { calls: { a: s/a, b: s/b, c: s/c } } }
  call: { match: POST /bench.Echo/Say, forward: g, idempotent: true }
  all: { match: "/{**rest}", forward: s, transform: { response: { setHeaders: { X-Generation: "0" } } } }
CONF
}

write_nginx() {
  local n
  cat <<CONF
daemon off; worker_processes 1; pid $work/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000;
  upstream s {
$(for n in 1 2 3; do echo "    server ${address[$n]}:${port[http]} max_fails=3 fail_timeout=2s;"; done)
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port[gateway]} backlog=1024;
    location / {
      proxy_pass http://s; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_connect_timeout 300ms; proxy_read_timeout $per_try; proxy_next_upstream_tries 3;
      proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
    }
  }
}
CONF
}

write_haproxy() {
  local n
  cat <<CONF
global
  nbthread 1
defaults
  mode http
  timeout connect 300ms
  timeout server $per_try
  timeout client 10s
  retries 2
  option redispatch 1
  retry-on conn-failure empty-response response-timeout 500 502 503 504
frontend f
  bind 127.0.0.1:${port[gateway]}
  default_backend s
backend s
  timeout check $check_timeout
  option httpchk GET /healthz
  default-server check inter 500ms fall 2 rise 1 observe layer7 error-limit 3 on-error mark-down
$(for n in 1 2 3; do echo "  server s$n ${address[$n]}:${port[http]}"; done)
CONF
}

start_gateway() {
  case $contender in
    lintel*)
      write_lintel >"$work/lintel.yaml"
      wrapper=(${limit[@]+"${limit[@]}"})
      launch gateway "$gateway_core" "${LINTEL_PROGRAM:-$repo/artifacts/bin/Lintel.Cli/release}/Lintel.Cli" run "$work/lintel.yaml"
      wrapper=()
      listens 127.0.0.1 "${port[h2c]}"
      ;;
    nginx)
      write_nginx >"$work/nginx.conf"
      launch gateway "$gateway_core" nginx -e "$work/nginx.log" -p "$work" -c "$work/nginx.conf"
      ;;
    haproxy)
      write_haproxy >"$work/haproxy.cfg"
      launch gateway "$gateway_core" haproxy -f "$work/haproxy.cfg"
      ;;
  esac
  listens 127.0.0.1 "${port[gateway]}"
}
