"""OAuth in the System Log: what was done is there, and nothing that lets anybody in."""

from pathlib import Path
from typing import Any

from support.oauth import ASSERTION_TYPE, assertion, rsa_key
from support.oauth_org import BASE, CLIENTS, MANAGE_EVENTS, TOKEN, OAuthOrg, oauth_org

REVOKE = "/oauth2/v1/revoke"


async def events(it: OAuthOrg) -> list[dict[str, Any]]:
    await it.org.projector.catch_up()
    found = (await it.admin.get("/api/v1/logs", params={"limit": "1000"})).json()
    assert isinstance(found, list)
    return found


async def test_what_clients_do_and_what_is_done_to_them(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        token = await it.access_token(app)
        assert (await it.post(TOKEN, it.token_form(app, "okta.logs.read"))).status_code == 400
        text = assertion(app, BASE + REVOKE, rsa_key(), now=it.now)
        form = {"token": token, "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
        assert (await it.post(REVOKE, form)).status_code == 200
        place = f"{CLIENTS}/{app}"
        with_secret = {"client_name": "edge-2"}
        secret = (await it.admin.put(place, json=with_secret)).json()["client_secret"]
        renewed = (await it.admin.post(f"{place}/lifecycle/newSecret")).json()["client_secret"]
        (grant,) = it.org.grants.of(app)
        await it.admin.delete(f"/api/v1/apps/{app}/grants/{grant.id}")
        await it.admin.delete(place)
        found = {event["eventType"]: event for event in await events(it)}
        assert [name for name in found if name.startswith("app.")] == [
            "app.oauth2.key.rollover",
            "app.oauth2.client.lifecycle.create",
            "app.oauth2.admin.consent.grant",
            "app.oauth2.token.grant.access_token",
            "app.oauth2.token.grant",
            "app.oauth2.token.revoke",
            "app.oauth2.client.lifecycle.update",
            "app.oauth2.credentials.lifecycle.create",
            "app.oauth2.admin.consent.revoke",
            "app.oauth2.client.lifecycle.delete",
        ]
        granted = found["app.oauth2.token.grant.access_token"]
        assert (granted["actor"]["id"], granted["actor"]["type"]) == (app, "PublicClientApp")
        assert granted["client"]["id"] == app
        assert granted["target"][0]["type"] == "access_token"
        assert granted["debugContext"]["debugData"]["grantedScopes"] == MANAGE_EVENTS
        refused = found["app.oauth2.token.grant"]
        assert refused["outcome"] == {"result": "FAILURE", "reason": "consent_required"}
        consent = found["app.oauth2.admin.consent.revoke"]
        assert consent["target"][0]["displayName"] == "edge-2"
        assert consent["debugContext"]["debugData"]["scope"] == MANAGE_EVENTS
        text_of_all = (await it.admin.get("/api/v1/logs", params={"limit": "1000"})).text
        for precious in (secret, renewed, token, form["client_assertion"]):
            assert precious not in text_of_all


async def test_a_client_reads_the_log_with_its_scope(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app("okta.logs.read")
        bearer = {"authorization": f"Bearer {await it.access_token(app, 'okta.logs.read')}"}
        assert (await it.request("GET", "/api/v1/logs", bearer)).status_code == 200
