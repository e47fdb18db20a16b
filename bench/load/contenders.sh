# shellcheck shell=bash disable=SC2154 # run.sh sources this file and sets work, repo and the cores.
#
# The contenders: one function each, start_<kind> NAME PORT [VARIANT]. It writes its configuration below $work and calls launch.
# A contender is named kind or kind-variant: "lintel", "lintel-log", "lintel-1000" (routes), "lintel-tls", "nginx-tls", and "lintel-before"
# or "lintel-compose-before": the build in the folder LINTEL_BEFORE (a copy of artifacts/bin/Lintel.Cli/release), to see in one run what a change has done.

# start NAME: on a free port, until it answers as it should.
start() {
  local name=$1 variant=${1#"${1%%-*}"}
  [[ $name != upstream* ]] && declare -F "start_${name%%-*}" >/dev/null || die "no such contender: $name"
  [[ -z ${pid[$name]:-} ]] || die "$name is named twice"
  free_port
  port[$name]=$reply
  "start_${name%%-*}" "$name" "$reply" ${variant:+"${variant#-}"}
  await "$name"
}

start_yarp() {
  local name=$1 port=$2 variant=${3:-1} more=()
  [[ $variant != tls ]] || { certificate; variant=1 more=(--certificate "$work/tls.pem" --key "$work/tls.key"); }
  [[ $variant =~ ^[0-9]+$ ]] || die "$name: the part after the dash is the number of routes, or tls"
  build bench/yarp/YarpHost.csproj
  launch "$name" "$gateway_cores" env DOTNET_gcServer=0 dotnet "$repo/artifacts/bin/YarpHost/release/YarpHost.dll" \
    --port "$port" --upstream "http://127.0.0.1:$upstream_port" --routes "$variant" "${more[@]}"
}

# The variants: log (access log to a file), jwt (verifies tokens and a scope, with access log; what follows a point only names the tokens that are sent), guarded (health, retries, hedging, breaker, limits, all of it idle), tls, compose, one and two (cores), many (connections beyond the default limit), or the number of routes.
start_lintel() {
  local name=$1 port=$2 program=${LINTEL_PROGRAM:-$repo/artifacts/bin/Lintel.Cli/release}
  [[ ${3:-} != *before ]] || program=${LINTEL_BEFORE:?is the folder of the build before}
  lintel_conf "$@"
  launch "$name" "$gateway_cores" env DOTNET_gcServer=0 dotnet "$program/Lintel.Cli.dll" \
    run "$work/$name/config.yaml"
}

# lintel_conf NAME PORT [VARIANT]: metrics (scraped by Prometheus) and trace context are on by default, and stay on.
lintel_conf() {
  local name=$1 port=$2 variant=${3:-1} access_log=none routes=1 i listener="\"http://127.0.0.1:$2\""
  local users="\"http://127.0.0.1:$upstream_port\""
  case $variant in
    log | jwt | jwt.*) access_log=$work/$name/access.log ;;
    tls)
      certificate
      listener="{ address: \"https://127.0.0.1:$port\", protocols: [http1, http2], certificates: [{ path: $work/tls.pem, keyPath: $work/tls.key }] }"
      ;;
    guarded)
      users="{ instances: [\"http://127.0.0.1:$upstream_port\"], balancing: ewma, slowStart: 10s,"
      users+=" health: { active: { path: /api/users/42, every: 5s }, passive: { consecutiveFailures: 5, successRate: { below: 70% } } },"
      users+=" retry: { attempts: 3, on: [connect, reset, timeout, 502, 503, 504], perTryTimeout: 5s }, hedge: { after: 1s },"
      users+=" breaker: {}, limits: { concurrent: 512 } }"
      ;;
    many) listener="{ address: $listener, limits: { connections: 1000000 } }" ;;
    compose | compose-before | one | two | before) ;;
    *[!0-9]*) die "$name: the part after the dash is the number of routes, log, jwt, guarded, tls, compose, many, one, two, before or compose-before" ;;
    *) routes=$variant ;;
  esac
  free_port
  admin_port[$name]=$reply
  mkdir -p "$work/$name"
  {
    echo "listeners: { public: $listener }"
    echo "admin: { address: \"http://127.0.0.1:$reply\" }"
    echo "observability: { accessLog: { to: $access_log } }"
    echo "services: { users: $users }"
    [[ $variant != jwt* ]] || cat <<END
policies:
  signed-in: { jwt: { issuer: "https://id.example.com", audiences: [shop], jwks: "$work/tokens/keys.json" } }
  readers: { authorize: { scope: users.read } }
defaults: { policies: [signed-in, readers] }
END
    echo "routes:"
    echo "  users: { match: \"GET /api/users/{id}\", forward: users }"
    echo "  files: { match: \"GET /files/{name}\", forward: users }"
    echo "  sink: { match: \"POST /sink\", forward: users }"
    echo "  trace: { match: \"GET /trace\", forward: users }"
    [[ $variant != compose* ]] || cat <<'END'
  dashboard:
    match: GET /api/dashboard/{id}
    compose:
      calls:
        user: { request: "users/api/users/{id}" }
        orders: { request: "users/api/orders/{id}" }
        segment: { request: "users/api/segments/{id}" }
END
    # Distinct and never asked for, the same as in the YARP host: they only make the routing table larger.
    for ((i = 1; i < routes; i++)); do
      echo "  route-$i: { match: \"GET /service-$i/items/{id}\", forward: users }"
    done
  } >"$work/$name/config.yaml"
}

# The variants: log (access log to a file); tls (TLS 1.3, HTTP/2); large (buffers for large bodies instead of the defaults); one and two (workers).
start_nginx() {
  local name=$1 port=$2 variant=${3:-one} listen=$2 workers=1 more=
  case $variant in
    tls)
      certificate
      listen="$port ssl http2"
      more="ssl_certificate $work/tls.pem; ssl_certificate_key $work/tls.key; ssl_protocols TLSv1.3;"
      ;;
    log) more="access_log $work/$name/access.log combined buffer=64k;" ;;
    large) more="proxy_buffer_size 64k; proxy_buffers 16 64k; proxy_busy_buffers_size 256k;" ;;
    one) ;;
    two) workers=2 ;;
    *) die "$name: the part after the dash is log, tls, large, one or two" ;;
  esac
  # proxy_max_temp_file_size 0: a client that reads slowly must not make it write to disk, which none of the others does.
  nginx_conf "$name" "$workers" <<END
    upstream users {
      server 127.0.0.1:$upstream_port;
      keepalive 128;
      keepalive_requests 1000000000;
    }
    server {
      listen 127.0.0.1:$listen;
      $more
      location / {
        proxy_pass http://users;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_max_temp_file_size 0;
        proxy_request_buffering off; # as Lintel: a body goes on while it comes
      }
    }
END
  launch "$name" "$gateway_cores" nginx -p "$work/$name" -c "$work/$name/nginx.conf"
}

start_haproxy() {
  local name=$1 port=$2 variant=${3:-} bind="127.0.0.1:$2"
  [[ -z $variant || $variant == tls ]] || die "$name: the part after the dash can only be tls"
  [[ $variant != tls ]] || { certificate; bind+=" ssl crt $work/tls-both.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3"; }
  haproxy_conf "$name" "mode http"$'\n'"  http-reuse always" "$bind"
}

# A plain TCP relay knows nothing of HTTP: what the hop alone costs.
start_relay() { haproxy_conf "$1" "mode tcp" "127.0.0.1:$2"; }

# haproxy_conf NAME MODE BIND
haproxy_conf() {
  local name=$1
  mkdir -p "$work/$name"
  cat >"$work/$name/haproxy.cfg" <<END
global
  nbthread 1
  maxconn 4096
defaults
  $2
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend public
  bind $3
  default_backend users
backend users
  server only 127.0.0.1:$upstream_port
END
  launch "$name" "$gateway_cores" haproxy -db -f "$work/$name/haproxy.cfg"
}

readonly user='{"id":42,"name":"Grace Brewster Hopper","email":"grace.b.hopper@shop.example","roles":["admin","author"],"active":true}'
readonly orders='[{"id":1906,"total":129.90,"items":3,"state":"shipped"},{"id":1992,"total":12.50,"items":1,"state":"paid"}]'
readonly segment='{"segment":"navy","since":"1943-12-01","discount":0.15}'

# start_upstream NAME CORES WORKERS: not a contender: what stands behind every one of them. Sets upstream_port.
start_upstream() {
  ((${#user} == 119)) || die "the body has ${#user} bytes instead of 119"
  mkdir -p "$work/$1/files"
  head -c 1048576 /dev/urandom >"$work/$1/files/1m"
  free_port
  upstream_port=$reply port[$1]=$reply
  nginx_conf "$1" "$3" <<END
    server {
      listen 127.0.0.1:$upstream_port reuseport;
      default_type application/json;
      location = /api/users/42 { return 200 '$user'; }
      location = /api/orders/42 { return 200 '$orders'; }
      location = /api/segments/42 { return 200 '$segment'; }
      location = /trace { return 200 '\$http_traceparent'; }
      location = /sink { client_max_body_size 2m; proxy_pass http://127.0.0.1:$upstream_port/api/users/42; proxy_method GET; proxy_set_body ""; }
      location /files/ { root $work/$1; sendfile on; tcp_nopush on; default_type application/octet-stream; }
    }
END
  launch "$1" "$2" nginx -p "$work/$1" -c "$work/$1/nginx.conf"
  await "$1"
  working_pids "$1"
  upstream_workers=("${workers[@]}")
}

# certificate: one for all that speak TLS.
certificate() {
  [[ ! -f $work/tls.pem ]] || return 0
  run "$work/openssl.log" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout "$work/tls.key" -out "$work/tls.pem" || die "openssl: $(cat "$work/openssl.log")"
  cat "$work/tls.pem" "$work/tls.key" >"$work/tls-both.pem"
}

# nginx_conf NAME WORKERS <http-blocks: everything it touches below its own folder, connections that never have to be renewed.
nginx_conf() {
  local dir=$work/$1
  mkdir -p "$dir"
  {
    [[ $EUID -ne 0 ]] || echo "user root;"
    cat <<END
worker_processes $2;
worker_rlimit_nofile $(ulimit -Hn);
daemon off;
pid $dir/nginx.pid;
error_log stderr warn;
events { worker_connections 16000; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
END
    cat
    echo "}"
  } >"$dir/nginx.conf"
}
