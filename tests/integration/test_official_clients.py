"""Official clients, unmodified and each in an environment of its own, against a real org."""

from typing import Any, NamedTuple

import pytest
from joserfc.jwk import RSAKey

from support.official import call_with_node, call_with_python
from support.org import OrgProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SUBJECT = {"ip": "198.51.100.41", "riskLevel": "HIGH", "message": "Password spraying."}
EVENT = {"timestamp": "2026-11-25T13:00:00.000Z", "subjects": [SUBJECT]}
EDGE = {"name": "edge-sensor", "clientId": "0oa4k2Yq8VfWn6Rsd0g7", "action": "log_only"}
ENFORCED = {**EDGE, "action": "enforce_and_log"}


def model(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"model": name, **fields}


def python_plan() -> list[list[Any]]:
    # The models of okta-sdk-python 3.0.0 want read-only fields too.
    read_only = {"id": "none", "_links": {}}
    event = model("RiskEvent", {**EVENT, "subjects": [model("RiskEventSubject", SUBJECT)]})
    return [
        ["list_risk_providers"],
        ["send_risk_events", [event]],
        ["create_risk_provider", model("RiskProvider", EDGE | read_only)],
        ["get_risk_provider", "$id"],
        ["replace_risk_provider", "$id", model("RiskProvider", ENFORCED | read_only)],
        ["delete_risk_provider", "$id"],
        ["get_risk_provider", "$id"],
    ]


def node_plan() -> list[list[Any]]:
    return [
        ["riskProviderApi", "listRiskProviders", {}],
        ["riskEventApi", "sendRiskEvents", {"instance": [EVENT]}],
        ["riskProviderApi", "createRiskProvider", {"instance": EDGE}],
        ["riskProviderApi", "getRiskProvider", {"riskProviderId": "$id"}],
        ["riskProviderApi", "replaceRiskProvider", {"riskProviderId": "$id", "instance": ENFORCED}],
        ["riskProviderApi", "deleteRiskProvider", {"riskProviderId": "$id"}],
        ["riskProviderApi", "getRiskProvider", {"riskProviderId": "$id"}],
    ]


def check(told: list[dict[str, Any]]) -> None:
    """Both clients were told the same, in the same order."""
    listed, sent, created, got, replaced, deleted, gone = told
    assert not [line for line in told[:-1] if "error" in line], told
    assert next(provider["name"] for provider in listed["value"]) == "Default"
    assert (sent["value"], deleted["value"]) == (None, None)
    assert {name: created["value"][name] for name in EDGE} == EDGE
    assert got["value"] == created["value"]
    assert replaced["value"]["action"] == "enforce_and_log"
    assert "Not found" in gone["error"] or "E0000007" in gone["error"]


def heard_of(org: OrgProcess, token: str) -> str:
    """The level of the subject that was sent."""
    with org.client(token) as client:
        view = client.get(f"/risk/v1/ips/{SUBJECT['ip']}").json()
        return str(client.get(f"/risk/v1/ips/{SUBJECT['ip']}?after={view['cursor']}").json()["level"])


def test_the_python_sdk_with_an_api_token(org: OrgProcess) -> None:
    token = org.token()
    config = {"orgUrl": org.url, "token": token, "authorizationMode": "SSWS"}
    check(call_with_python(config, [[call, arguments] for call, *arguments in python_plan()]))
    assert heard_of(org, token) == "HIGH"


def test_the_node_sdk_with_an_api_token(org: OrgProcess) -> None:
    token = org.token()
    check(call_with_node({"orgUrl": org.url, "token": token}, node_plan()))
    assert heard_of(org, token) == "HIGH"


def test_the_node_sdk_reads_the_system_log(org: OrgProcess) -> None:
    token = org.token()
    wanted = {"filter": 'eventType eq "system.api_token.create"'}
    (told,) = call_with_node({"orgUrl": org.url, "token": token}, [["systemLogApi", "listLogEvents", wanted]])
    (event,) = told["value"]
    assert (event["displayMessage"], event["target"][0]["displayName"]) == ("Create API token", "test")
    assert event["version"] == "0"


class App(NamedTuple):
    """A service app of an org."""

    client_id: str
    key: RSAKey
    token: str
    """An API token of the org."""

    @property
    def pem(self) -> str:
        return self.key.as_pem(private=True).decode()


def service_app(org: OrgProcess, *, dpop: bool, scopes: list[str]) -> App:
    """A service app with a key, grants for `scopes`, and the default provider bound to it."""
    token, key = org.token(), RSAKey.generate_key(2048, {"kid": "key-1"})
    with org.client(token) as client:
        made = client.post(
            "/oauth2/v1/clients",
            json={
                "client_name": "official",
                "application_type": "service",
                "grant_types": ["client_credentials"],
                "response_types": ["token"],
                "token_endpoint_auth_method": "private_key_jwt",
                "dpop_bound_access_tokens": dpop,
                "jwks": {"keys": [key.as_dict(private=False)]},
            },
        )
        assert made.status_code == 201, made.text
        client_id = made.json()["client_id"]
        for scope in scopes:
            granted = client.post(f"/api/v1/apps/{client_id}/grants", json={"scopeId": scope, "issuer": org.url})
            assert granted.status_code in (200, 201), granted.text
        (default,) = client.get("/api/v1/risk/providers").json()
        bound = {"name": "Default", "clientId": client_id, "action": "enforce_and_log"}
        assert client.put(f"/api/v1/risk/providers/{default['id']}", json=bound).status_code == 200
    return App(client_id, key, token)


SCOPES = ["okta.riskEvents.manage", "okta.riskProviders.manage", "okta.riskProviders.read"]


def test_the_python_sdk_with_a_private_key(org: OrgProcess) -> None:
    app = service_app(org, dpop=False, scopes=SCOPES)
    config = {
        "orgUrl": org.url,
        "authorizationMode": "PrivateKey",
        "clientId": app.client_id,
        "scopes": SCOPES,
        "privateKey": app.pem,
        "kid": "key-1",
        "token": "unused",  # 3.0.0 wants one in this mode too
    }
    check(call_with_python(config, [[call, arguments] for call, *arguments in python_plan()]))
    assert heard_of(org, app.token) == "HIGH"


@pytest.mark.parametrize("dpop", [False, True])
def test_the_node_sdk_with_a_private_key(org: OrgProcess, dpop: bool) -> None:
    app = service_app(org, dpop=dpop, scopes=SCOPES)
    config = {
        "orgUrl": org.url,
        "authorizationMode": "PrivateKey",
        "clientId": app.client_id,
        "scopes": SCOPES,
        "privateKey": app.pem,
        "keyId": "key-1",
    }
    check(call_with_node(config, node_plan()))
    assert heard_of(org, app.token) == "HIGH"


def test_a_newer_python_sdk_with_a_private_key_and_dpop(org: OrgProcess) -> None:
    """3.0.0 knows no DPoP, and the one that does has no risk APIs any more: the System Log will do."""
    app = service_app(org, dpop=True, scopes=["okta.logs.read"])
    config = {
        "orgUrl": org.url,
        "authorizationMode": "PrivateKey",
        "clientId": app.client_id,
        "scopes": ["okta.logs.read"],
        "privateKey": app.pem,
        "kid": "key-1",
        "dpopEnabled": True,
        "token": "unused",
    }
    (logged,) = call_with_python(config, [["list_log_events", []]], sdk="okta==3.4.6")
    assert "error" not in logged, logged
