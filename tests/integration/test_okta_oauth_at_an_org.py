"""Our SDK as a service app of our org, with and without DPoP."""

from typing import Any

import pytest

from support.oauth import ec_key, rsa_key, service_app
from support.org import PROVIDERS, OrgProcess
from tocsin import okta

pytestmark = pytest.mark.slow
SCOPES = ["okta.riskEvents.manage", "okta.riskProviders.read"]


@pytest.mark.parametrize("fields", [{}, {"dpop_bound_access_tokens": True}], ids=["plain", "dpop"])
def test_a_service_app_sends_and_reads(org: OrgProcess, fields: dict[str, Any]) -> None:
    key = ec_key() if fields else rsa_key()
    with org.client(org.token()) as admin:
        app = admin.post("/oauth2/v1/clients", json=service_app("edge", key, **fields)).json()["client_id"]
        for scope in SCOPES:
            admin.post(f"/api/v1/apps/{app}/grants", json={"scopeId": scope, "issuer": org.url})
        admin.post(PROVIDERS, json={"name": "edge", "clientId": app})
        configuration = okta.Configuration(
            host=org.url,
            client_id=app,
            private_key=key.as_pem(private=True).decode(),
            private_key_id="k0",
            scopes=SCOPES,
            dpop=bool(fields),
        )
        with okta.ApiClient(configuration) as client:
            subject = okta.RiskEventSubject(ip="203.0.113.9", risk_level="HIGH")
            for _ in range(2):
                okta.RiskEventApi(client).send_risk_events([okta.RiskEvent(subjects=[subject])])
            assert [one.name for one in okta.RiskProviderApi(client).list_risk_providers()] == ["Default", "edge"]
        logged = admin.get("/api/v1/logs", params={"filter": 'eventType eq "security.risk.signal.consume"'}).json()
        assert [event["actor"]["id"] for event in logged] == [app, app]
