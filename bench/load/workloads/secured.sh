# shellcheck shell=bash disable=SC2154 # run.sh sources this file.
#
# The small GET of callers with a token: Lintel verifies it, applies a rule to its scope and writes the access log; nginx writes its access log and forwards.
# The names say which tokens: one that is repeated, or tokens that are all new to the gateway (more than its cache holds), signed with RS256 or ES256.

workload_secured() {
  build bench/clients/LoadClients.csproj
  run "$work/tokens.log" dotnet "$repo/artifacts/bin/LoadClients/release/LoadClients.dll" tokens "$work/tokens" 20000 || die "tokens: $(cat "$work/tokens.log")"
  choose lintel-jwt lintel-jwt.RS256 lintel-jwt.ES256 lintel-log nginx-log
  local name
  begin_rounds secured
  for name in "${contenders[@]}"; do
    with_tokens "$name"
    start "$name"
    warm "$name"
  done
  for ((round = 1; round <= rounds; round++)); do
    for name in "${contenders[@]}"; do
      with_tokens "$name"
      measure "$name" "$round"
    done
  done
  with_tokens ''
  guards lintel-jwt
  section "Small GET with a token" < <(
    round_table nginx-log
    echo
    sentence "\`wrk -t1 -c$connections\`, a JWT of $(head -n 1 "$work/tokens/RS256.txt" | wc -c) bytes with each request, access log to a file"
    echo "lintel-jwt verifies one RS256 token again and again, and requires a scope; .RS256 and .ES256 get 20 000 tokens in turn, of which its cache holds half. lintel-log and nginx-log forward the token unread."
  )
  target "small GET, JWT (repeated) + authorization + access log" "CPU, × nginx with access log, without JWT" "$(ratio lintel-jwt nginx-log)" "<=" 1.15
}

# with_tokens NAME: what the next load sends to it; the first token of the file where the load is a single request.
with_tokens() {
  local algorithm=RS256
  [[ $1 != *.ES256 ]] || algorithm=ES256
  token=$(head -n 1 "$work/tokens/$algorithm.txt")
  curl_more=(-H "Authorization: Bearer $token") wrk_more=(-H "Authorization: Bearer $token")
  [[ $1 == *.* ]] || return 0
  cat >"$work/tokens/$algorithm.lua" <<END
local heads, at = {}, 0
for token in io.lines("$work/tokens/$algorithm.txt") do
  heads[#heads + 1] = "GET $path HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. token .. "\r\n\r\n"
end
request = function()
  at = at % #heads + 1
  return heads[at]
end
END
  wrk_more=(-s "$work/tokens/$algorithm.lua")
}

# guards NAME: it refuses what has no token, and a token that was changed.
guards() {
  [[ -n ${pid[$1]:-} ]] || return 0
  local header status
  for header in "X-None: 1" "Authorization: Bearer ${token%?????}AAAAA"; do
    status=$(curl -s -o "$work/answer" -w '%{http_code}' -H "$header" "http://127.0.0.1:${port[$1]}$path")
    [[ $status == 401 ]] || die "$1 answers $status to '${header:0:30}…' instead of 401"
  done
}
