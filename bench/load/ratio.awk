# The median of a's CPU per request over b's in the same round: what disturbs a round disturbs both sides of its ratio.
BEGIN { FS = "\t" }
$1 == a { ofA[$2] = $4 + $5 }
$1 == b { ofB[$2] = $4 + $5 }
END {
  for (round in ofA) if (round in ofB) list[++n] = ofA[round] / ofB[round]
  if (n) printf "%.3f", median(list, n)
}
