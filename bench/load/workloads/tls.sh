# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# TLS 1.3 and HTTP/2 to the client, HTTP/1.1 to the upstream.

workload_tls() {
  generator=h2load scheme=https connections=32 streams=4
  choose lintel-tls nginx-tls haproxy-tls yarp-tls
  compare tls
  section "TLS 1.3, HTTP/2" < <(
    round_table nginx-tls haproxy-tls yarp-tls
    echo
    sentence "\`h2load -t1 -c$connections -m$streams\`, GET, ${#user}-byte JSON, $cipher, HTTP/1.1 keep-alive to the upstream"
  )
  target "TLS 1.3 / HTTP/2 → HTTP/1.1" "CPU, × nginx" "$(ratio lintel-tls nginx-tls)" "<=" 1.3
  target "TLS 1.3 / HTTP/2 → HTTP/1.1" "CPU, × YARP" "$(ratio lintel-tls yarp-tls)" "<=" 0.5
}
