# shellcheck shell=bash disable=SC2154 # run.sh sources this file and sets work, repo, upstream_port and gateway_core.
#
# The contenders: one function each, start_<kind> NAME PORT [VARIANT]. It writes its configuration below $work and calls launch.
# A contender is named kind or kind-variant: "lintel", "lintel-log", "lintel-1000" (routes), "yarp-1000", and "lintel-before":
# the build in the folder LINTEL_BEFORE (a copy of artifacts/bin/Lintel.Cli/release), to see in one run what a change has done.

start_yarp() {
  local name=$1 port=$2 routes=${3:-1}
  [[ $routes =~ ^[0-9]+$ ]] || die "yarp-$routes: the part after the dash is the number of routes"
  launch "$name" "$gateway_core" env DOTNET_gcServer=0 dotnet "$repo/artifacts/bin/YarpHost/release/YarpHost.dll" \
    --url "http://127.0.0.1:$port" --upstream "http://127.0.0.1:$upstream_port" --routes "$routes"
}

start_lintel() {
  local name=$1 port=$2 variant=${3:-1} access_log=none routes=1 program=$repo/artifacts/bin/Lintel.Cli/release i
  case $variant in
    before) program=${LINTEL_BEFORE:?is the folder of the build before} ;;
    log) access_log=$work/$name/access.log ;;
    *[!0-9]*) die "lintel-$variant: the part after the dash is the number of routes, log, or before" ;;
    *) routes=$variant ;;
  esac
  free_port
  mkdir -p "$work/$name"
  {
    echo "listeners: { public: \"http://127.0.0.1:$port\" }"
    echo "admin: { address: \"http://127.0.0.1:$reply\" }"
    echo "observability: { accessLog: { to: $access_log } }"
    echo "services: { users: \"http://127.0.0.1:$upstream_port\" }"
    echo "routes:"
    echo "  users: { match: \"GET /api/users/{id}\", forward: users }"
    # Distinct and never asked for, the same as in the YARP host: they only make the routing table larger.
    for ((i = 1; i < routes; i++)); do
      echo "  route-$i: { match: \"GET /service-$i/items/{id}\", forward: users }"
    done
  } >"$work/$name/config.yaml"
  launch "$name" "$gateway_core" env DOTNET_gcServer=0 dotnet "$program/Lintel.Cli.dll" \
    run "$work/$name/config.yaml"
}

start_nginx() {
  local name=$1 port=$2
  nginx_conf "$name" <<END
    upstream users {
      server 127.0.0.1:$upstream_port;
      keepalive 128;
      keepalive_requests 1000000000;
    }
    server {
      listen 127.0.0.1:$port;
      location / {
        proxy_pass http://users;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
      }
    }
END
  launch "$name" "$gateway_core" nginx -p "$work/$name" -c "$work/$name/nginx.conf"
}

start_haproxy() {
  local name=$1 port=$2
  mkdir -p "$work/$name"
  cat >"$work/$name/haproxy.cfg" <<END
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend public
  bind 127.0.0.1:$port
  default_backend users
backend users
  server only 127.0.0.1:$upstream_port
END
  launch "$name" "$gateway_core" haproxy -db -f "$work/$name/haproxy.cfg"
}

# Not a contender: what stands behind every one of them, on the load generator's core.
start_upstream() {
  nginx_conf upstream <<END
    server {
      listen 127.0.0.1:$upstream_port;
      location = /api/users/42 {
        default_type application/json;
        return 200 '$body';
      }
    }
END
  launch upstream "$load_core" nginx -p "$work/upstream" -c "$work/upstream/nginx.conf"
}

# nginx_conf NAME <http-blocks: one worker, everything it touches below its own folder, connections that never have to be renewed.
nginx_conf() {
  local dir=$work/$1
  mkdir -p "$dir"
  {
    [[ $EUID -ne 0 ]] || echo "user root;"
    cat <<END
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
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
