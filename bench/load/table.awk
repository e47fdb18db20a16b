# A workload's rounds -> one Markdown table, in the contenders' order of appearance. Needs median.awk; -v unit=, -v references="nginx yarp".
# Columns: 1 contender, 2 round, 3 requests, 4 user µs/req, 5 sys µs/req, 6 req/s, 7 p50 ms, 8 p99 ms, 9 RSS MiB,
#          10 load core idle %, 11 gateway core idle %, 12 load core taken by others %, 13 gateway core taken by others %

BEGIN { FS = "\t" }

!/^#/ {
  if (!($1 in rounds)) order[++contenders] = $1
  n = ++rounds[$1]
  cpu[$1, n] = $4 + $5
  for (column = 4; column <= 13; column++) value[$1, column, n] = $column
  others = $12 > $13 ? $12 : $13
  if (others > 5) disturbed = disturbed sprintf("%s%s round %d: %.0f %%", disturbed ? ", " : "", $1, $2, others)
}

END {
  count = split(references, reference, " ")
  printf "| contender | CPU µs/%s (min–max) | user | sys |", unit
  for (i = 1; i <= count; i++) printf " × %s |", reference[i]
  printf " %ss/s | p50 ms | p99 ms | RSS MiB | load core idle | gateway core idle |\n", unit
  for (i = 1; i <= 10 + count; i++) printf "| --- "
  print "|"
  for (i = 1; i <= contenders; i++) line(order[i])
  if (disturbed) printf "\nDISTURBED: other processes took more than 5 %% of a core (%s). Repeat on a quiet machine.\n", disturbed
}

function line(c,    n, middle, list) {
  for (n = 1; n <= rounds[c]; n++) list[n] = cpu[c, n]
  middle = median(list, rounds[c])   # sorts the list
  printf "| %s | **%.1f** (%.1f–%.1f) | %.1f | %.1f |", c, middle, list[1], list[rounds[c]], of(c, 4), of(c, 5)
  for (n = 1; n <= count; n++) printf " %s |", ratio(c, reference[n])
  printf " %.0f | %s | %s | %.0f | %.0f %% | %.0f %% |\n", of(c, 6), known(c, 7), known(c, 8), of(c, 9), of(c, 10), of(c, 11)
}

function of(c, column,    n, list) {
  for (n = 1; n <= rounds[c]; n++) list[n] = value[c, column, n] + 0
  return median(list, rounds[c])
}

function known(c, column) { return value[c, column, 1] == "" ? "–" : sprintf("%.2f", of(c, column)) }

# The median of the ratios within each round, not the ratio of the medians: what disturbs a round disturbs both sides of its ratio.
function ratio(c, against,    n, list) {
  if (!(against in rounds)) return "–"
  for (n = 1; n <= rounds[c]; n++) list[n] = cpu[c, n] / cpu[against, n]
  return sprintf("%.2f", median(list, rounds[c]))
}
