# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# Memory of keep-alive connections that have carried one request and wait for the next.

workload_idle() {
  local count=${IDLE_CONNECTIONS:-10000} name limit
  limit=$(ulimit -Hn)
  [[ $limit == unlimited ]] || ((limit >= count + 1000)) || die "$count connections need $((count + 1000)) descriptors a process; the hard limit is $limit"
  ulimit -Sn "$limit"
  build bench/clients/LoadClients.csproj
  choose lintel-many nginx yarp
  begin_rounds idle "contender connections pss_before_KiB pss_opened_KiB pss_settled_KiB pss_closed_KiB rss_before_KiB rss_settled_KiB"
  for name in "${contenders[@]}"; do hold "$name" "$count"; done
  section "Idle connections" < <(
    echo "| contender | KiB each | PSS before | opened | settled | closed again | RSS, KiB each |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    awk -F'\t' '!/^#/ { printf "| %s | **%.1f** | %.1f MiB | %.1f MiB | %.1f MiB | %.1f MiB | %.1f |\n", $1, ($5 - $3) / $2, $3 / 1024, $4 / 1024, $5 / 1024, $6 / 1024, ($8 - $7) / $2 }' "$work/$rounds_file"
    echo
    echo "$count connections, one GET on each, all kept open. Before \"before\" and before \"settled\" 4 other connections bring load for $settle_seconds s, and .NET is asked for a full collection. The kernel's own memory for sockets is not in these figures. nginx has its table of connections from its start."
  )
  target "$count idle connections" "KiB of memory each" "$(awk -F'\t' '$1 == "lintel-many" { printf "%.1f", ($5 - $3) / $2 }' "$work/$rounds_file")" "<=" 10
}

readonly settle_seconds=3

# hold NAME COUNT: one line of the workload's rounds.
hold() {
  local name=$1 count=$2 workers before opened settled closed rss_before rss_settled holder
  start "$name"
  warm "$name"
  working_pids "$name"
  settle "$name"
  before=$(memory_kib Pss "${workers[@]}") rss_before=$(memory_kib VmRSS "${workers[@]}")
  mkfifo "$work/hold-$name"
  taskset -c "$load_core" dotnet "$repo/artifacts/bin/LoadClients/release/LoadClients.dll" hold "${port[$name]}" "$path" "$count" <"$work/hold-$name" >"$work/held" 2>&1 &
  holder=$!
  exec 9>"$work/hold-$name" # as long as this is open, the connections are
  local deadline=$((SECONDS + 60))
  until grep -qx "open $count" "$work/held"; do
    kill -0 "$holder" 2>/dev/null && ((SECONDS < deadline)) || die "$name: the connections could not be opened: $(cat "$work/held")"
    sleep 0.2
  done
  opened=$(memory_kib Pss "${workers[@]}")
  settle "$name"
  settled=$(memory_kib Pss "${workers[@]}") rss_settled=$(memory_kib VmRSS "${workers[@]}")
  exec 9>&-
  wait "$holder" || die "$name: $(cat "$work/held")"
  settle "$name"
  closed=$(memory_kib Pss "${workers[@]}")
  printf '%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n' "$name" "$count" "$before" "$opened" "$settled" "$closed" "$rss_before" "$rss_settled" >>"$work/$rounds_file"
  say "$name: $(((settled - before) * 1024 / count)) bytes a connection"
  end "$name"
}

# settle NAME: a little load, the same each time, and a full collection; then a moment's rest.
settle() {
  connections=4
  load "$1" "$settle_seconds"
  connections=64
  case $1 in
    lintel* | yarp*) run "$work/collect" taskset -c "$load_core" dotnet "$repo/artifacts/bin/LoadClients/release/LoadClients.dll" collect "${pid[$1]}" || die "collect: $(cat "$work/collect")" ;;
  esac
  sleep 2 &
  wait $!
}
