#!/usr/bin/env bash
# Everything that must hold before a commit: installs what the tests need and the machine lacks, builds with warnings as
# errors, checks the format, runs every test. The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1
# No process here lives long enough for instrumented code to pay for itself: of the compiler's processor time it takes two fifths.
export DOTNET_TieredPGO=0
work=$(mktemp -d)
log=$work/log
trap 'rm -rf "$work"' EXIT

begun=$SECONDS
step() { printf '%s\n' "== $1"; begun=$SECONDS; }
fail() { cat "$log"; echo "FAILED: $1"; echo "0 passed, 1 failed"; exit 1; }
took() { echo "   $((SECONDS - begun)) s"; }

step "servers that the tests talk to"
missing=()
[ -x /usr/sbin/nginx ] || missing+=(nginx-light)
[ -x /usr/sbin/dnsmasq ] || missing+=(dnsmasq-base)
command -v curl >/dev/null || missing+=(curl)
command -v promtool >/dev/null || missing+=(prometheus)
command -v h2load >/dev/null || missing+=(nghttp2-client)
command -v openssl >/dev/null || missing+=(openssl)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
[ -x /usr/bin/chromium ] || missing+=(chromium)
command -v bwrap >/dev/null || missing+=(bubblewrap)
command -v systemd-analyze >/dev/null || missing+=(systemd)
if [ ${#missing[@]} -gt 0 ]; then
  as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
  # Packages start their server on the default port unless a policy says no; the tests start their own on free ones.
  if ! { "${as_root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    fail "could not install ${missing[*]}"
  fi
fi

step "Node packages that the tests use"
node=tests/Lintel.FunctionalTests/node
if ! cmp -s "$node/package-lock.json" "$node/node_modules/.installed"; then
  (cd "$node" && npm ci --no-audit --no-fund) >"$log" 2>&1 || fail "npm ci in $node"
  cp "$node/package-lock.json" "$node/node_modules/.installed"
fi

step "build, warnings as errors"
# One compiler for all projects: half of the time. One heap with much room for what is new: a tenth of the compiler's processor time.
DOTNET_gcServer=0 DOTNET_GCgen0size=0x8000000 \
  dotnet build Lintel.slnx -c Release -v quiet -p:UseSharedCompilation=true >"$log" 2>&1 || fail "the build"
took

step "the program, compiled beforehand as the image has it"
# The tests start it again and again, each time for less processor time. What the build has made is taken as it is, and was analyzed.
case $(uname -m) in aarch64) machine=linux-arm64 ;; *) machine=linux-x64 ;; esac
dotnet publish src/Lintel.Cli -c Release -v quiet -p:UseAppHost=false -p:ReadyToRunFor=$machine -p:UseSharedCompilation=true \
  -p:RunAnalyzers=false -o artifacts/publish/test >"$log" 2>&1 || fail "publishing the program"
export LINTEL_PROGRAM=$PWD/artifacts/publish/test/Lintel.Cli.dll
# The compiler has done its work: the tests want its memory.
dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1
took

# Beside the tests, most of which wait.
{ dotnet tool restore && dotnet csharpier check .; } >"$work/format" 2>&1 &
format=$!

# The blocks of the tests that failed, as the runner printed them: from the line that ends in [FAIL] on, while lines are indented further.
failures() { awk '/^    [^ ].*\[FAIL\]$/ { shows = 1; print; next } shows && /^      / { print; next } { shows = 0 }' "$1"; }

# run LABEL SUITE [OPTION…]: adds to $work/totals and $work/failed, and prints all that it has to say at once.
run() {
  local label=$1 suite=$2 log=$work/$1.log begun=$SECONDS code total errors bad skipped
  shift 2
  dotnet "artifacts/bin/$suite/release/$suite.dll" -noLogo -noColor "$@" >"$log" 2>&1
  code=$?
  # Total: 12, Errors: 0, Failed: 1, Skipped: 0, …
  read -r total errors bad skipped < <(sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/p' "$log" | tail -1)
  bad=$((errors + bad))
  {
    if [ -z "${total:-}" ] || [ "$total" = 0 ] || { [ "$code" != 0 ] && [ "$bad" = 0 ]; }; then
      failures "$log"
      tail -n 100 "$log"
      echo "$label: did not run to its end (exit code $code)" | tee -a "$work/failed"
      total=1 bad=1 skipped=0
    elif [ "$bad" != 0 ]; then
      failures "$log" | tee "$log.blocks"
      grep -E '^    [^ ].*\[FAIL\]$' "$log.blocks" | sed -E "s/^ +(.*) \[FAIL\]$/$label: \1/" >>"$work/failed"
      [ -s "$log.blocks" ] || { tail -n 200 "$log"; echo "$label: $bad without a name" >>"$work/failed"; }
    fi
    echo "$label: $((total - bad - skipped)) passed, $bad failed, $skipped skipped, $((SECONDS - begun)) s"
  } >"$log.report"
  cat "$log.report"
  echo "$((total - bad - skipped)) $bad" >>"$work/totals"
}

step "tests"
# One suite after the other: side by side they take as long, for both cores are busy with one already, and what is bound by time fails.
run Lintel.Transport.Tests Lintel.Transport.Tests
run Lintel.Tests Lintel.Tests
# Sockets are slow and code runs once: what is compiled is not compiled a second time for speed (a quarter of the processor time).
# What goes over sockets runs twice: on the event loops, and on Kestrel's sockets and YARP's forwarder. Classes say whether they depend on it.
export DOTNET_TC_CallCounting=0
LINTEL_TRANSPORT='' run Lintel.FunctionalTests:loops Lintel.FunctionalTests
LINTEL_TRANSPORT=sockets run Lintel.FunctionalTests:sockets Lintel.FunctionalTests -trait- Transport=any
took

step "format"
if ! wait "$format"; then
  cat "$work/format"
  echo "format: run 'dotnet tool restore && dotnet csharpier format .'" | tee -a "$work/failed"
  echo "0 1" >>"$work/totals"
fi

if [ -s "$work/failed" ]; then
  echo "== failed"
  cat "$work/failed"
fi
echo "all of it took $SECONDS s"
read -r passed failed < <(awk '{ passed += $1; failed += $2 } END { print passed, failed }' "$work/totals")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
