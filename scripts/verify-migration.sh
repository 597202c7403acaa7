#!/usr/bin/env bash
# The integration journey against a running Desk: a ticket, a job, preflight, sync, verify, and the gate from
# blocked over warning to ready_for_dns. Ends with one line that says how it went.
#
# Environment:
#   GATEPOST_URL            the Desk, e.g. https://desk.example.com          (default http://127.0.0.1:8080)
#   GATEPOST_CURL_CA        a CA file for it, where it has a certificate of its own
#   TECH_EMAIL, TECH_PASSWORD_FILE     a technician's log-in
#   LEAD_EMAIL, LEAD_PASSWORD_FILE     an ops lead's log-in
#   DOMAIN                  the domain to move                               (default: that of MAILBOX)
#   MAILBOX                 the mailbox's address
#   SOURCE_HOST, SOURCE_PORT, SOURCE_SECURITY, SOURCE_USER, SOURCE_PASSWORD_FILE
#   DEST_HOST, DEST_PORT, DEST_SECURITY, DEST_USER, DEST_PASSWORD_FILE
#   TENANT                  the customer's name                              (default "Integration test")
# Security is tls, starttls or plain (loopback only). Needs curl and jq. Exit 0 only when the gate opened.
set -euo pipefail

case "${1:-}" in -h|--help) sed -n '2,17p' "$0" | sed 's/^# \?//'; exit 0 ;; esac
for tool in curl jq; do command -v $tool >/dev/null || { echo "failed: $tool is missing: apt-get install $tool" >&2; exit 1; }; done

url=${GATEPOST_URL:-http://127.0.0.1:8080}/api/v1
: "${TECH_EMAIL:?}" "${TECH_PASSWORD_FILE:?}" "${LEAD_EMAIL:?}" "${LEAD_PASSWORD_FILE:?}" "${MAILBOX:?}"
: "${SOURCE_HOST:?}" "${SOURCE_PORT:?}" "${SOURCE_PASSWORD_FILE:?}" "${DEST_HOST:?}" "${DEST_PORT:?}" "${DEST_PASSWORD_FILE:?}"
domain=${DOMAIN:-${MAILBOX##*@}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' off=$'\e[0m'; else bold='' off=''; fi

step=0
step() { step=$((step + 1)); printf '%s%2d. %s%s\n' "$bold" "$step" "$*" "$off"; }
told() { printf '    %s\n' "$*"; }
fail() { printf 'FAILED at step %d: %s\n' "$step" "$*" >&2; exit 1; }

# call TOKEN METHOD PATH [JSON]: prints the body; $work/status holds the HTTP status. Secrets go by files, never argv.
call() {
  local args=(-sS -o "$work/body" -w '%{http_code}' -X "$2" -H "@$work/$1.header")
  [ -n "${GATEPOST_CURL_CA:-}" ] && args+=(--cacert "$GATEPOST_CURL_CA")
  if [ $# -gt 3 ]; then
    printf '%s' "$4" > "$work/request"
    args+=(-H 'Content-Type: application/json' --data-binary "@$work/request")
  fi
  curl "${args[@]}" "$url$3" > "$work/status" || fail "the Desk at $url did not answer"
  cat "$work/body"
}
expect() { # STATUS WHAT
  local got; got=$(cat "$work/status")
  [ "$got" = "$1" ] || fail "$2: HTTP $got instead of $1: $(jq -r '.detail // .' "$work/body" 2>/dev/null || cat "$work/body")"
}
log_in() { # NAME EMAIL PASSWORD_FILE
  : > "$work/$1.header"; chmod 600 "$work/$1.header"
  local body; body=$(jq -n --arg email "$2" --rawfile password "$3" '{email: $email, password: ($password | rtrimstr("\n"))}')
  call "$1" POST /auth/token "$body" > "$work/token"; expect 200 "log-in of $2"
  jq -r '"Authorization: Bearer " + .access_token' "$work/token" > "$work/$1.header"
}
gate() { call "$1" GET "/migration/gate?domain=$domain" > "$work/gate"; expect 200 "asking the gate"; jq -r .gate "$work/gate"; }

# wait_for_runs JSON: follows the runs to their ends, with progress.
wait_for_runs() {
  local id status line last=
  for id in $(jq -r '.run_ids[]' <<<"$1"); do
    while :; do
      call tech GET "/migration/runs/$id" > "$work/run"; expect 200 "reading run $id"
      status=$(jq -r .run.status "$work/run")
      line=$(jq -r '.run | "\(.run_type) \(.status)  \(.progress.done)/\(.progress.total) messages  \(.progress.bytes_done / 1e6 * 10 | floor / 10) MB"' "$work/run")
      if [ -t 1 ]; then printf '\r    %-70s' "$line"; elif [ "$line" != "$last" ]; then told "$line"; fi
      last=$line
      case $status in success|partial|failed) break ;; esac
      sleep 0.3
    done
    [ -t 1 ] && printf '\n'
    told "$(jq -r '.run.summary // ""' "$work/run")"
    [ "$status" = success ] || fail "run $id ended with $status"
  done
}

step "Log-in of a technician and an ops lead"
log_in tech "$TECH_EMAIL" "$TECH_PASSWORD_FILE"
log_in lead "$LEAD_EMAIL" "$LEAD_PASSWORD_FILE"
told "$TECH_EMAIL, $LEAD_EMAIL"

step "The gate of $domain before anything"
told "$(gate tech): $(jq -r .reason "$work/gate")"
[ "$(jq -r .gate "$work/gate")" = blocked ] || fail "an unknown domain must be blocked"

step "A ticket, and a job opened from it"
call tech GET "/tenants?per_page=200" > "$work/tenants"; expect 200 "tenants"
tenant=$(jq -r --arg name "${TENANT:-Integration test}" '[.items[] | select(.name == $name)][0].id // empty' "$work/tenants")
if [ -z "$tenant" ]; then
  tenant=$(call tech POST /tenants "$(jq -n --arg name "${TENANT:-Integration test}" '{name: $name}')" | jq -r .id); expect 201 "tenant"
fi
ticket=$(call tech POST /tickets "$(jq -n --argjson t "$tenant" --arg d "$domain" '{tenant_id: $t, subject: "Move \($d) to the new server"}')" | jq -r .id)
expect 201 "ticket"
body=$(jq -n --argjson tenant "$tenant" --argjson ticket "$ticket" --arg domain "$domain" --arg email "$MAILBOX" \
  --arg sh "$SOURCE_HOST" --argjson sp "$SOURCE_PORT" --arg ss "${SOURCE_SECURITY:-tls}" --arg su "${SOURCE_USER:-$MAILBOX}" --rawfile spw "$SOURCE_PASSWORD_FILE" \
  --arg dh "$DEST_HOST" --argjson dp "$DEST_PORT" --arg ds "${DEST_SECURITY:-tls}" --arg du "${DEST_USER:-$MAILBOX}" --rawfile dpw "$DEST_PASSWORD_FILE" '
  {domain: $domain, tenant_id: $tenant, ticket_id: $ticket, source_server_label: "old server",
   dest_imap_host: $dh, dest_imap_port: $dp, dest_imap_security: $ds,
   mailboxes: [{email: $email, source_type: "imap", source_host: $sh, source_port: $sp, source_security: $ss, source_user: $su,
                source_secret: {password: ($spw | rtrimstr("\n"))}, dest_user: $du, dest_secret: {password: ($dpw | rtrimstr("\n"))}}]}')
job=$(call tech POST /migration/jobs "$body" | jq -r .id); expect 201 "job"
told "ticket $ticket, job $job"

step "Preflight: both servers are looked at, nothing is changed"
runs=$(call tech POST "/migration/jobs/$job/preflight"); expect 202 "preflight"; wait_for_runs "$runs"
for kind in initial delta; do
  step "Sync: $kind"
  runs=$(call tech POST "/migration/jobs/$job/sync" "{\"type\": \"$kind\"}"); expect 202 "$kind sync"; wait_for_runs "$runs"
done

step "The gate before any proof"
told "$(gate tech): $(jq -r .reason "$work/gate")"
[ "$(jq -r .gate "$work/gate")" = blocked ] || fail "the gate must be blocked before verification"

step "Verify: both servers are read again"
runs=$(call tech POST "/migration/jobs/$job/verify" '{}'); expect 202 "verify"; wait_for_runs "$runs"
call tech GET "/migration/jobs/$job/verify" > "$work/evidence"; expect 200 "evidence"
jq -r '.mailboxes[].folders[] | "    \(.tally.arrived)/\(.tally.source)  \(.source_path) → \(.dest_path)"' "$work/evidence"
read -r source arrived < <(jq -r '"\(.totals.source) \(.totals.arrived)"' "$work/evidence")
told "$arrived of $source messages arrived"
[ "$source" -gt 0 ] && [ "$source" = "$arrived" ] || fail "$arrived of $source messages arrived"

step "The gate with proof, before approval"
told "$(gate tech): $(jq -r .reason "$work/gate")"
[ "$(jq -r .gate "$work/gate")" = warning ] || fail "the gate must be at warning"

step "Approval: refused to the technician, given by the ops lead"
call tech POST "/migration/jobs/$job/approve-gate" '{}' >/dev/null; expect 403 "a technician's approval"
evidence=$(jq .evidence_id "$work/evidence")
call lead POST "/migration/jobs/$job/approve-gate" "{\"evidence_id\": $evidence, \"note\": \"integration journey\"}" >/dev/null
expect 200 "the ops lead's approval"

step "The gate, as the set-up wizard asks it"
verdict=$(gate tech)
told "$verdict: $(jq -r .reason "$work/gate")"
[ "$verdict" = ready_for_dns ] && [ "$(jq .dns_allowed "$work/gate")" = true ] || fail "the gate is $verdict"
printf 'OK: %s of %s messages of %s are proved at the new server, and the gate of %s is ready_for_dns.\n' "$arrived" "$source" "$MAILBOX" "$domain"
