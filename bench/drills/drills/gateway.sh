# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file; the variables are those of reset_drill.
#
# More than the service or the gateway can do, and changes meanwhile.

why_crowd() { echo "six requests at a time, 20 ms each, are 300 requests/s; clients send 3 000. limits admits six, keeps 12 waiting (40 ms), and refuses the rest at once. Without limits every request would wait for all before it."; }
prepare_crowd() {
  peers=no rate=3000 delay=20 limits='{ concurrent: 6, queue: 12, queueTimeout: 200ms }'
  mix=(get=100:128)
}
begin_crowd() {
  local n
  for n in 1 2 3; do tell "$n" capacity 3; done
}
strike_crowd() { :; }
judge_crowd() {
  judge "$(total get 4) == 0" "nothing fails otherwise than with 503 and Retry-After ($(total get 4))"
  judge "$(total get 8) <= 120" "p99 of those admitted at most 120 ms: 20 of work, 40 in the queue, and as much again for the crowded core ($(total get 8))"
  judge "$(total get 11) <= 20" "p99 of refusals at most 20 ms ($(total get 11))"
  judge "$(total get 3) >= 0.8 * 300 * $seconds" "at least 80 % of what the instances can do is done ($(total get 3))"
}

why_storm() { echo "half of all attempts fail, everywhere, so there is no better instance. The budget bounds retries to a fifth of the requests and 3 per second; the rest of the failures is passed on."; }
begin_storm() {
  local n
  for n in 1 2 3; do tell "$n" half; done
}
strike_storm() { :; }
judge_storm() {
  local expected
  expected=$(($(calls_per_second) * (warm + seconds)))
  expected=$((expected + before)) # the budget knows the requests of the last ten seconds, those before the drill too
  # Two services with a budget each.
  judge "$requests <= 1.2 * $expected + 6 * ($warm + $seconds)" "at most 1.2 × the clients' $expected calls, and 3 retries per second and service, reach the instances ($requests)"
}

why_fifth_cpu() { echo "warm, with a fifth of a core from then on, and more requests than it can do: who cannot be served in time is told so, and the gateway lives and answers its health checks. A refusal costs about half as much as a small forwarded request: the more requests come, the less is left for those that are served."; }
prepare_fifth_cpu() {
  peers=no needs_root=yes warming=15 strikes_at=1 seconds=15 rate=$((usual_rate * 2))
  mix=(get=90:256 composed=5:64 grpc=5:64)
}
arrange_fifth_cpu() { confine cpu cpu.cfs_quota_us -1 cpu.max "max 100000"; }
# A cold gateway would be compiling instead: .NET's compiler wants some ten seconds of CPU time, which are a minute here.
begin_fifth_cpu() { confine cpu cpu.cfs_quota_us 20000 cpu.max "20000 100000"; }
strike_fifth_cpu() { watch_health; }
judge_fifth_cpu() { judge_survival; }

why_200MiB() { echo "uploads, compositions and 1 200 connections to instances that take 100 ms, in 200 MiB: who gets no memory is refused, and the process is not killed."; }
prepare_200MiB() {
  peers=no needs_root=yes rate=$((usual_rate * 2)) delay=100 strikes_at=1 seconds=15
  mix=(get=40:400 composed=30:400 upload=30:400)
}
arrange_200MiB() { confine memory memory.limit_in_bytes 200M memory.max 200M; }
strike_200MiB() { watch_health; }
judge_200MiB() {
  judge_survival
  [[ ! -r $limited/memory.max_usage_in_bytes ]] || note "at most $(($(<"$limited/memory.max_usage_in_bytes") / 1048576)) MiB, of which the kernel counts the page cache too"
}

# Asks for the gateway's health twice a second while the load lasts; sets asked and unhealthy.
watch_health() {
  asked=0 unhealthy=0
  while kill -0 "${pid[load]}" 2>/dev/null; do
    asked=$((asked + 1))
    curl -sf --max-time 1 -o /dev/null "http://127.0.0.1:${port[admin]}/health/live" || unhealthy=$((unhealthy + 1))
    sleep 0.5
  done
}

judge_survival() {
  local alive=1 after='' tries
  kill -0 "${pid[gateway]}" 2>/dev/null || alive=0
  judge "$alive" "the gateway lives"
  judge "$unhealthy == 0" "its health is answered within 1 s ($((asked - unhealthy)) of $asked)"
  judge "$(sum 3 get composed grpc upload) > 0" "it serves some meanwhile ($(sum 3 get composed grpc upload))"
  for ((tries = 0; tries < 50; tries++)); do
    after=$(curl -s --max-time 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:${port[gateway]}/a" || true)
    [[ $after != 200 ]] || break
    sleep 0.2
  done
  judge "${after:-0} == 200" "it serves all within 10 s of the load's end ($after after $((tries / 5)) s)"
}

why_reloads() { echo "a request ends on the configuration that it began with, and a service that is configured anew keeps its connections."; }
prepare_reloads() { peers=no seconds=25 strikes_at=3; }
strike_reloads() {
  local i applied tries
  cp "$work/lintel.yaml" "$work/first.yaml"
  for ((i = 1; i <= 200; i++)); do
    # The route and the services change each time.
    sed "s/X-Generation: \"0\"/X-Generation: \"$i\"/; s/request: 2s/request: $((2000 + i))ms/" "$work/first.yaml" >"$work/next.yaml"
    mv "$work/next.yaml" "$work/lintel.yaml"
    kill -HUP "${pid[gateway]}"
    for ((tries = 0; tries < 100; tries++)); do
      applied=$(reloads_applied)
      ((applied <= i)) || break
      sleep 0.01
    done
  done
}
reloads_applied() {
  curl -s "http://127.0.0.1:${port[admin]}/metrics" | awk '/^lintel_config_reloads_total.*applied/ { n = $NF } END { print n + 0 }'
}
judge_reloads() {
  local applied
  applied=$(reloads_applied)
  judge "$applied >= 200" "200 reloads ($applied with the start)"
  judge_all
}
