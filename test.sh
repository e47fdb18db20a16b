#!/usr/bin/env bash
# Everything that must hold before a commit: installs what the tests need and the machine lacks, builds with warnings as
# errors, checks the format, runs every test. The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() { printf '%s\n' "== $1"; }
fail() { cat "$log"; echo "FAILED: $1"; echo "0 passed, 1 failed"; exit 1; }

step "servers that the tests talk to"
missing=()
[ -x /usr/sbin/nginx ] || missing+=(nginx-light)
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
dotnet build Lintel.slnx -c Release -v quiet >"$log" 2>&1 || fail "the build"

step "format"
dotnet format whitespace Lintel.slnx --verify-no-changes --no-restore >"$log" 2>&1 || fail "the format: run 'dotnet format whitespace Lintel.slnx'"

passed=0 failed=0
# Everything that goes over sockets runs twice: on the event loops, and on Kestrel's sockets and YARP's forwarder.
for run in Lintel.Transport.Tests Lintel.Tests Lintel.FunctionalTests Lintel.FunctionalTests:sockets; do
  suite=${run%:*}
  step "$run"
  transport=${run#"$suite"}
  LINTEL_TRANSPORT=${transport#:} dotnet "artifacts/bin/$suite/release/$suite.dll" -noLogo -noColor >"$log" 2>&1
  code=$?
  # Total: 12, Errors: 0, Failed: 1, Skipped: 0, …
  read -r total errors bad skipped < <(sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/p' "$log" | tail -1)
  if [ -z "${total:-}" ] || { [ "$code" != 0 ] && [ "$((errors + bad))" = 0 ]; } || [ "$total" = 0 ]; then
    fail "$suite did not run to its end (exit code $code)"
  fi
  [ "$((errors + bad))" = 0 ] || cat "$log"
  echo "$run: $((total - errors - bad - skipped)) passed, $((errors + bad)) failed, $skipped skipped"
  passed=$((passed + total - errors - bad - skipped))
  failed=$((failed + errors + bad))
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
