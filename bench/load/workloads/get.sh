# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# A small GET, HTTP/1.1 with keep-alive on both sides; Lintel with metrics and trace context on. lintel-log has the access log too.

workload_get() {
  choose relay lintel nginx haproxy yarp lintel-log
  compare get
  observing lintel
  section "Small GET" < <(
    round_table nginx haproxy yarp relay
    echo
    sentence "\`wrk -t1 -c$connections\`, GET, ${#user}-byte JSON, HTTP/1.1 keep-alive on both sides"
    echo "Lintel with metrics (a Prometheus scrape showed every request) and a \`traceparent\` for each request; the others without."
  )
  target "small GET, metrics + trace context" "CPU, × nginx" "$(ratio lintel nginx)" "<=" 1.0
  target "small GET, metrics + trace context" "CPU, × HAProxy" "$(ratio lintel haproxy)" "<=" 1.0
  target "small GET, metrics + trace context" "CPU, × YARP" "$(ratio lintel yarp)" "<=" 0.4
  target "small GET, metrics + trace context" "CPU, × TCP relay" "$(ratio lintel relay)" "<=" 1.3
  target "same, + access log" "CPU, × nginx" "$(ratio lintel-log nginx)" "<=" 1.4 "the target is with JWT (see secured) and a local rate limit, which Lintel does not have yet"
}

# observing NAME: metrics have counted what the load sent, and the upstream gets a trace context.
observing() {
  [[ -n ${pid[$1]:-} ]] || return 0
  local counted sent traced
  counted=$(curl -s "http://127.0.0.1:${admin_port[$1]}/metrics" | awk '/^http_server_request_duration_seconds_count/ { sum += $NF } END { printf "%d", sum }')
  sent=$(awk -F'\t' -v name="$1" '$1 == name { sum += $3 } END { printf "%d", sum }' "$work/$rounds_file")
  ((counted >= sent)) || die "$1: the metrics have counted $counted of at least $sent requests"
  traced=$(curl -s "http://127.0.0.1:${port[$1]}/trace")
  [[ $traced =~ ^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9a-f]$ ]] || die "$1: no trace context reaches the upstream ('$traced')"
}
