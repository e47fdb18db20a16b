#!/usr/bin/env bash
# bench/fuzz/run.sh [EXECUTIONS] [COMPARISONS] [--save] [--corpus]: the fuzz tests of the reader of answers, for as long as asked.
# EXECUTIONS (default 10000000) go through the reader alone, COMPARISONS (default 1000000) through SocketsHttpHandler too; 10 minutes on two cores.
# --save keeps the result in bench/results, --corpus adds what was found to tests/Lintel.Transport.Tests/Http1/Fuzz/answers.txt.
# A failure prints the shortest answer that was found for it, and a seed: CsCheck_Seed=SEED repeats it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
numbers=() save='' corpus=''
for a in "$@"; do case $a in --save) save=1 ;; --corpus) corpus=1 ;; *) numbers+=("$a") ;; esac; done
export LINTEL_FUZZ_EXECUTIONS=${numbers[0]:-10000000} LINTEL_FUZZ_COMPARISONS=${numbers[1]:-1000000}
LINTEL_FUZZ_REPORT=$(mktemp)
export LINTEL_FUZZ_REPORT
[ -z "$corpus" ] || export LINTEL_FUZZ_CORPUS=$PWD/tests/Lintel.Transport.Tests/Http1/Fuzz/answers.txt
trap 'rm -f "$LINTEL_FUZZ_REPORT"' EXIT
dotnet build -c Release -v quiet -nologo tests/Lintel.Transport.Tests/Lintel.Transport.Tests.csproj >/dev/null
code=0
begin=$SECONDS
dotnet artifacts/bin/Lintel.Transport.Tests/release/Lintel.Transport.Tests.dll -noLogo -noColor -method '*.AnyAnswer_*' -method '*.AnyBytes_*' || code=$?
cat "$LINTEL_FUZZ_REPORT"
[ -z "$save" ] || {
  printf '# Fuzz of the reader of answers, %s\n\n`bench/fuzz/run.sh %s` at %s, %s cores, .NET %s, %s s, exit code %s\n\n' \
    "$(date +%F)" "$*" "$(git rev-parse --short HEAD)" "$(nproc)" "$(dotnet --version)" "$((SECONDS - begin))" "$code"
  cat "$LINTEL_FUZZ_REPORT"
} >"bench/results/$(date +%F)-fuzz.md"
exit $code
