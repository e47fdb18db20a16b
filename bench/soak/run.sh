#!/usr/bin/env bash
# bench/soak/run.sh [MINUTES]: mixed protocols, aborts, failures and reloads against a real gateway; fails when memory grows or
# the clients' counts differ from the access log's and the metrics'. Prints a report; --save keeps it in bench/results.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
minutes=10 save=
for a in "$@"; do case $a in --save) save=1 ;; *) minutes=$a ;; esac; done
dotnet build -c Release -v quiet -nologo src/Lintel.Cli/Lintel.Cli.csproj >/dev/null
dotnet build -c Release -v quiet -nologo bench/soak/Soak.csproj >/dev/null
report=$(mktemp)
trap 'rm -f "$report"' EXIT
code=0
dotnet artifacts/bin/Soak/release/Soak.dll artifacts/bin/Lintel.Cli/release/Lintel.Cli.dll "$minutes" | tee "$report" || code=$?
[ -z "$save" ] || { printf '# Soak, %s\n\n`bench/soak/run.sh %s` at %s, %s cores\n\n' "$(date +%F)" "$minutes" "$(git rev-parse --short HEAD)" "$(nproc)"; cat "$report"; } >"bench/results/$(date +%F)-soak.md"
exit $code
