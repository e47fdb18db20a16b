# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# Bodies of 1 MiB, streamed: the upstream sends a file with sendfile. One request is one MiB, so CPU per request is CPU per MiB.

workload_bodies() {
  path=/files/1m connections=16 unit=MiB
  cp "$work/upstream/files/1m" "$work/expected"
  choose lintel nginx nginx-large haproxy yarp
  compare bodies
  section "1 MiB bodies" < <(
    round_table nginx nginx-large haproxy yarp
    echo
    sentence "\`wrk -t1 -c$connections\`, GET of a file of 1 MiB, which the upstream sends with \`sendfile\`"
    echo "\`nginx\` has its default buffers (8 of 4 or 8 KiB), \`nginx-large\` 16 of 64 KiB; neither may write to disk."
  )
  target "1 MiB bodies" "CPU/byte, × nginx" "$(ratio lintel nginx)" "<=" 1.1 "nginx as it is by default"
  target "1 MiB bodies" "CPU/byte, × nginx-large" "$(ratio lintel nginx-large)" "<=" 1.1 "nginx with buffers of 64 KiB"
}
