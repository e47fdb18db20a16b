#!/usr/bin/env bash
# bench/soak/run.sh [MINUTES]: mixed protocols, aborts, failures and reloads against a real gateway; fails when memory grows or
# the clients' counts differ from the access log's and the metrics'. Prints a report; --save keeps it in bench/results.
# SOAK_MEMORY=300M puts the gateway into a cgroup of that size (needs root).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
minutes=10 save=
for a in "$@"; do case $a in --save) save=1 ;; *) minutes=$a ;; esac; done
dotnet build -c Release -v quiet -nologo src/Lintel.Cli/Lintel.Cli.csproj >/dev/null
dotnet build -c Release -v quiet -nologo bench/soak/Soak.csproj >/dev/null
report=$(mktemp)
trap 'rm -f "$report"; [ -z "${SOAK_CGROUP:-}" ] || rmdir "$SOAK_CGROUP"' EXIT
if [ -n "${SOAK_MEMORY:-}" ]; then
  if [ -d /sys/fs/cgroup/memory ]; then root=/sys/fs/cgroup/memory limit=memory.limit_in_bytes; else root=/sys/fs/cgroup limit=memory.max; fi
  export SOAK_CGROUP=$root/lintel-soak-$$
  mkdir "$SOAK_CGROUP"
  echo "$SOAK_MEMORY" >"$SOAK_CGROUP/$limit"
fi
code=0
dotnet artifacts/bin/Soak/release/Soak.dll artifacts/bin/Lintel.Cli/release/Lintel.Cli.dll "$minutes" | tee "$report" || code=$?
[ -z "$save" ] || { printf '# Soak, %s\n\n`%sbench/soak/run.sh %s` at %s, %s cores\n\n' "$(date +%F)" "${SOAK_MEMORY:+SOAK_MEMORY=$SOAK_MEMORY }" "$minutes" "$(git rev-parse --short HEAD)" "$(nproc)"; cat "$report"; } >"bench/results/$(date +%F)-soak.md"
exit $code
