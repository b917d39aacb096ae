"""OAuth clients and their grants, as an admin and as a client with the scopes sees them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.oauth import ec_key, jwk_of, rsa_key, service_app
from support.oauth_org import BASE, CLIENTS, MANAGE_EVENTS, TOKEN, oauth_org
from support.org import RISK_EVENTS
from tocsin.org.config import OAuth, OrgConfig
from tocsin.org.oauth.grants import GrantTable
from tocsin.org.oauth.metadata import ClientBody, KeySetBody, checked
from tocsin.org.oauth.refusals import OAuthRefused
from tocsin.org.records import Role, local_deed

TAKEN = "client_name: An object with this field already exists in the current organization"


async def test_the_life_of_a_service_app(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        private: dict[str, Any] = {**rsa_key().as_dict(private=True)}
        wanted = service_app("edge", unknown=1) | {
            "jwks": {"keys": [{**private, "kid": "k-2026", "use": "sig", "alg": "RS256"}]}
        }
        created = await it.admin.post(CLIENTS, json=wanted)
        client = created.json()
        assert (created.status_code, created.headers["x-rate-limit-limit"]) == (201, "100")
        assert re.fullmatch("0oa[0-9A-Za-z]{17}", client["client_id"])
        key = {"kty": "RSA", "kid": "k-2026", "use": "sig", "e": private["e"], "n": private["n"]}
        assert list(client.items()) == list({
            "client_id": client["client_id"], "client_id_issued_at": 1770000000, "client_name": "edge",
            "client_uri": None, "logo_uri": None, "redirect_uris": [], "response_types": ["token"],
            "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
            "application_type": "service", "jwks": {"keys": [key]},
        }.items())  # fmt: skip
        place = f"{CLIENTS}/{client['client_id']}"
        assert (await it.admin.get(place)).json() == client
        assert all(private["d"].encode() not in entry.body for entry in await it.org.journal.read())
        replaced = await it.admin.put(place, json=service_app("edge-2", ec_key(), dpop_bound_access_tokens=True))
        assert replaced.status_code == 200
        assert replaced.json()["client_name"] == "edge-2"
        assert replaced.json()["dpop_bound_access_tokens"] is True
        assert list(replaced.json()["jwks"]["keys"][0]) == ["kty", "kid", "use", "crv", "x", "y"]
        assert replaced.json()["client_id_issued_at"] == client["client_id_issued_at"]
        no_secret = await it.admin.post(f"{place}/lifecycle/newSecret")
        assert (no_secret.status_code, no_secret.json()["error"]) == (400, "invalid_client_metadata")
        deleted = await it.admin.delete(place)
        assert (deleted.status_code, deleted.content) == (204, b"")
        for method, path in (
            ("GET", place),
            ("PUT", place),
            ("DELETE", place),
            ("POST", f"{place}/lifecycle/newSecret"),
        ):
            gone = await it.admin.request(method, path, json=wanted)
            assert (gone.status_code, gone.json()["errorCode"]) == (404, "E0000007")
            text = f"Not found: Resource not found: {client['client_id']} (PublicClientApp)"
            assert gone.json()["errorSummary"] == text


async def test_a_secret_is_told_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        created = (await it.admin.post(CLIENTS, json={"client_name": "web"})).json()
        defaults = ("application_type", "grant_types", "response_types", "token_endpoint_auth_method")
        assert [created[name] for name in defaults] == ["web", ["authorization_code"], ["code"], "client_secret_basic"]
        place, secret = f"{CLIENTS}/{created['client_id']}", created["client_secret"]
        assert re.fullmatch("[0-9A-Za-z]{40}", secret)
        assert created["client_secret_expires_at"] == 0
        read = (await it.admin.get(place)).json()
        assert "client_secret" not in read
        assert read["client_secret_expires_at"] == 0
        renewed = await it.admin.post(f"{place}/lifecycle/newSecret")
        assert (renewed.status_code, renewed.json()["client_secret"] != secret) == (200, True)
        kept = it.org.clients.get(created["client_id"])
        assert kept is not None
        assert kept.has_secret(renewed.json()["client_secret"])
        assert not kept.has_secret(secret)
        same = (await it.admin.put(place, json={"client_name": "web"})).json()
        assert "client_secret" not in same
        public = (await it.admin.put(place, json={"client_name": "web", "token_endpoint_auth_method": "none"})).json()
        assert "client_secret_expires_at" not in public
        again = (await it.admin.put(place, json={"client_name": "web"})).json()
        assert len(again["client_secret"]) == 40
        everything = b"".join([entry.body for entry in await it.org.journal.read()])
        for told in (secret, renewed.json()["client_secret"], again["client_secret"]):
            assert told.encode() not in everything
            assert told not in repr(it.org.clients.get(created["client_id"]))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (ClientBody(), "client_name: The field cannot be left blank"),
        (ClientBody(client_name=" "), "client_name: The field cannot be left blank"),
        (ClientBody(client_name="a\nb"), "client_name: The field has an invalid value"),
        (ClientBody("a", application_type="robot"), "application_type: The field has an invalid value"),
        (ClientBody("a", "service", grant_types=["password"]), "grant_types: The field has an invalid value"),
        (ClientBody("a", grant_types=["x"]), "grant_types: The field has an invalid value"),
        (ClientBody("a", response_types=["x"]), "response_types: The field has an invalid value"),
        (ClientBody("a", token_endpoint_auth_method="x"), "token_endpoint_auth_method: The field has an invalid value"),
        (ClientBody("a", redirect_uris=["x" * 2000]), "redirect_uris: The field has an invalid value"),
        (ClientBody("a", jwks_uri="http://169.254.169.254/"), "jwks_uri: This org takes keys only in 'jwks'."),
        (
            ClientBody("a", jwks=KeySetBody([jwk_of(rsa_key(9, 3072), kid="a"), jwk_of(ec_key(), kid="a")])),
            "All keys in the 'jwks' must have a unique 'kid'.",
        ),
        (
            ClientBody("a", jwks=KeySetBody([jwk_of(rsa_key(9, 3072)), jwk_of(ec_key(), kid="a")])),
            "All keys in the 'jwks' must have a unique 'kid'.",
        ),
        (
            ClientBody("a", jwks=KeySetBody([{"kty": "RSA", "e": "AQAB", "n": "v" * 171}])),
            "RSA key length in the 'jwks' is less than '2,048' bits for the given key.",
        ),
        (
            ClientBody("a", jwks=KeySetBody([jwk_of(ec_key(), kid=str(n)) for n in range(51)])),
            "The 'jwks' may not hold more than 50 keys.",
        ),
    ],
)
def test_what_a_client_cannot_be(body: ClientBody, text: str) -> None:
    with pytest.raises(OAuthRefused) as caught:
        checked(body)
    assert (caught.value.status, caught.value.error, caught.value.description) == (400, "invalid_client_metadata", text)


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "RSA", "e": "AQAB", "n": "_" * 1400},
        {"kty": "RSA", "e": "_" * 300, "n": "v" * 400},
        {"kty": "RSA"},
        {"kty": 7},
        {"kid": "x" * 2000, **jwk_of(ec_key())},
    ],
)
def test_keys_that_are_none(key: dict[str, Any]) -> None:
    with pytest.raises(OAuthRefused, match="A key in the 'jwks' cannot be used"):
        checked(ClientBody("a", jwks=KeySetBody([key])))


async def test_what_is_no_client_at_all(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        for body in (
            b"{",
            b"[]",
            b'{"client_name":7}',
            b'{"client_name":"a","grant_types":"x"}',
            b"\xff",
            b"[" * 100_000,
        ):
            answer = await it.admin.post(CLIENTS, content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000003")
        answer = await it.admin.post(CLIENTS, content=b"{}", headers={"content-type": "text/plain"})
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000021")
        await it.app(name="edge")
        for answer in (
            await it.admin.post(CLIENTS, json=service_app("edge")),
            await it.admin.put(f"{CLIENTS}/{await it.app(name='b')}", json=service_app("edge")),
        ):
            assert (answer.status_code, answer.json()) == (
                400,
                {"error": "invalid_client_metadata", "error_description": TAKEN},
            )


async def test_clients_in_pages(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        ids = [await it.app(name=f"{'edge' if number % 2 else 'Core'} & {number}") for number in range(23)]
        first = await it.admin.get(CLIENTS)
        assert [client["client_id"] for client in first.json()] == ids[:20]
        links = [value for name, value in first.headers.multi_items() if name == "link"]
        assert links[0] == f'<{BASE}{CLIENTS}>; rel="self"'
        following = re.fullmatch(r'<(.*)>; rel="next"', links[1])
        assert following is not None
        assert len(links) == 2
        await it.admin.delete(f"{CLIENTS}/{ids[19]}")
        last = await it.admin.get(following[1])
        assert [client["client_id"] for client in last.json()] == ids[20:]
        assert [value for name, value in last.headers.multi_items() if name == "link"] == [
            f'<{following[1]}>; rel="self"'
        ]
        found = await it.admin.get(CLIENTS, params={"q": "CORE &", "limit": "2"})
        assert [client["client_id"] for client in found.json()] == [ids[0], ids[2]]
        following = re.fullmatch(r'<(.*)>; rel="next"', found.headers.get_list("link")[1])
        assert following is not None
        assert [client["client_id"] for client in (await it.admin.get(following[1])).json()] == [ids[4], ids[6]]
        for after in ("x", "é", "LTE", "9" * 60):
            answer = await it.admin.get(CLIENTS, params={"after": after})
            assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000029")
            assert answer.json()["errorCauses"] == [{"errorSummary": "Invalid cursor."}]
        for limit in ("0", "201", "x", "-1", "9" * 5000):
            answer = await it.admin.get(CLIENTS, params={"limit": limit})
            assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000001")


async def test_the_life_of_a_grant(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(name="edge")
        place = f"/api/v1/apps/{app}/grants"
        granted = await it.grant(app, MANAGE_EVENTS)
        assert re.fullmatch("oag[0-9A-Za-z]{17}", granted["id"])
        (admin,) = it.org.tokens.all()
        view = {
            "id": granted["id"], "status": "ACTIVE", "created": "2026-02-02T02:40:00.000Z",
            "createdBy": {"id": admin.id, "type": "User"}, "lastUpdated": "2026-02-02T02:40:00.000Z",
            "issuer": BASE, "clientId": app, "scopeId": MANAGE_EVENTS, "source": "ADMIN",
            "_links": {
                "app": {"href": f"{BASE}/api/v1/apps/{app}", "title": "edge"},
                "self": {"href": f"{BASE}{place}/{granted['id']}", "hints": {"allow": ["GET", "DELETE"]}},
                "client": {"href": f"{BASE}{CLIENTS}/{app}", "title": "edge"},
            },
        }  # fmt: skip
        embedded = {"_embedded": {"scope": {"id": MANAGE_EVENTS}}}
        assert granted == view | embedded
        assert (await it.grant(app, MANAGE_EVENTS)) == granted
        assert (await it.admin.get(f"{place}/{granted['id']}")).json() == granted
        assert (await it.admin.get(place)).json() == [view]
        assert (await it.admin.get(f"{place}?expand=scope")).json() == [granted]
        assert (await it.admin.get(place)).headers["x-rate-limit-limit"] == "100"
        token = await it.access_token(app)
        assert (await it.admin.delete(f"{place}/{granted['id']}")).status_code == 204
        gone = await it.admin.get(f"{place}/{granted['id']}")
        assert (
            gone.json()["errorSummary"] == f"Not found: Resource not found: {granted['id']} (OAuth2ScopeConsentGrant)"
        )
        assert (await it.admin.delete(f"{place}/{granted['id']}")).status_code == 404
        assert (await it.post(TOKEN, it.token_form(app))).json()["error"] == "consent_required"
        assert it.org.issued.is_revoked(token) is False
        for method in ("GET", "POST"):
            answer = await it.admin.request(method, "/api/v1/apps/0oaNone/grants", json={})
            assert answer.json()["errorSummary"] == "Not found: Resource not found: 0oaNone (AppInstance)"


@pytest.mark.parametrize(
    ("body", "causes"),
    [
        ({}, ["scopeId: The field cannot be left blank", "issuer: The field cannot be left blank"]),
        ({"scopeId": "okta.x", "issuer": BASE}, ["scopeId: The field has an invalid value"]),
        ({"scopeId": MANAGE_EVENTS, "issuer": "https://else"}, ["issuer: The field has an invalid value"]),
    ],
)
async def test_what_cannot_be_granted(body: dict[str, str], causes: list[str], tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        answer = await it.admin.post(f"/api/v1/apps/{await it.app()}/grants", json=body)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000001")
        assert [cause["errorSummary"] for cause in answer.json()["errorCauses"]] == causes


async def test_the_status_of_a_new_grant_is_a_setting(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data", OrgConfig(oauth=OAuth(post_grants_status=201))) as it:
        body = {"scopeId": MANAGE_EVENTS, "issuer": BASE}
        assert (await it.admin.post(f"/api/v1/apps/{await it.app()}/grants", json=body)).status_code == 201


async def test_a_deleted_client_takes_its_tokens_and_grants_with_it(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        token = await it.access_token(app)
        await it.admin.delete(f"{CLIENTS}/{app}")
        assert it.org.grants.of(app) == []
        answer = await it.request("POST", RISK_EVENTS, {"authorization": f"Bearer {token}"}, json=[])
        assert 'error_description="The access token has been revoked."' in answer.headers["www-authenticate"]
        refused = await it.post(TOKEN, it.token_form(app))
        assert refused.json()["error_description"] == "The issuer claim for client_assertion is not a valid client_id."


async def test_who_may_register_and_grant(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app("okta.clients.register", "okta.clients.read", "okta.appGrants.read")
        headers = {"authorization": f"Bearer {await it.access_token(app, 'okta.clients.register okta.clients.read')}"}
        made = await it.request("POST", CLIENTS, headers, json=service_app("made"))
        assert made.status_code == 201
        place = f"{CLIENTS}/{made.json()['client_id']}"
        assert (await it.request("GET", place, headers)).status_code == 200
        for method, path, scope in (
            ("DELETE", place, "okta.clients.manage"),
            ("POST", f"{place}/lifecycle/newSecret", "okta.clients.manage"),
            ("GET", f"/api/v1/apps/{app}/grants", "okta.appGrants.read"),
            ("POST", f"/api/v1/apps/{app}/grants", "okta.appGrants.manage"),
        ):
            refused = await it.request(method, path, headers, json={})
            assert (refused.status_code, refused.content) == (403, b"")
            assert f'scope="{scope}", error="insufficient_scope"' in refused.headers["www-authenticate"]
        for role in (Role.READ_ONLY, Role.PROVIDER_ADMIN):
            ssws = {"authorization": f"SSWS {await it.org.tokens.create(role, role, deed=local_deed(0))}"}
            assert (await it.request("GET", CLIENTS, ssws)).status_code == 200
            for path in (CLIENTS, f"/api/v1/apps/{app}/grants"):
                refused = await it.request("POST", path, ssws, json={})
                assert (refused.status_code, refused.json()["errorCode"]) == (403, "E0000006")


def test_grants_are_seen_whole_while_they_are_read_anew() -> None:
    table, seen = GrantTable(), []

    class Rows:
        def execute(self, _statement: str) -> Iterator[tuple[str, ...]]:
            for number in range(2):
                yield (f"oag{number}", "0oa", f"scope{number}", BASE, "0", "00T")
                seen.append(len(table.by_client.get("0oa", {})))

    table.load(Rows())  # type: ignore[arg-type]
    table.load(Rows())  # type: ignore[arg-type]
    assert seen == [0, 0, 2, 2]
