# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file; the variables are those of reset_drill.
#
# Instances that are announced and withdrawn. One that is withdrawn is stopped a second and a half later.

why_dns() { echo "an instance that leaves gets nothing new, and ends what it has; one that is new gets requests when it is announced. Nothing is sent twice, so uploads do not fail either."; }
prepare_dns() {
  peers=no seconds=16
  discover="{ dns: \"drill.test:PORT\", server: \"127.0.0.1:DNS\", refresh: 200ms }"
}
announce_dns() {
  local n
  for n in "$@"; do echo "${address[$n]} drill.test"; done >"$work/hosts.new"
  mv "$work/hosts.new" "$work/hosts"
  kill -HUP "${pid[dns]}"
}
strike_dns() { come_and_go announce_dns; }
judge_dns() { judge_all; }

why_consul() { echo "as with DNS, only that changes arrive at once."; }
prepare_consul() {
  peers=no seconds=16
  mix=(get=60:64 composed=25:64 upload=15:32) # Consul's answers have one port for each instance
  discover="{ consul: orders, address: \"CONSUL\" }"
}
announce_consul() {
  local n set=set
  for n in "$@"; do set+=" ${address[$n]}:${port[http]}"; done
  say_to "${port[consul]}" "$set"
}
strike_consul() { come_and_go announce_consul; }
judge_consul() { judge_all; }

# come_and_go ANNOUNCE: 1 2 3 → 2 3 → 3 → 1 3 → 1 2 3
come_and_go() {
  "$1" 2 3
  sleep 1.5
  stop_instance 1
  "$1" 3
  sleep 1.5
  stop_instance 2
  restart_instance 1
  "$1" 1 3
  sleep 1.5
  restart_instance 2
  "$1" 1 2 3
  sleep 1
}

arrange_dns() {
  local n
  for n in 1 2 3; do echo "${address[$n]} drill.test"; done >"$work/hosts"
  launch dns "$load_core" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file --bind-interfaces \
    --listen-address=127.0.0.1 --port="${port[extra]}" --user="$(id -un)" --local=/test/ --local-ttl=0 --log-facility=/dev/null \
    --addn-hosts="$work/hosts"
  listens 127.0.0.1 "${port[extra]}"
  discover=${discover/DNS/${port[extra]}}
}

arrange_consul() {
  rm -f "$work/consul"
  faulty consul consul "$work/consul" "${port[consul]}"
  announce_consul 1 2 3
  discover=${discover/CONSUL/$(<"$work/consul")}
}
