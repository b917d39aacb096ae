"""SIGKILL the org: what was used once stays used, and a client's token goes on working."""

import time
from pathlib import Path

import httpx2
import pytest

from support.oauth import ASSERTION_TYPE, assertion, ec_key, hash_of, proof, rsa_key, service_app
from support.org import PROVIDERS, RISK_EVENTS, OrgProcess, event

pytestmark = pytest.mark.slow
BASE = "https://org.example"
TOKEN = "/oauth2/v1/token"
SCOPE = "okta.riskEvents.manage"


def form(client_id: str) -> dict[str, str]:
    text = assertion(client_id, BASE + TOKEN, rsa_key(), now=time.time())
    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text, "scope": SCOPE}
    return fields | {"grant_type": "client_credentials"}


def registered(admin: httpx2.Client) -> str:
    app = service_app("edge", rsa_key(), dpop_bound_access_tokens=True)
    client_id = str(admin.post("/oauth2/v1/clients", json=app).json()["client_id"])
    admin.post(f"/api/v1/apps/{client_id}/grants", json={"scopeId": SCOPE, "issuer": BASE})
    assert admin.post(PROVIDERS, json={"name": "edge", "clientId": client_id}).status_code == 201
    return client_id


def test_after_a_kill_nothing_works_twice(tmp_path: Path) -> None:
    data, key = tmp_path / "data", ec_key()
    with OrgProcess(data, "--url", BASE) as org, org.client(org.token()) as admin, org.client(None) as client:
        client_id = registered(admin)
        first = client.post(TOKEN, data=form(client_id), headers={"dpop": proof(key, BASE + TOKEN, now=time.time())})
        nonce = first.headers["dpop-nonce"]
        used_form, used_at_token = form(client_id), proof(key, BASE + TOKEN, now=time.time(), nonce=nonce)
        given = client.post(TOKEN, data=used_form, headers={"dpop": used_at_token})
        token = given.json()["access_token"]
        used_at_api = proof(key, BASE + RISK_EVENTS, now=time.time(), ath=hash_of(token))
        headers = {"authorization": f"DPoP {token}", "dpop": used_at_api}
        assert client.post(RISK_EVENTS, json=[event(("203.0.113.9", "HIGH"))], headers=headers).status_code == 202
        org.kill()
    with OrgProcess(data, "--url", BASE) as org, org.client(None) as client:
        replayed = client.post(RISK_EVENTS, json=[event(("203.0.113.9", "HIGH"))], headers=headers)
        assert replayed.json()["error_description"] == "The DPoP proof JWT has already been used."
        fresh = headers | {"dpop": proof(key, BASE + RISK_EVENTS, now=time.time(), ath=hash_of(token))}
        assert client.post(RISK_EVENTS, json=[event(("203.0.113.9", "LOW"))], headers=fresh).status_code == 202
        again = client.post(TOKEN, data=form(client_id), headers={"dpop": used_at_token})
        assert again.json()["error_description"] == "The DPoP proof JWT has already been used."
        new_proof = proof(key, BASE + TOKEN, now=time.time(), nonce=nonce)
        again = client.post(TOKEN, data=used_form, headers={"dpop": new_proof})
        assert again.json()["error_description"] == "The client_assertion token has already been used."
        log = org.log.read_text()
    assert token not in log
    assert used_form["client_assertion"] not in log
    for name in ("secret", "proofs.db", "uses.db", "proofs.boot"):
        assert (data / name).stat().st_mode & 0o777 == 0o600
