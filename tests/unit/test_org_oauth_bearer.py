"""Access tokens at the org's own doors, and the keys they are signed with."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from support.oauth_org import BASE, CLIENTS, MANAGE_EVENTS, TOKEN, OAuthOrg, oauth_org
from support.org import PROVIDERS, RISK_EVENTS, event
from tocsin.org.config import Limits, OAuth, OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.http.access import SCOPES
from tocsin.org.oauth.access_token import AccessToken, mint
from tocsin.org.oauth.jose import Jwk
from tocsin.org.oauth.keys import SigningKey, due, published, signer
from tocsin.org.oauth.server import IssuedToken, ShownAssertion, ShownSecret

EVENTS = [event(("203.0.113.9", "HIGH"))]


def challenge(scope: str, error: str, text: str, path: str) -> str:
    return (
        f'Bearer authorization_uri="http://org.example/oauth2/v1/authorize", realm="http://org.example", '
        f'scope="{scope}", error="{error}", error_description="{text}", resource="{path}"'
    )


async def minted(it: OAuthOrg, app: str, **said: Any) -> str:
    """A token that the org signed, whatever it says."""
    kid, key = await it.org.signing_keys.signer(int(it.now * 1000))
    now = int(it.now)
    claims: dict[str, Any] = {
        "jti": "AT.x",
        "iss": BASE,
        "aud": BASE,
        "sub": app,
        "iat": now,
        "exp": now + 60,
        "cid": app,
    }
    return mint(AccessToken(**(claims | {"scp": [MANAGE_EVENTS]} | said)), kid=kid, key=key)


async def test_an_access_token_that_opens_nothing_is_refused_in_a_header_alone(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        good, now = await it.access_token(app), int(it.now)
        invalid = "The access token is invalid."
        for token, error, text in (
            ("", "invalid_request", "The access token is missing."),
            ("x", "invalid_token", invalid),
            ("a.b.c", "invalid_token", invalid),
            (good[:-9] + "AAAAAAAAA", "invalid_token", invalid),
            (it.token_form(app)["client_assertion"], "invalid_token", invalid),
            (
                await minted(it, app, iss="https://else"),
                "invalid_token",
                "The access token provided has an invalid issuer.",
            ),
            (
                await minted(it, app, aud="api://default"),
                "invalid_token",
                "The access token provided is not intended for Okta.",
            ),
            (await minted(it, app, iat=now + 1), "invalid_token", "The token timestamp is invalid."),
            (await minted(it, app, exp=now), "invalid_token", "The token has expired."),
            (await minted(it, "0oaNobody"), "invalid_token", "The access token has been revoked."),
        ):
            answer = await it.request("POST", RISK_EVENTS, {"authorization": f"Bearer {token}"}, json=EVENTS)
            assert (answer.status_code, answer.content, "content-type" in answer.headers) == (401, b"", False), text
            assert answer.headers["www-authenticate"] == challenge(MANAGE_EVENTS, error, text, RISK_EVENTS)
            assert answer.headers["access-control-expose-headers"] == "WWW-Authenticate"


async def test_a_token_is_good_for_an_hour_to_the_second(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        token = await it.access_token(await it.app("okta.riskProviders.read"), "okta.riskProviders.read")
        bearer = {"authorization": f"Bearer {token}"}
        for seconds, status in ((0, 200), (3599, 200), (1, 401)):
            it.wait(seconds)
            assert (await it.request("GET", PROVIDERS, bearer)).status_code == status


async def test_a_scope_opens_its_own_doors_alone(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app("okta.riskProviders.read")
        bearer = {"authorization": f"bearer {await it.access_token(app, 'okta.riskProviders.read')}"}
        assert (await it.request("GET", PROVIDERS, bearer)).status_code == 200
        text = "The access token provided does not contain the required scopes."
        for method, path, scope in (
            ("POST", RISK_EVENTS, MANAGE_EVENTS),
            ("POST", PROVIDERS, "okta.riskProviders.manage"),
            ("GET", CLIENTS, "okta.clients.read"),
            ("GET", "/risk/v1/ips/203.0.113.9", "tocsin.risk.read"),
        ):
            answer = await it.request(method, path, bearer, json=EVENTS)
            assert (answer.status_code, answer.content, "content-type" in answer.headers) == (403, b"", False)
            assert answer.headers["www-authenticate"] == challenge(scope, "insufficient_scope", text, path)
        wrong_method = await it.request(
            "GET",
            RISK_EVENTS,
            {"authorization": f"Bearer {await it.access_token(await it.app(MANAGE_EVENTS, name='m'))}"},
        )
        assert wrong_method.status_code == 405
        closed = await it.request("GET", "/api/v1/nothing", bearer)
        assert (closed.status_code, closed.json()["errorCode"]) == (403, "E0000005")


async def test_a_token_in_a_query_or_under_ssws_is_refused(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        token = await it.access_token(await it.app(MANAGE_EVENTS))
        text = "The access token cannot be presented in a query string."
        for headers in ({}, {"authorization": f"Bearer {token}"}, {"authorization": "SSWS x"}):
            answer = await it.request("POST", f"{RISK_EVENTS}?access_token={token}", headers, json=EVENTS)
            assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request", "error_description": text})
            assert answer.headers["www-authenticate"] == challenge(MANAGE_EVENTS, "invalid_request", text, RISK_EVENTS)
        for under in ("SSWS ", "SSWS"):
            answer = await it.request("POST", RISK_EVENTS, {"authorization": f"{under}{token}"}, json=EVENTS)
            assert (answer.status_code, answer.json()["errorCode"]) == (401, "E0000011")


async def test_what_a_client_sends_is_its_own_providers_word(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        bearer = {"authorization": f"Bearer {await it.access_token(app)}"}
        unbound = await it.request("POST", RISK_EVENTS, bearer, json=EVENTS)
        assert (unbound.status_code, unbound.json()["errorCode"]) == (403, "E0000006")
        made = await it.admin.post(PROVIDERS, json={"name": "edge", "clientId": app})
        sent = await it.request("POST", RISK_EVENTS, bearer, json=EVENTS)
        assert (sent.status_code, sent.content) == (202, b"")
        seq = sent.headers["x-tocsin-journal-seq"]
        (word,) = (await it.admin.get(f"/risk/v1/ips/203.0.113.9?after={seq}")).json()["providers"]
        assert (word["id"], word["name"]) == (made.json()["id"], "edge")


async def test_requests_under_way_have_a_ceiling_of_their_own(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data", OrgConfig(limits=Limits(concurrent=2))) as it:
        under_way, go_on = anyio.Event(), anyio.Event()
        accept = it.org.accept

        async def slow(*args: Any, **kwargs: Any) -> int:
            under_way.set()
            await go_on.wait()
            return await accept(*args, **kwargs)

        it.org.accept = slow  # type: ignore[method-assign]
        answers: list[int] = []

        async def send() -> None:
            answers.append((await it.admin.post(RISK_EVENTS, json=EVENTS)).status_code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            tasks.start_soon(send)
            await under_way.wait()
            await anyio.wait_all_tasks_blocked()
            for path in (PROVIDERS, CLIENTS):
                refused = await it.admin.get(path)
                assert (refused.status_code, refused.json()["errorCode"]) == (429, "E0000047")
                limits = [refused.headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining", "reset")]
                assert limits == ["0", "0", str(int(it.now) + 1)]
            assert (await it.post(TOKEN, {})).status_code == 429
            assert (await it.admin.get("/healthz")).status_code == 200
            assert (await it.admin.get("/risk/v1/ips/203.0.113.9")).status_code == 200  # ours, and not limited
            go_on.set()
        assert answers == [202, 202]
        allowed = await it.admin.get(PROVIDERS)
        assert (allowed.status_code, allowed.headers["x-rate-limit-limit"]) == (200, "1200")


async def test_keys_and_metadata_are_open_to_all(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        answer = await it.request("GET", "/oauth2/v1/keys")
        assert answer.headers["cache-control"] == f"max-age={90 * 24 * 3600}, must-revalidate"
        assert "x-rate-limit-limit" not in answer.headers
        keys = answer.json()["keys"]
        assert [list(key) for key in keys] == [["kty", "alg", "kid", "use", "e", "n"]] * 2
        assert {(key["kty"], key["alg"], key["use"]) for key in keys} == {("RSA", "RS256", "sig")}
        assert (await it.request("GET", "/oauth2/v1/keys?client_id=x")).json() == answer.json()
        views = [
            (await it.request("GET", path)).json()
            for path in (
                "/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server",
                "/oauth2/default/.well-known/oauth-authorization-server",
            )
        ]
        assert views[0] == views[1] == views[2]
        assert views[0]["issuer"] == BASE
        assert views[0]["token_endpoint"] == BASE + TOKEN
        assert views[0]["registration_endpoint"] == BASE + CLIENTS
        assert views[0]["scopes_supported"] == sorted(SCOPES)
        for path in ("/oauth2/v1/keys", "/.well-known/openid-configuration"):
            assert (await it.request("POST", path)).status_code == 405


@pytest.mark.slow
async def test_keys_rotate_with_an_overlap_and_survive_a_restart(tmp_path: Path) -> None:
    config, day = OrgConfig(oauth=OAuth(key_rotation_days=1)), 24 * 3600

    async def kids(it: OAuthOrg) -> list[str]:
        return [key["kid"] for key in (await it.request("GET", "/oauth2/v1/keys")).json()["keys"]]

    async with oauth_org(tmp_path / "data", config) as it:
        app = await it.app("okta.riskProviders.read")
        first = await kids(it)
        it.wait(day - 10)
        fresh = (await it.request("GET", "/oauth2/v1/keys")).headers["cache-control"]
        assert fresh == "max-age=10, must-revalidate"
        bearer = {"authorization": f"Bearer {await it.access_token(app, 'okta.riskProviders.read')}"}
        it.wait(20)
        second = await kids(it)
        assert (len(second), second[:2]) == (3, first)
        assert (await it.request("GET", PROVIDERS, bearer)).status_code == 200
        now = it.now
    async with oauth_org(tmp_path / "data", config, now=now + 1) as it:
        assert await kids(it) == second
        assert (await it.request("GET", PROVIDERS, bearer)).status_code == 200
        kid, _ = await it.org.signing_keys.signer(int(it.now * 1000))
        assert kid == second[1]
        it.wait(day)
        assert second[0] not in await kids(it)
    private = b"PRIVATE"
    assert private not in (tmp_path / "data" / "journal.db").read_bytes()


@pytest.mark.slow
async def test_without_the_secret_new_keys_are_made(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        await it.access_token(app)
    place = tmp_path / "data" / "secret"
    assert (place.stat().st_mode & 0o777, len(place.read_bytes())) == (0o600, 32)
    place.unlink()
    with capture_logs() as logs:
        async with oauth_org(tmp_path / "data") as it:
            token = await it.access_token(app)
            answer = await it.request("POST", RISK_EVENTS, {"authorization": f"Bearer {token}"}, json=[])
            assert answer.status_code == 400
    assert {told["event"] for told in logs} == {"signing_key.closed"}
    place.write_bytes(b"short")
    with pytest.raises(Exception, match="damaged"):
        DataFolder.open(tmp_path / "data").backing.secret()


@pytest.mark.slow
async def test_a_key_of_a_lost_secret_does_not_end_one_of_ours(tmp_path: Path) -> None:
    scope, day = "okta.riskProviders.read", 24 * 3600
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(scope)
        await it.access_token(app, scope)  # the key after the one that signs is there now: from day 90 on
        start = it.now
    (tmp_path / "data" / "secret").unlink()
    async with oauth_org(tmp_path / "data", now=start + 10 * day) as it:
        await it.access_token(app, scope)
        it.wait(81 * day + 3600)  # 25 hours after day 90: the new one signs up to day 100
        bearer = {"authorization": f"Bearer {await it.access_token(app, scope)}"}
        assert (await it.request("GET", PROVIDERS, bearer)).status_code == 200
        kid, _ = await it.org.signing_keys.signer(int(it.now * 1000))
        keys = (await it.request("GET", "/oauth2/v1/keys")).json()["keys"]
        assert keys[0]["kid"] == kid
        assert len(keys) == 2


def test_which_key_signs_which_is_due_and_which_are_told() -> None:
    def key(signs_from_ms: int) -> SigningKey:
        return SigningKey(str(signs_from_ms), Jwk("RSA"), "", signs_from_ms)

    day = 24 * 3600 * 1000
    assert due([], 5, period_ms=10 * day) == 5
    assert due([key(0)], 5, period_ms=10 * day) == 10 * day
    assert due([key(0), key(10 * day)], 5, period_ms=10 * day) is None
    assert due([key(0), key(10 * day)], 50 * day, period_ms=10 * day) == 50 * day
    keys = [key(0), key(10 * day), key(20 * day)]
    for now, kid in ((0, "0"), (10 * day - 1, "0"), (10 * day, str(10 * day)), (99 * day, str(20 * day))):
        signing = signer(keys, now)
        assert signing is not None
        assert signing.kid == kid
        assert signing in published(keys, now)
    assert signer(keys[1:], 0) == keys[1], "made by a node whose clock is ahead"
    assert signer([], 0) is None
    assert published(keys, 11 * day - 1) == keys
    assert published(keys, 11 * day) == keys[1:]


def test_nothing_that_lets_in_is_in_a_repr() -> None:
    for thing in (
        ShownSecret("0oa", "precious", "client_secret_post"),
        ShownAssertion("precious", None),
        IssuedToken("precious", ["a"], False, None),
    ):
        assert "precious" not in f"{thing!r} {thing} {[thing]}"
