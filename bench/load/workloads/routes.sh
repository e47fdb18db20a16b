# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# The small GET with 10, 1 000 and 10 000 routes in the table.

workload_routes() {
  choose lintel-10 lintel-1000 lintel-10000
  compare routes
  section "Routes" < <(
    round_table lintel-10
    echo
    sentence "as the small GET; the number is that of the routes, which differ in their first segment"
  )
  target "1 000 routes" "CPU, × 10 routes" "$(ratio lintel-1000 lintel-10)" "<=" 1.1
  target "10 000 routes" "CPU, × 10 routes" "$(ratio lintel-10000 lintel-10)" "<=" 1.1
}
