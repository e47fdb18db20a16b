# shellcheck shell=bash disable=SC2154 # run.sh sources this file; a workload sets generator, connections, threads, scheme, path.
#
# Load generators: generate_<generator> NAME SECONDS leaves its report in $work/report and sets
# got_requests, got_rate, got_p50, got_p99 (milliseconds; empty where it does not say). Any error ends the run.

# is_right NAME: true if it answers 200 with the expected bytes, over HTTP/2 where the scheme is https; otherwise answer holds what it said.
is_right() {
  local status version=1.1
  [[ $scheme != https ]] || version=2
  # Text that only has to say the same (a composed answer) may have its own spaces.
  status=$(curl -sk --max-time 5 "${curl_more[@]}" -o "$work/answer" -w '%{http_code} %{http_version}' "$scheme://127.0.0.1:${port[$1]}$path") || true
  answer="status and version $status, body '$(head -c 300 "$work/answer" 2>/dev/null | tr -d '\0' || true)'"
  [[ $status == "200 $version" ]] || return 1
  if [[ $compares == json ]]; then cmp -s <(jq -c . "$work/answer" 2>/dev/null) <(jq -c . "$work/expected"); else cmp -s "$work/answer" "$work/expected"; fi
}

# wrk: as many requests as the connections take, HTTP/1.1.
generate_wrk() {
  run "$work/report" taskset -c "$load_cores" wrk -t"$threads" -c"$connections" -d"$2s" --latency "${wrk_more[@]}" "$scheme://127.0.0.1:${port[$1]}$path" ||
    die "wrk against $1:"$'\n'"$(cat "$work/report")"
  if grep -qE 'Socket errors|Non-2xx' "$work/report" || ! grep -qE '^ *[1-9][0-9]* requests in' "$work/report"; then
    die "errors under load: $1"$'\n'"$(cat "$work/report")"$'\n'"$(tail -n 20 "$work/$1.log")"
  fi
  read -r got_requests got_rate got_p50 got_p99 < <(awk '
    function milliseconds(text) {
      if (text ~ /us$/) return text / 1000
      if (text ~ /ms$/) return text + 0
      return text ~ /m$/ ? text * 60000 : text * 1000
    }
    $1 == "50%" { p50 = milliseconds($2) }
    $1 == "99%" { p99 = milliseconds($2) }
    $2 == "requests" && $3 == "in" { requests = $1 }
    $1 == "Requests/sec:" { rate = $2 }
    END { print requests, rate, p50, p99 }' "$work/report")
}

# h2load: HTTP/2 over TLS, a number of streams on each connection.
generate_h2load() {
  run "$work/report" taskset -c "$load_cores" h2load -t"$threads" -c"$connections" -m"$streams" -D"$2" "$scheme://127.0.0.1:${port[$1]}$path" ||
    die "h2load against $1:"$'\n'"$(cat "$work/report")"
  # requests: 100 total, 100 started, 100 done, 100 succeeded, 0 failed, 0 errored, 0 timeout
  read -r got_requests failed < <(awk -F'[ ,]+' '$1 == "requests:" { print $8, $10 + $12 + $14 }' "$work/report")
  grep -q 'TLS Protocol: TLSv1.3' "$work/report" && grep -q 'Application protocol: h2' "$work/report" && [[ ${got_requests:-0} -gt 0 && $failed == 0 ]] ||
    die "errors under load: $1"$'\n'"$(cat "$work/report")"$'\n'"$(tail -n 20 "$work/$1.log")"
  cipher=$(sed -n 's/^Cipher: //p' "$work/report")
  got_rate=$(awk -v n="$got_requests" -v s="$2" 'BEGIN { print n / s }') got_p50='' got_p99=''
}

# pace NAME RATE SECONDS CONNECTIONS: a constant rate, latencies from when requests were due; the report has a line for each second and the total.
pace() {
  build bench/clients/LoadClients.csproj
  run "$work/report" taskset -c "$load_cores" dotnet "$repo/artifacts/bin/LoadClients/release/LoadClients.dll" pace "${port[$1]}" "$path" "$2" "$3" "$4" 2
}

# paced FIELD: of the total of the last report: 2 requests, 3 failed, 4 p50, 5 p90, 6 p99, 7 p99.9, 8 the longest (milliseconds).
paced() { awk -F'\t' -v field="$1" '$1 == "total" { print $field }' "$work/report"; }

load() { "generate_$generator" "$@"; }
