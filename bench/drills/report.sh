# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# Tables, criteria, and why the numbers are right.

# total KIND FIELD: of the load; 3 answered, 4 failed, 5 shed, 6 p50, 8 p99, 9 p99.9, 10 longest, 11 p99 of those shed. 0 where there is none.
total() { awk -F'\t' -v kind="$1" -v field="$2" '$1 == kind && $2 == "total" { got = $field } END { print got == "" ? 0 : got }' "$work/load.txt"; }

# sum FIELD KIND…
sum() {
  local field=$1 kind all=0
  shift
  for kind in "$@"; do all=$((all + $(total "$kind" "$field"))); done
  echo "$all"
}

# by_second KIND FIELD: of each second of the load.
by_second() { awk -F'\t' -v kind="$1" -v field="$2" '$1 == kind && $2 ~ /^[0-9]+$/ { printf "%s%.0f", n++ ? " " : "", $field }' "$work/load.txt"; }

# judge CONDITION TEXT: several must all be met.
judge() {
  criterion+="${criterion:+; }$2"
  if awk "BEGIN { exit !($1) }"; then verdict=${verdict:-met}; else verdict=missed; fi
}

# Requests that may be sent twice: none fails. Uploads may, where an instance may have got them.
judge_idempotent() {
  local failed
  failed=$(($(sum 4 get composed grpc) + $(sum 5 get composed grpc)))
  judge "$failed == 0" "no idempotent request fails ($failed)"
}

judge_all() {
  local failed
  failed=$(($(sum 4 get composed grpc upload) + $(sum 5 get composed grpc upload)))
  judge "$failed == 0" "no request fails, uploads included ($failed)"
}

table_head() {
  {
    echo "| drill | contender | kind | answered | failed | shed | p50 ms | p99 ms | p99.9 ms | longest ms | criterion | |"
    echo "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |"
  } | tee "$work/table.md"
}

report_run() {
  awk -F'\t' -v drill="$1" -v contender="$contender" -v criterion="$criterion" -v verdict="$verdict" '
    $2 == "total" {
      printf "| %s | %s | %s | %d | %d | %d | %.2f | %.2f | %.1f | %.1f | %s | %s |\n", drill, contender, $1, $3, $4, $5, $6, $8, $9, $10, criterion, verdict == "missed" ? "**missed**" : verdict
      criterion = verdict = ""
    }' "$work/load.txt" | tee -a "$work/table.md"
  awk -F'\t' -v drill="$1" -v contender="$contender" '$2 == "why" { printf "| %s | %s | %s | %d | %s |\n", drill, contender, $1, $3, $4 }' "$work/load.txt" >>"$work/failures.md"
  [[ ! -s $work/note ]] || { sed "s/^/- \`$1\`, $contender: /" "$work/note" >>"$work/notes.md"; rm "$work/note"; }
}

# note TEXT: beside the table.
note() { echo "$*" >>"$work/note"; }

# After the table: what the numbers are made of.
report_rest() {
  {
    echo
    echo "Why these numbers are right:"
    echo
    local drill
    for drill in "${drills[@]}"; do echo "- \`$drill\`: $("why_${drill//-/_}")"; done
    if [[ -s $work/notes.md ]]; then
      echo
      echo "Beside the table:"
      echo
      cat "$work/notes.md"
    fi
    if [[ -s $work/failures.md ]]; then
      echo
      echo "What failed or was shed, as the clients saw it, the warm-up included:"
      echo
      echo "| drill | contender | kind | requests | |"
      echo "| --- | --- | --- | ---: | --- |"
      cat "$work/failures.md"
    fi
  } | tee "$work/rest.md"
}

# save_report: dated; a second run on one day gets a number instead of replacing the first.
save_report() {
  local commit stem number=2 file
  stem=$repo/bench/results/$(date -u +%F)-drills
  file=$stem.md
  while [[ -e $file ]]; do file=$stem-$((number++)).md; done
  commit=$(git -C "$repo" rev-parse --short HEAD 2>/dev/null || echo unknown)
  [[ -z $(git -C "$repo" status --porcelain -- . ':!bench/results' 2>/dev/null) ]] || commit="$commit and uncommitted changes"
  {
    echo "# Fault drills: $(date -u '+%F %H:%M') UTC"
    echo
    echo "\`$exact_command\` at $commit; $(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, $(uname -sr); nginx $(nginx -v 2>&1 | sed 's/.*nginx\///'), HAProxy $(haproxy -v | awk 'NR == 1 { print $3 }')."
    echo
    echo "$usual_rate requests/s unless the drill says otherwise, at a constant rate with latencies from when a request was due, for 2 + 12 s; the fault begins in the fifth second. Gateway on core $gateway_core; clients and instances on core $load_core, so p50 and p99 are those of a"
    echo "crowded core. \`lintel\` gets all kinds of requests (\`get\` forwarded, \`composed\` of three calls, \`grpc\` unary calls over HTTP/2 that their route declares idempotent, \`upload\` POST of 64 KiB); the others, and \`lintel-get\` for comparison, only \`get\`. Uploads are not idempotent: they"
    echo "may fail where an instance may have received them. The settings of all are in \`bench/drills/gateways.sh\`."
    echo
    cat "$work/table.md" "$work/rest.md"
  } >"$work/report.md"
  mv "$work/report.md" "$file"
  say "saved: $file"
}
