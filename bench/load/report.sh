# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# Tables and targets: what was measured, what it should be, and whether it is.

# section TITLE <text: a part of the report, shown at once and kept for the saved result.
section() {
  { echo "## $1"; echo; cat; echo; } | tee -a "$work/sections.md"
}

# round_table REFERENCE...: the rounds of the workload, with ratios to the references.
round_table() { awk -f "$here/median.awk" -f "$here/table.awk" -v unit="$unit" -v references="$*" "$work/$rounds_file"; }

# sentence: how the rounds came about.
sentence() {
  echo "Medians of $rounds rounds of $round_seconds s, interleaved, after $warm_seconds s of warm-up each; $1. Gateway on core $gateway_cores; load generator and upstream on core $load_cores."
}

# ratio A B: of CPU per request, the median of the ratios within each round; empty where one was not measured.
ratio() { awk -f "$here/median.awk" -f "$here/ratio.awk" -v a="$1" -v b="$2" "$work/$rounds_file"; }

# median_of NAME COLUMN: of the rounds of the workload; empty where it was not measured.
median_of() { awk -f "$here/median.awk" -f "$here/column.awk" -v name="$1" -v column="$2" "$work/$rounds_file"; }

# target WORKLOAD WHAT VALUE RELATION BOUND [NOTE]: RELATION is <= or >=; a VALUE that is empty was not measured.
target() {
  local verdict=missed
  if [[ -z $3 ]]; then verdict="not measured"
  elif awk -v v="$3" -v r="$4" -v b="$5" 'BEGIN { exit !(r == "<=" ? v <= b : v >= b) }'; then verdict=met; fi
  printf '%s\t%s\t%s\t%s %s\t%s\t%s\n' "$1" "$2" "${3:-–}" "${4/<=/≤}" "$5" "$verdict" "${6:-}" | sed 's/>=/≥/' >>"$work/targets.tsv"
}

target_table() {
  section "Targets" < <(
    echo "| workload | what | measured | target | | |"
    echo "| --- | --- | ---: | ---: | --- | --- |"
    awk -F'\t' '{ printf "| %s | %s | %s | %s | %s | %s |\n", $1, $2, $3, $4, $5 == "met" ? "met" : "**" $5 "**", $6 }' "$work/targets.tsv" 2>/dev/null || true
  )
}

report() {
  local commit settings file
  commit=$(git -C "$repo" rev-parse --short HEAD 2>/dev/null || echo unknown)
  [[ -z $(git -C "$repo" status --porcelain -- . ':!bench/results' 2>/dev/null) ]] || commit="$commit and uncommitted changes"
  settings=$(env | grep -E '^(DOTNET|COMPlus)_(Tiered|TC_|Ready|GC|gc|System|Thread|PROCESSOR)' | sort | paste -sd ' ' || true)
  echo "# Load, $mode: $(date -u '+%F %H:%M') UTC"
  echo
  # The verdicts are what one looks for first.
  awk '/^## Targets/ { on = 1 } on' "$work/sections.md"
  awk '/^## Targets/ { exit } { print }' "$work/sections.md"
  cat <<END
| | |
| --- | --- |
| command | \`$exact_command\` |
| commit | $commit |
| machine | $(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, $(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo) |
| kernel | $(uname -sr) |
| .NET | ASP.NET Core $(dotnet --list-runtimes | awk '$1 == "Microsoft.AspNetCore.App" && $2 ~ /^10\./ { version = $2 } END { print version }') (SDK $(dotnet --version)) |
| YARP | $(sed -n 's/.*"Yarp.ReverseProxy" Version="\([^"]*\)".*/\1/p' "$repo/Directory.Packages.props") |
| nginx | $(nginx -v 2>&1 | sed 's/.*nginx\///') |
| HAProxy | $(haproxy -v | awk 'NR == 1 { print $3 }') |
| wrk, h2load | $(wrk -v 2>&1 | awk 'NR == 1 { print $2 }'), $(h2load --version | awk '{ print $2 }') |
| .NET settings | ${settings:-defaults}; DOTNET_gcServer=0 |

Every round:

END
  for file in "$work"/*.tsv; do
    [[ ${file##*/} != targets.tsv ]] || continue
    printf '```tsv\n# %s\n' "$(basename "$file" .tsv)"
    cat "$file"
    echo '```'
  done
}

# save_report: dated; a second run on one day gets a number instead of replacing the first.
save_report() {
  local stem number=2 file
  stem=$repo/bench/results/$(date -u +%F)-load-$mode
  file=$stem.md
  while [[ -e $file ]]; do file=$stem-$((number++)).md; done
  mkdir -p "$repo/bench/results"
  report >"$work/report.md"
  mv "$work/report.md" "$file"
  say "saved: $file"
}
