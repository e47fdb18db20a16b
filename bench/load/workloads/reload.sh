# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# Hot reloads of 10 000 routes under half load: no request may fail, and the seconds of a reload may not be much slower than others.

workload_reload() {
  local name=lintel-10000 rate seconds generator_pid log i
  start "$name"
  warm "$name"
  load "$name" 3
  rate=$(awk -v full="$got_rate" 'BEGIN { printf "%d", full / 200 + 0.5 }')00
  seconds=$((5 * rounds + 5))
  await_quiet
  log=$work/$name.log
  cp "$log" "$work/before.log"
  build bench/clients/LoadClients.csproj
  pace "$name" "$rate" "$seconds" 64 &
  generator_pid=$!
  for ((i = 1; i <= rounds; i++)); do
    sleep 5 &
    wait $!
    # A route more each time, and the file exchanged whole, as deployments do it. Lintel watches it.
    { cat "$work/$name/config.yaml"; echo "  extra-$i: { match: \"GET /extra-$i\", forward: users }"; } >"$work/$name/next.yaml"
    mv "$work/$name/next.yaml" "$work/$name/config.yaml"
  done
  wait "$generator_pid" || true # failures are counted, not fatal: they are what is asked
  [[ -n $(paced 2) ]] || die "no report of the load: $(cat "$work/report")"
  tail -n "+$(($(wc -l <"$work/before.log") + 1))" "$log" | sed -nE 's/^([0-9T:.-]+Z).*Configuration applied.* ([0-9]+) ms.*/\1 \2/p' |
    while read -r at took; do echo "$(date -d "$at" +%s%3N) $took"; done >"$work/applied"
  [[ $(wc -l <"$work/applied") == "$rounds" ]] || die "$(wc -l <"$work/applied") of $rounds reloads were applied:"$'\n'"$(tail -n 20 "$log")"
  curl -sf "http://127.0.0.1:${port[$name]}/extra-$rounds" -o /dev/null -w '' || [[ $? == 22 ]] || die "the last configuration does not serve"
  begin_rounds reload "second_ms requests failed p50_ms p90_ms p99_ms p99.9_ms longest_ms"
  sed 's/\t/ /;s/ /\t/' "$work/report" >>"$work/$rounds_file"
  reload_seconds >"$work/reload.txt"
  section "Hot reload of 10 000 routes" < <(cat "$work/reload.txt"; echo; echo "$rounds reloads in $seconds s at $rate requests/s (half of full load) on one core, which compiles the configurations too. $(paced 2) requests, $(paced 3) failed.")
  target "hot reload of 10 000 routes" "failed requests" "$(paced 3)" "<=" 0
  target "hot reload of 10 000 routes" "worst p99 of a second with reload, × normal" "$(sed -n 's/^| worst p99, × normal | \([0-9.]*\).*/\1/p' "$work/reload.txt")" "<=" 3
}

# reload_seconds: the seconds that a reload touched against all the others.
reload_seconds() {
  awk -F'\t' -f "$here/median.awk" -f /dev/stdin "$work/applied" "$work/report" <<'END'
    FILENAME ~ /applied$/ { split($0, part, " "); ends[++reloads] = part[1]; begins[reloads] = part[1] - part[2]; took[reloads] = part[2]; next }
    $1 == "total" { next }
    {
      touched = 0
      for (i = 1; i <= reloads; i++) if (ends[i] >= $1 && begins[i] < $1 + 1000) touched = 1
      if (touched) { with[++n] = $6; if ($6 > worst) worst = $6; if ($8 > longest) longest = $8 } else { normal[++m] = $6; if ($8 > usual) usual = $8 }
    }
    END {
      usualP99 = median(normal, m)
      print "| | |\n| --- | ---: |"
      printf "| seconds without, with a reload | %d, %d |\n| a reload takes (median) | %d ms |\n", m, n, median(took, reloads)
      printf "| p99 without | %.3f ms |\n| p99 with a reload (median) | %.3f ms |\n", usualP99, median(with, n)
      printf "| worst p99 with a reload | %.3f ms |\n| worst p99, × normal | %.2f |\n", worst, worst / usualP99
      printf "| longest request without, with | %.1f ms, %.1f ms |\n", usual, longest
    }
END
}
