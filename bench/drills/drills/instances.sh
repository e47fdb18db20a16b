# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file; the variables are those of reset_drill.
#
# Instances that die, hang, fail, slow down, restart.

why_kill() { echo "requests that meet the dead instance are refused or reset, and sent to another one; uploads that it had received fail."; }
strike_kill() {
  kill_instance 2
  sleep 4
  restart_instance 2
}

why_freeze() { echo "each request that waits for the frozen instance is given up after perTryTimeout (300 ms) and sent to another one, until two checks have failed; so the longest takes about 300 ms more than the others."; }
strike_freeze() {
  instance_signal STOP 2
  sleep 4
  instance_signal CONT 2
}

why_half() { echo "every failure is retried on another instance within the budget, until the share of failures ejects the instance; it comes back after each ejection, and fails again."; }
strike_half() { tell 2 half; }

why_rolling() { echo "an instance that stops ends its requests and closes its idle connections; a request that was just being sent over one of those goes out once more."; }
strike_rolling() {
  local n
  for n in 1 2 3; do
    stop_instance "$n"
    sleep 1
    restart_instance "$n"
    sleep 1
  done
}

why_slow() { echo "20 ms is normal, 200 ms is beyond perTryTimeout (100 ms): three attempts in a row eject the instance, and until then each costs 100 ms more. It is tried again after every ejection."; }
prepare_slow() { delay=20 per_try=100ms check_timeout=100ms; }
strike_slow() { tell 2 delay 200; }
judge_slow() {
  local p99
  judge_idempotent
  read -r -a p99 <<<"$(by_second get 8)"
  # The seconds of the report begin after the warm-up.
  local struck=$((strikes_at - warm))
  judge "${p99[struck + 2]} <= 100" "p99 is below 100 ms again 2 s after the instance is slow (${p99[struck + 2]})"
  note "p99 of \`get\` in each second, ms: ${p99[*]}; the instance is slow from second $((struck + 1)) on"
}

why_dead() { echo "nobody can answer for 2 s and until the instances are up; before and after that nothing fails. The breaker closes within half a second of their return."; }
strike_dead() {
  local n
  for n in 1 2 3; do kill_instance "$n"; done
  sleep 2
  for n in 1 2 3; do start_instance "$n"; done
  for n in 1 2 3; do ready_instance "$n"; done
}
judge_dead() {
  local lost last
  lost=$(by_second get 4)
  last=${lost##* }
  judge "$last == 0" "nothing fails in the last second ($last)"
  note "failed \`get\` in each second: $lost; shed: $(by_second get 5)"
}

why_herd() { echo "instances that were away for 4 s are not met by everything that has waited: the clients' connections bound what is under way, and each request opens at most one connection."; }
strike_herd() {
  local n
  for n in 1 2 3; do kill_instance "$n"; done
  sleep 4
  for n in 1 2 3; do start_instance "$n"; done
  for n in 1 2 3; do ready_instance "$n"; done
}
judge_herd() {
  local calls
  calls=$(calls_per_second)
  # 224 connections of clients, some with three calls; two services; checks open one connection each time.
  judge "$connections <= 600" "the instances get at most 600 connections ($connections)"
  judge "$busiest <= 1.5 * $calls" "the busiest second of the instances has at most 1.5 × the usual $calls requests ($busiest)"
}

# What the clients' requests are for the instances, without retries.
calls_per_second() {
  local kind share all=0
  for kind in "${mix[@]}"; do
    share=${kind#*=}
    share=$((rate * ${share%%:*} / 100))
    [[ $kind != composed=* ]] || share=$((share * 3))
    all=$((all + share))
  done
  echo "$all"
}
