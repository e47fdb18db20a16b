# rounds.tsv -> one Markdown table, in the contenders' order of appearance. Plain POSIX awk: medians need a sort of our own.
# Columns: 1 contender, 2 round, 3 requests, 4 user µs/req, 5 sys µs/req, 6 req/s, 7 p50 ms, 8 p99 ms, 9 RSS MiB,
#          10 load core idle %, 11 gateway core idle %, 12 load core taken by others %, 13 gateway core taken by others %

BEGIN { FS = "\t" }

{
  if (!($1 in rounds)) order[++contenders] = $1
  n = ++rounds[$1]
  cpu[$1, n] = $4 + $5
  for (column = 4; column <= 13; column++) value[$1, column, n] = $column
  others = $12 > $13 ? $12 : $13
  if (others > 5) disturbed = disturbed sprintf("%s%s round %d: %.0f %%", disturbed ? ", " : "", $1, $2, others)
}

END {
  print "| contender | CPU µs/req (min–max) | user | sys | × yarp | × nginx | req/s | p50 ms | p99 ms | RSS MiB | load core idle | gateway core idle |"
  print "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
  for (i = 1; i <= contenders; i++) {
    c = order[i]
    for (n = 1; n <= rounds[c]; n++) list[n] = cpu[c, n]
    middle = median(list, rounds[c])   # sorts the list
    printf "| %s | **%.1f** (%.1f–%.1f) | %.1f | %.1f | %s | %s | %.0f | %.2f | %.2f | %.0f | %.0f %% | %.0f %% |\n", c, middle, list[1], list[rounds[c]],
      of(c, 4), of(c, 5), ratio(c, "yarp"), ratio(c, "nginx"), of(c, 6), of(c, 7), of(c, 8), of(c, 9), of(c, 10), of(c, 11)
  }
  if (disturbed) printf "\nDISTURBED: other processes took more than 5 %% of a core (%s). Repeat on a quiet machine.\n", disturbed
}

function of(c, column,    n, list) {
  for (n = 1; n <= rounds[c]; n++) list[n] = value[c, column, n]
  return median(list, rounds[c])
}

# The median of the ratios within each round, not the ratio of the medians: what disturbs a round disturbs both sides of its ratio.
function ratio(c, reference,    n, list) {
  if (!(reference in rounds)) return "–"
  for (n = 1; n <= rounds[c]; n++) list[n] = cpu[c, n] / cpu[reference, n]
  return sprintf("%.2f", median(list, rounds[c]))
}

function median(list, count,    i, j, held) {
  for (i = 2; i <= count; i++) {
    held = list[i]
    for (j = i - 1; j >= 1 && list[j] > held; j--) list[j + 1] = list[j]
    list[j + 1] = held
  }
  return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
}
