# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file and sets work, repo, address, delay.
#
# The instances i1 to i3: bench/faulty, one process each, so that a signal meets all of it.

choose_ports() {
  local name
  port=()
  # All instances have the same ports, on addresses of their own: as DNS gives them.
  for name in gateway h2c admin http grpc control1 control2 control3 extra consul; do
    free_port
    port["$name"]=$reply
  done
}

# listens ADDRESS PORT: waits until somebody does.
listens() {
  local i
  for ((i = 0; i < 600; i++)); do
    if (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; then return; fi
    sleep 0.05
  done
  die "nothing listens on $1:$2"$'\n'"$(tail -n 20 "$work"/*.log)"
}

# faulty NAME ARGUMENT…
faulty() {
  local name=$1
  shift
  launch "$name" "$load_core" dotnet "$repo/artifacts/bin/FaultyService/release/FaultyService.dll" "$@"
}

# start_instance N
start_instance() {
  [[ -z $network || $1 != 2 ]] || wrapper=(ip netns exec "$namespace")
  faulty "i$1" instance "${address[$1]}" "${port[http]}" "${port[grpc]}" "${port[control$1]}"
  wrapper=()
}

start_instances() {
  local n
  for n in 1 2 3; do start_instance "$n"; done
  for n in 1 2 3; do ready_instance "$n"; done
}

# ready_instance N: it listens, and takes as long as the drill says.
ready_instance() {
  listens "${address[$1]}" "${port[http]}"
  listens "${address[$1]}" "${port[grpc]}"
  ((delay == 0)) || tell "$1" delay "$delay"
}

restart_instance() {
  start_instance "$1"
  ready_instance "$1"
}

# tell N WORD…: to its control port; sets reply.
tell() {
  local n=$1
  shift
  say_to "${port[control$n]}" "$*"
}

say_to() {
  local control='' i
  for ((i = 0; i < 200; i++)); do
    if { exec {control}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; then break; fi
    sleep 0.05
  done
  [[ -n $control ]] || die "nobody takes orders on port $1"
  echo "$2" >&"$control"
  read -r reply <&"$control" || die "$2: no answer"
  exec {control}>&-
  [[ $reply != error* ]] || die "$2: $reply"
}

# instance_signal SIGNAL N…
instance_signal() {
  local signal=$1 n
  shift
  for n in "$@"; do kill "-$signal" "${pid[i$n]}"; done
}

# stop_instance N: requests under way end, then the process.
stop_instance() {
  instance_signal TERM "$1"
  wait "${pid[i$1]}" 2>/dev/null || true
  unset "pid[i$1]"
}

# kill_instance N
kill_instance() { finish "i$1"; }

# finish NAME: at once.
finish() {
  kill -KILL "${pid[$1]}" 2>/dev/null || true
  wait "${pid[$1]}" 2>/dev/null || true
  unset "pid[$1]"
}

# Sets requests, connections and busiest (requests of an instance's busiest second, summed) of what the instances have received.
count_instances() {
  local n got failed connected peak
  requests=0 connections=0 busiest=0
  for n in 1 2 3; do
    [[ -n ${pid[i$n]:-} && ${address[$n]} == 127.* ]] || continue
    tell "$n" count
    # shellcheck disable=SC2034 # failed has its place in the reply
    read -r got failed connected peak <<<"$reply"
    requests=$((requests + got)) connections=$((connections + connected)) busiest=$((busiest + peak))
  done
}
