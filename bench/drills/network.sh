# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file.
#
# An instance at the end of a bad path, and a gateway with less than it needs. All of it has names of this process, and ends with it.

readonly namespace=lintel-drill-$$ device=ldrill$$ group=lintel-drill-$$
network='' groups=()

# start_network DELAY_MS LOSS_PERCENT: instance 2 at the other end of a path of two TUN devices; no other link is touched.
start_network() {
  local net=10.$((64 + $$ % 64)).$((RANDOM % 250)) i
  ip netns add "$namespace"
  network=yes
  faulty path path "${device}a" "${device}b" "$1" "$2"
  for ((i = 0; i < 200; i++)); do
    [[ ! -e /sys/class/net/${device}b ]] || break
    sleep 0.05
  done
  ip link set "${device}b" netns "$namespace"
  ip address add "$net.1/30" dev "${device}a"
  ip link set "${device}a" up
  ip netns exec "$namespace" ip address add "$net.2/30" dev "${device}b"
  ip netns exec "$namespace" ip link set "${device}b" up
  ip netns exec "$namespace" ip link set lo up
  address[2]=$net.2
}

end_network() {
  [[ -n $network ]] || return 0
  # The devices end with the process that has opened them.
  ip netns del "$namespace" 2>/dev/null || true
  network=
}

# confine CONTROLLER FILE_OF_V1 VALUE_OF_V1 FILE_OF_V2 VALUE_OF_V2: the gateway gets no more. Sets limited to the group's folder.
confine() {
  local root=/sys/fs/cgroup
  if [[ -d $root/$1 ]]; then
    limited=$root/$1/$group
    mkdir -p "$limited"
    echo "$3" >"$limited/$2"
  else
    limited=$root/$group
    echo "+$1" >"$root/cgroup.subtree_control" 2>/dev/null || true
    mkdir -p "$limited"
    echo "$5" >"$limited/$4"
  fi
  groups+=("$limited")
  # shellcheck disable=SC2016 # expanded by the shell that enters the group
  limit=(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$limited")
}

end_groups() {
  local one i
  for one in ${groups[@]+"${groups[@]}"}; do
    for ((i = 0; i < 50; i++)); do
      if rmdir "$one" 2>/dev/null; then break; fi
      sleep 0.1
    done
  done
  groups=()
}
