# The median of one column of a contender's rounds.
BEGIN { FS = "\t" }
$1 == name && $column != "" { list[++n] = $column + 0 }
END { if (n) printf "%.4f", median(list, n) }
