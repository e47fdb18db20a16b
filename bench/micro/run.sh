#!/usr/bin/env bash
# bench/micro/run.sh [--full] [FILTER…]: micro benchmarks, for example `bench/micro/run.sh '*Routing*'`. The short job takes about 10 s
# a benchmark and shows differences of 10 %; --full takes longer and shows smaller ones. Tables also go to BenchmarkDotNet.Artifacts/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
full=() filters=()
for argument in "$@"; do
  case $argument in
    --full) full=(--full) ;;
    -h | --help) sed -n '2,3s/^# //p' "$0"; exit 0 ;;
    -*) echo "unknown: $argument (see --help)" >&2; exit 2 ;;
    *) filters+=("$argument") ;;
  esac
done
((${#filters[@]})) || filters=('*')
dotnet build bench/micro/Lintel.Benchmarks.csproj -c Release -v quiet -nologo
exec dotnet artifacts/bin/Lintel.Benchmarks/release/Lintel.Benchmarks.dll "${full[@]}" --filter "${filters[@]}" \
  --artifacts BenchmarkDotNet.Artifacts
