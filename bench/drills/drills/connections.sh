# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file; the variables are those of reset_drill.
#
# Connections that cannot be established, end, or lose what they carry.

why_backlog() { echo "the kernel drops what wants to connect to a full queue: each attempt costs the connect timeout (300 ms), until three of them or two checks have taken the instance out."; }
strike_backlog() {
  kill_instance 2
  faulty i2 deaf "${address[2]}" "${port[http]}" "${port[grpc]}"
  sleep 4
  kill_instance 2
  restart_instance 2
}

why_rst() { echo "a connection that is reset before the response head is an attempt without an answer: what is idempotent goes to another instance. Each gRPC connection carries several calls, which all end with it."; }
strike_rst() {
  local n
  for n in 1 2 3; do tell "$n" rst 100; done
}

why_cut() { echo "a response that has begun cannot be taken back: of forwarded requests those that were cut fail, and all of them visibly; no client takes half an answer for a whole one. A composition reads its answers whole, and asks again."; }
strike_cut() { tell 2 cut 100; }
judge_cut() {
  local whole
  whole=$(awk -F'\t' '$2 == "why" && $4 !~ /closed within an answer|Reset|RST_STREAM|grpc-status|^50[0-9] / { all += $3 } END { print all + 0 }' "$work/load.txt")
  judge "$whole == 0" "each cut answer is visibly cut"
  [[ $contender != lintel ]] || judge "$(total composed 4) == 0" "no composition fails ($(total composed 4))"
}

why_fin() { echo "a connection that has ended is not used again, and a request that was just being sent over it goes out once more on a new one. With uploads the gateway cannot know whether they arrived, unless it sees the end first."; }
strike_fin() {
  local n
  for n in 1 2 3; do tell "$n" fin; done
}

why_loss() { echo "5 % of the packets to and from instance 2 are lost, and those to it are 200 ms late: its checks (250 ms) fail because a connection alone takes that long, and until then attempts are given up after 300 ms."; }
prepare_loss() { needs_root=yes strikes_at=1; }
arrange_loss() { start_network 200 5; }
strike_loss() { :; }
