#!/usr/bin/env bash
# Large bodies in constant memory: uploads and downloads GIB gibibytes (default 10) through `lintel run`, for every pair of
# HTTP versions, and prints the gateway's resident memory before, its peak, and the rate. Needs curl; the service is
# bench/bodies/Program.cs. `--save` keeps the table in bench/results/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
gib=${GIB:-10}
bytes=$((gib * 1024 * 1024 * 1024))
folder=$(mktemp -d)
pids=()
finish() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$folder"; }
trap finish EXIT

dotnet build src/Lintel.Cli/Lintel.Cli.csproj -c Release -v quiet -nologo >/dev/null
dotnet build bench/bodies/BodyHost.csproj -c Release -v quiet -nologo >/dev/null

wait_for() { for _ in $(seq 200); do grep -q "$1" "$2" 2>/dev/null && return; sleep 0.1; done; cat "$2"; exit 1; }
dotnet artifacts/bin/BodyHost/release/BodyHost.dll >"$folder/host" 2>&1 & pids+=($!)
wait_for h2 "$folder/host"
h1=$(awk '$1 == "h1" { print $2 }' "$folder/host") h2=$(awk '$1 == "h2" { print $2 }' "$folder/host")
cat >"$folder/gateway.yaml" <<YAML
listeners: { h1: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
admin: { address: "http://127.0.0.1:0" }
observability: { accessLog: { to: none } }
services: { h1: "http://127.0.0.1:$h1", h2: { instances: ["http://127.0.0.1:$h2"], protocol: http2 } }
routes: { h1: { match: "/h1/{**rest}", forward: "h1/{rest}" }, h2: { match: "/h2/{**rest}", forward: "h2/{rest}" } }
YAML

table() {
  echo "| client | service | way | GiB | RSS before | peak RSS | GiB/s | gateway CPU s |"
  echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
  for client in h1 h2; do for service in h1 h2; do for way in upload download; do
    # A process for each line, so that a peak is of that line.
    dotnet artifacts/bin/Lintel.Cli/release/Lintel.Cli.dll run "$folder/gateway.yaml" >"$folder/log" 2>&1 & pid=$!; pids+=("$pid")
    wait_for health/ready "$folder/log"
    base=$(awk -v name="$client" '$1 == name && $2 ~ /^http/ { print $2; exit }' "$folder/log")
    flag=--http1.1; [ $client = h2 ] && flag=--http2-prior-knowledge
    curl -sS $flag -o /dev/null "${base%/}/$service/source?bytes=1000000"
    before=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
    start=$(date +%s.%N)
    if [ $way = upload ]; then
      got=$(head -c "$bytes" /dev/zero | curl -sS $flag -H "Expect:" -H "Content-Length: $bytes" -T - "${base%/}/$service/sink")
    else
      got=$(curl -sS $flag "${base%/}/$service/source?bytes=$bytes" | wc -c)
    fi
    end=$(date +%s.%N)
    [ "$got" = "$bytes" ] || { echo "$client $service $way: $got bytes of $bytes" >&2; tail -3 "$folder/log" >&2; exit 1; }
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")
    cpu=$(awk -v hz="$(getconf CLK_TCK)" '{ printf "%.1f", ($14 + $15) / hz }' "/proc/$pid/stat")
    kill "$pid"; wait "$pid" 2>/dev/null || true
    awk -v c=$client -v s=$service -v w=$way -v g="$gib" -v b="$before" -v p="$peak" -v t="$(echo "$end $start" | awk '{ print $1 - $2 }')" -v u="$cpu" \
      'BEGIN { printf "| %s | %s | %s | %d | %.0f MiB | %.0f MiB | %.2f | %s |\n", c, s, w, g, b / 1024, p / 1024, g / t, u }'
  done; done; done
}

if [ "${1:-}" = --save ]; then
  out=bench/results/$(date +%F)-bodies-${gib}g.md
  { echo "# Bodies of $gib GiB, $(date +%F)"; echo; echo "\`GIB=$gib bench/bodies/run.sh\` on $(nproc) cores of $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(uname -sr), .NET $(dotnet --version). curl is client, Kestrel is service; all share the cores with whatever else runs."; echo; table; } | tee "$out"
else
  table
fi
