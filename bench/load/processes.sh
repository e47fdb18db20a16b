# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources this file and sets work, repo, here.
#
# Processes and ports: everything started is a child of this shell and ends with it.

declare -A pid=() port=()

say() { echo "[bench] $*" >&2; }
die() { say "FAILED: $*"; exit 1; }

# Everything started runs in the background, so that the signal traps come through at once.
# jobs -p knows exactly those that have not ended yet: no pid of anybody else can be in it.
end_children() {
  local children i
  children=$(jobs -pr)
  # shellcheck disable=SC2086 # a list of pids
  [[ -z $children ]] || kill $children 2>/dev/null || true
  for ((i = 0; i < 50; i++)); do
    children=$(jobs -pr)
    [[ -n $children ]] || return 0
    sleep 0.1
  done
  # shellcheck disable=SC2086
  kill -KILL $children 2>/dev/null || true
}
trap 'trap "" INT TERM HUP; end_children; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# run LOG COMMAND...: in the background and waited for; interruptible, unlike a foreground command.
run() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  wait $!
}

# launch NAME CORES COMMAND...: pinned, until end_contenders or the end of this script. taskset becomes the command, so the pid is the command's;
# so must a wrapper.
wrapper=()
launch() {
  local name=$1 cores=$2
  shift 2
  ${wrapper[@]+"${wrapper[@]}"} taskset -c "$cores" "$@" >"$work/$name.log" 2>&1 &
  pid[$name]=$!
}

# end NAME: and wait until it is gone.
end() {
  kill "${pid[$1]}" 2>/dev/null || true
  wait "${pid[$1]}" 2>/dev/null || true
  unset "pid[$1]" "port[$1]"
}

# Between workloads: only the upstream stays.
end_contenders() {
  local name
  for name in "${!pid[@]}"; do [[ $name == upstream ]] || end "$name"; done
}

# Sets reply (a subshell would forget the cursor). Below the range that the kernel hands out to clients.
port_cursor=$((15000 + RANDOM % 8000))
free_port() {
  while ((++port_cursor)); do
    (: <"/dev/tcp/127.0.0.1/$port_cursor") 2>/dev/null || break
  done
  reply=$port_cursor
}

# install_missing PROGRAM...
install_missing() {
  local packages=() program as_root=()
  for program in "$@"; do
    command -v "$program" >/dev/null || case $program in
      h2load) packages+=(nghttp2-client) ;;
      dnsmasq) packages+=(dnsmasq-base) ;;
      *) packages+=("$program") ;;
    esac
  done
  ((${#packages[@]})) || return 0
  command -v apt-get >/dev/null || die "missing: ${packages[*]} (no apt-get here to install them with)"
  [[ $EUID -eq 0 ]] || as_root=(sudo)
  say "installing ${packages[*]}"
  run "$work/apt.log" "${as_root[@]}" apt-get update -qq || say "apt-get update failed; trying with the lists that are there"
  run "$work/apt.log" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${packages[@]}" ||
    die "apt-get install ${packages[*]}"$'\n'"$(tail -n 20 "$work/apt.log")"
}

# build PROJECT: Release, once, and no build server stays behind to disturb the measurement.
declare -A built=()
build() {
  [[ -z ${built[$1]:-} ]] || return 0
  [[ -e $repo/$1 ]] || die "$1 does not exist"
  say "building $1"
  run "$work/build.log" dotnet build "$repo/$1" -c Release -v quiet --disable-build-servers ||
    die "dotnet build $1"$'\n'"$(tail -n 20 "$work/build.log")"
  built[$1]=yes
}

# Sets workers to the processes that do the work: nginx's workers, otherwise the process itself.
working_pids() {
  local main=${pid[$1]}
  workers=("$main")
  [[ ${1%%-*} != nginx && $1 != upstream* ]] || read -r -a workers <<<"$(cat /proc/[0-9]*/stat 2>/dev/null |
    awk -v parent="$main" '{ id = $1; sub(/^.*\) /, ""); if ($2 == parent) printf "%s ", id }')"
  ((${#workers[@]})) || die "$1 has no working process"
}

# await NAME: until it answers rightly. Fails at once when the process ends, and after 30 s of wrong answers.
await() {
  local deadline=$((SECONDS + 30))
  until is_right "$1"; do
    kill -0 "${pid[$1]}" 2>/dev/null || die "$1 has ended:"$'\n'"$(tail -n 20 "$work/$1.log")"
    ((SECONDS < deadline)) || die "$1 does not answer as it should ($answer):"$'\n'"$(tail -n 20 "$work/$1.log")"
    sleep 0.2
  done
}
