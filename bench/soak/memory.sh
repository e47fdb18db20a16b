#!/usr/bin/env bash
# Compositions of large answers against a small heap: 160 clients ask for 1 MB each at once, again and again, of a gateway that may have 100 MB.
# Right is: nobody dies, what is too much is 503 and nothing else, and the gateway is healthy afterwards, with nothing held.
# Usage: bench/soak/memory.sh [SECONDS] [HEAP, hexadecimal]; needs a built Lintel.Cli, python3 and curl. Loopback only; ends what it starts.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-15} heap=${2:-6400000}
folder=$(mktemp -d)
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; rm -rf "$folder"' EXIT

python3 - "$folder" <<'PY' &
import http.server, json, sys
body = json.dumps({"text": "x" * 1_000_000}).encode()
class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True
    def handle_error(self, *_): pass  # the gateway hangs up on what it has no memory for
server = Server(("127.0.0.1", 0), Service)
open(sys.argv[1] + "/port.new", "w").write(str(server.server_port))
import os; os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
server.serve_forever()
PY
pids+=($!)
until [ -s "$folder/port" ]; do sleep 0.1; done
cat >"$folder/gateway.yaml" <<YAML
listeners: { public: "http://127.0.0.1:0" }
admin: { address: "http://127.0.0.1:0" }
observability: { accessLog: { to: none } }
services: { s: "http://127.0.0.1:$(cat "$folder/port")" }
routes: { c: { match: /c, compose: { calls: { a: s/a, b: s/b }, respond: { body: { a: a.text, b: b.text } } } } }
YAML
DOTNET_GCHeapHardLimit=0x$heap dotnet artifacts/bin/Lintel.Cli/release/Lintel.Cli.dll run "$folder/gateway.yaml" 2>"$folder/log" &
gateway=$!
pids+=("$gateway")
until grep -q "^  admin" "$folder/log"; do sleep 0.1; kill -0 "$gateway" || { cat "$folder/log"; exit 1; }; done
address=$(awk '/^  public/ { print $2 }' "$folder/log") admin=$(awk '/^  admin/ { print $2 }' "$folder/log")

set +e
python3 - "$address" "$seconds" <<'PY'
import collections, http.client, sys, threading, time, urllib.parse
address, seconds = urllib.parse.urlsplit(sys.argv[1]), float(sys.argv[2])
counts, lock, end = collections.Counter(), threading.Lock(), time.time() + float(sys.argv[2])
def client():
    while time.time() < end:
        try:
            c = http.client.HTTPConnection(address.hostname, address.port, timeout=40)
            c.request("GET", "/c")
            r = c.getresponse()
            body = r.read()
            key = str(r.status) if r.status != 200 or len(body) > 2_000_000 else "short"
            if r.status != 200: time.sleep(0.05)
        except Exception as e:
            key = type(e).__name__
        with lock: counts[key] += 1
threads = [threading.Thread(target=client) for _ in range(160)]
[t.start() for t in threads]; [t.join() for t in threads]
print(dict(counts))
sys.exit(0 if set(counts) <= {"200", "503"} and counts["200"] > 0 else 1)
PY
[ $? = 0 ] || { echo "other answers than 200 and 503, or no 200"; tail -40 "$folder/log"; exit 1; }
kill -0 "$gateway" || { echo "the gateway has died"; tail -20 "$folder/log"; exit 1; }
[ "$(curl -s -o /dev/null -w '%{http_code}' "$address/c")" = 200 ] || { echo "not healthy afterwards"; tail -20 "$folder/log"; exit 1; }
curl -s "$admin/metrics" | grep -E '^lintel_memory_(limit|used|refused)' || true
curl -s "$admin/health/ready"; echo
echo "right: alive, healthy, nothing but 200 and 503"
