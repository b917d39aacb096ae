#!/bin/sh
# The third-party risk provider integration, step by step with curl: from nothing to a risk event in the System Log.
#
#   ORG=http://127.0.0.1:8420 TOCSIN_TOKEN=... sh docs/third-party-guide.sh
#
# ORG is the org's URL, as `tocsin serve` prints it, and TOCSIN_TOKEN an API token of a super admin. Needs curl, openssl and python3 (to read JSON).
set -eu
: "${ORG:?is the URL of the org}" "${TOCSIN_TOKEN:?is an API token of a super admin}"
ORG=${ORG%/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*" >&2; }
# A request of the admin: method, path, then what curl takes. The token goes by a file: others can see arguments.
printf 'Authorization: SSWS %s\n' "$TOCSIN_TOKEN" > "$work/admin"
admin() { method=$1 path=$2; shift 2; curl -fsS -X "$method" -H @"$work/admin" -H 'Content-Type: application/json' "$@" "$ORG$path"; }
json() { python3 -c "import json, sys; text = sys.stdin.read() or sys.exit(1); value = json.loads(text); print($1)"; }
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

say '1. A key pair for the service app'
openssl genrsa -out "$work/key.pem" 2048 2> /dev/null
modulus=$(openssl rsa -in "$work/key.pem" -noout -modulus | cut -d= -f2)
n=$(python3 -c "import base64, sys; print(base64.urlsafe_b64encode(bytes.fromhex(sys.argv[1])).decode().rstrip('='))" "$modulus")

say '2. The service app, known by its public key'
name="risk provider $(date +%s) $$"
client=$(admin POST /oauth2/v1/clients -d '{
  "client_name": "'"$name"'", "application_type": "service",
  "grant_types": ["client_credentials"], "response_types": ["token"],
  "token_endpoint_auth_method": "private_key_jwt",
  "jwks": {"keys": [{"kty": "RSA", "kid": "key-1", "use": "sig", "alg": "RS256", "e": "AQAB", "n": "'"$n"'"}]}
}' | json 'value["client_id"]')
echo "client_id: $client"

say '3. Leave for it to send risk events'
admin POST "/api/v1/apps/$client/grants" -d '{"scopeId": "okta.riskEvents.manage", "issuer": "'"$ORG"'"}' |
  json '"granted: " + value["scopeId"]'

say '4. The default risk provider speaks for it, and what it says is enforced'
provider=$(admin GET /api/v1/risk/providers | json 'value[0]["id"]')
admin PUT "/api/v1/risk/providers/$provider" \
  -d '{"name": "Default", "clientId": "'"$client"'", "action": "enforce_and_log"}' |
  json 'value["id"] + " is " + value["action"]'

say '5. A client assertion: who asks, for whom, until when, signed with the private key'
now=$(date +%s)
header=$(printf '{"alg":"RS256","kid":"key-1"}' | base64url)
claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s/oauth2/v1/token","iat":%d,"exp":%d,"jti":"%s"}' \
  "$client" "$client" "$ORG" "$now" "$((now + 300))" "$(openssl rand -hex 16)" | base64url)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign "$work/key.pem" -binary | base64url)

say '6. An access token for it'
printf '%s.%s.%s' "$header" "$claims" "$signature" > "$work/assertion"
curl -fsS "$ORG/oauth2/v1/token" -d grant_type=client_credentials -d scope=okta.riskEvents.manage \
  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
  --data-urlencode client_assertion@"$work/assertion" > "$work/token.json"
json '"%s, %d s, %s" % (value["token_type"], value["expires_in"], value["scope"])' < "$work/token.json"
printf 'Authorization: Bearer %s\n' "$(json 'value["access_token"]' < "$work/token.json")" > "$work/bearer"

say '7. A risk event'
curl -fsS -o /dev/null -D "$work/answer" -H @"$work/bearer" -H 'Content-Type: application/json' \
  "$ORG/api/v1/risk/events/ip" -d '[{
    "timestamp": "'"$(date -u +%Y-%m-%dT%H:%M:%S.000Z)"'",
    "subjects": [{"ip": "203.0.113.77", "riskLevel": "HIGH", "message": "Detected a burst of failed sign-ins."}]
  }]'
head -n 1 "$work/answer"

say '8. Found in the System Log'
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  admin GET /api/v1/logs -G --data-urlencode 'filter=eventType eq "security.risk.signal.consume"' \
    --data-urlencode "q=203.0.113.77" --data-urlencode sortOrder=DESCENDING --data-urlencode limit=1 > "$work/log.json"
  [ "$(json 'len(value)' < "$work/log.json")" = 1 ] && break
  sleep 0.3
done
json 'value[0]["eventType"] + " by " + value[0]["actor"]["displayName"] + ": " + value[0]["debugContext"]["debugData"]["riskSignalList"]' \
  < "$work/log.json"
