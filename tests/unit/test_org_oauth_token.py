"""POST /oauth2/v1/token, introspect and revoke, as clients see them."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from support.oauth import ASSERTION_TYPE, assertion, ec_key, hash_of, proof, rsa_key, service_app
from support.oauth_org import BASE, CLIENTS, MANAGE_EVENTS, TOKEN, OAuthOrg, oauth_org
from support.org import RISK_EVENTS, event
from tocsin.journal import JournalError, JournalUnreachable, MemoryJournal
from tocsin.org.config import Limits, OAuth, OrgConfig
from tocsin.org.records import AccessTokenIssued, AccessTokenRefused, directory_record

INTROSPECT, REVOKE = "/oauth2/v1/introspect", "/oauth2/v1/revoke"
Form = dict[str, str]


def parts(token: str) -> list[str]:
    return [base64.urlsafe_b64decode(part + "==").decode("latin-1") for part in token.split(".")[:2]]


async def test_an_access_token_as_the_org_server_makes_it(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        answer = await it.post(TOKEN, it.token_form(app))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers["cache-control"] == "no-cache, no-store"
        assert (answer.headers["pragma"], answer.headers["x-robots-tag"]) == ("no-cache", "noindex,nofollow")
        assert answer.headers["x-rate-limit-limit"] == "150"
        body = answer.json()
        assert list(body) == ["token_type", "expires_in", "access_token", "scope"]
        assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, MANAGE_EVENTS)
        header, payload = parts(body["access_token"])
        kid, jti = json.loads(header)["kid"], json.loads(payload)["jti"]
        assert re.fullmatch(r"AT\.[\w-]{36}", jti)
        assert header == f'{{"kid":"{kid}","typ":"application/okta-internal-at+jwt","alg":"RS256"}}'
        assert payload == (
            f'{{"ver":1,"jti":"{jti}","iss":"{BASE}","aud":"{BASE}","sub":"{app}","iat":1770000000,"exp":1770003600,'
            f'"cid":"{app}","scp":["{MANAGE_EVENTS}"]}}'
        )
        keys = (await it.request("GET", "/oauth2/v1/keys")).json()["keys"]
        assert kid in {key["kid"] for key in keys}


@pytest.mark.slow
async def test_scopes_are_narrowed_silently_and_in_the_order_asked(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app("okta.riskProviders.read", MANAGE_EVENTS)
        asked = f"okta.clients.read {MANAGE_EVENTS}  okta.riskProviders.read {MANAGE_EVENTS}"
        answer = await it.post(TOKEN, it.token_form(app, asked))
        assert answer.json()["scope"] == f"{MANAGE_EVENTS} okta.riskProviders.read"


SECRET = {
    "client_name": "s",
    "token_endpoint_auth_method": "client_secret_basic",
    "grant_types": ["client_credentials"],
}
Make = Callable[[OAuthOrg, str], dict[str, Any]]


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def changed(it: OAuthOrg, app: str, **fields: str | None) -> Form:
    form = it.token_form(app) | fields
    return {name: value for name, value in form.items() if value is not None}


SEVERAL = (
    "Cannot supply multiple client credentials. Use one of the following: credentials in the Authorization header, "
    "credentials in the post body, or a client_assertion in the post body."
)
GRANT_TYPES = "Configured grant types: [client_credentials]."
TYPE_IS_INVALID = (400, "invalid_request", "The client_assertion_type is invalid.")
REFUSED: list[tuple[Make, tuple[int, str, str]]] = [
    (
        lambda it, app: {"form": changed(it, app, grant_type=None)},
        (400, "invalid_request", "The token request must specify a 'grant_type'. Valid values: [client_credentials]"),
    ),
    (
        lambda it, app: {"form": changed(it, app, grant_type="password")},
        (
            400,
            "unsupported_grant_type",
            f"The authorization grant type is not supported by the authorization server. {GRANT_TYPES}",
        ),
    ),
    (
        lambda it, app: {"form": {"grant_type": "client_credentials"}},
        (401, "invalid_client", "No client credentials found."),
    ),
    (
        lambda it, app: {"form": {"grant_type": "client_credentials", "client_id": "0oaNobody"}},
        (401, "invalid_client", "Invalid value for 'client_id' parameter."),
    ),
    (
        lambda it, app: {"form": {"grant_type": "client_credentials", "client_id": app}},
        (
            401,
            "invalid_client",
            "Client authentication failed. Either the client or the client credentials are invalid.",
        ),
    ),
    (
        lambda it, app: {"form": changed(it, app, client_id="0oaOther")},
        (401, "invalid_client", "Invalid value for 'client_id' parameter."),
    ),
    (
        lambda it, app: {"form": {"grant_type": "client_credentials"}, "authorization": "Basic !"},
        (401, "invalid_client", "Found Authentication header but was not valid client credentials."),
    ),
    (
        lambda it, app: {"form": {"grant_type": "client_credentials"}, "authorization": "Bearer x"},
        (401, "invalid_client", "Found Authentication header but was not valid client credentials."),
    ),
    (
        lambda it, app: {"form": it.token_form(app), "authorization": basic(app, "x")},
        (401, "invalid_request", SEVERAL),
    ),
    (lambda it, app: {"form": changed(it, app, client_secret="x")}, (401, "invalid_request", SEVERAL)),
    (lambda it, app: {"form": changed(it, app, client_assertion_type=None)}, TYPE_IS_INVALID),
    (lambda it, app: {"form": changed(it, app, client_assertion_type="x")}, TYPE_IS_INVALID),
    (
        lambda it, app: {"form": changed(it, app, client_assertion=None)},
        (401, "invalid_client", "The parsing of the client_assertion failed."),
    ),
    (
        lambda it, app: {"body": urlencode(it.token_form(app)) + "&scope=a"},
        (400, "invalid_request", "The request contained multiple parameters with the same name."),
    ),
    (
        lambda it, app: {"form": it.token_form(app), "query": "?scope=another"},
        (400, "invalid_request", "The request contained multiple parameters with the same name."),
    ),
    (
        lambda it, app: {"form": it.token_form(app), "query": "?client_secret=x"},
        (400, "invalid_request", "Client credentials cannot be supplied via query parameters."),
    ),
    (lambda it, app: {"form": it.token_form(app, None)}, (400, "invalid_scope", "No scopes were requested.")),
    (lambda it, app: {"form": it.token_form(app, "  ")}, (400, "invalid_scope", "No scopes were requested.")),
    (
        lambda it, app: {"form": it.token_form(app, f"{MANAGE_EVENTS} okta.nothing.read")},
        (400, "invalid_scope", "One or more scopes are not configured for the authorization server resource."),
    ),
    (
        lambda it, app: {"form": it.token_form(app, f"openid {MANAGE_EVENTS}")},
        (400, "invalid_scope", "Cannot request 'openid' scopes using client credentials."),
    ),
    (
        lambda it, app: {"form": it.token_form(app, 'okta"')},
        (
            400,
            "invalid_scope",
            "The requested scope is invalid, unknown, malformed, or exceeds the scope granted by the resource owner.",
        ),
    ),
    (
        lambda it, app: {"form": it.token_form(app, "okta.clients.read")},
        (400, "consent_required", "You are not allowed any of the requested scopes."),
    ),
    (
        lambda it, app: {"form": it.token_form(app, aud=BASE)},
        (
            401,
            "invalid_client",
            "The audience claim for client_assertion must be the endpoint invoked for the request.",
        ),
    ),
]


async def test_what_is_refused_and_in_which_words(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        for make, expected in REFUSED:
            request = make(it, app)
            headers = {"content-type": "application/x-www-form-urlencoded"}
            headers |= {"authorization": request["authorization"]} if "authorization" in request else {}
            body = request["body"] if "body" in request else urlencode(request["form"])
            answer = await it.request("POST", TOKEN + request.get("query", ""), headers, content=body)
            error, text = answer.json()["error"], answer.json()["error_description"]
            assert (answer.status_code, error, text) == expected
            assert list(answer.json()) == ["error", "error_description"]
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-rate-limit-limit"] == "150"


async def test_only_service_apps_with_a_key_get_tokens_here(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        made = (await it.admin.post(CLIENTS, json=SECRET)).json()
        client_id, secret = made["client_id"], made["client_secret"]
        form = {"grant_type": "client_credentials", "scope": MANAGE_EVENTS}

        async def refused(form: Form, **headers: str) -> str:
            answer = await it.post(TOKEN, form, **headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
            return str(answer.json()["error_description"])

        needs_key = (
            "Client Credentials requests to the Org Authorization Server must use the private_key_jwt "
            "token_endpoint_auth_method."
        )
        assert await refused(form, authorization=basic(client_id, secret)) == needs_key
        wrong = "The client secret supplied for a confidential client is invalid."
        assert await refused(form, authorization=basic(client_id, secret[:-1])) == wrong
        in_post = form | {"client_id": client_id, "client_secret": secret}
        differs = "Client authentication failed. Either the client or the client credentials are invalid."
        assert await refused(in_post) == differs
        keyless = "The client does not have a JWKSet configured, but the client_assertion requires one."
        assert await refused(it.token_form(client_id)) == keyless
        web = service_app("web", rsa_key(), application_type="web", grant_types=["client_credentials"])
        client_id = (await it.admin.post(CLIENTS, json=web)).json()["client_id"]
        assert await refused(it.token_form(client_id)) == (
            "Only clients with 'application_type' of 'service' may use the client_credentials 'grant_type' "
            "with the Org Authorization Server."
        )
        saml = service_app("saml", rsa_key(), grant_types=["urn:ietf:params:oauth:grant-type:saml2-bearer"])
        client_id = (await it.admin.post(CLIENTS, json=saml)).json()["client_id"]
        answer = await it.post(TOKEN, it.token_form(client_id))
        assert (answer.status_code, answer.json()) == (
            400,
            {
                "error": "unauthorized_client",
                "error_description": "The client is not authorized to use the provided grant type. "
                "Configured grant types: [urn:ietf:params:oauth:grant-type:saml2-bearer].",
            },
        )


USED = "The client_assertion token has already been used."


async def test_an_assertion_with_a_jti_works_once_whatever_came_of_it(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        form, refused = it.token_form(app), it.token_form(app, "okta.clients.read")
        assert (await it.post(TOKEN, form)).status_code == 200
        assert (await it.post(TOKEN, refused)).json()["error"] == "consent_required"
        for again in (form, refused, form | {"scope": "okta.clients.read"}):
            answer = await it.post(TOKEN, again)
            assert (answer.status_code, answer.json()["error_description"]) == (401, USED)
        without = it.token_form(app, jti=None)
        for _ in range(2):
            assert (await it.post(TOKEN, without)).status_code == 200
        records = [directory_record(entry) for entry in await it.org.journal.read()]
        assert [type(record) for record in records if isinstance(record, AccessTokenIssued | AccessTokenRefused)] == [
            AccessTokenIssued, AccessTokenRefused, AccessTokenIssued, AccessTokenIssued,
        ]  # fmt: skip
        assert all(form["client_assertion"].encode() not in entry.body for entry in await it.org.journal.read())


async def test_a_jti_outlives_a_restart_until_its_assertion_has_expired(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        form = it.token_form(app, jti="j", exp=int(it.now) + 3600)
        assert (await it.post(TOKEN, form)).status_code == 200
    async with oauth_org(tmp_path / "data", now=1_770_003_599.0) as it:
        assert (await it.post(TOKEN, form)).json()["error_description"] == USED
        it.wait(3602)
        assert (await it.post(TOKEN, it.token_form(app))).status_code == 200
        assert (await it.post(TOKEN, it.token_form(app, jti="j"))).status_code == 200


async def test_one_too_many_uses_up_nothing_and_bothers_nobody_else(tmp_path: Path) -> None:
    config = OrgConfig(limits=Limits(token=2))
    async with oauth_org(tmp_path / "data", config) as it:
        app, other = await it.app(MANAGE_EVENTS), await it.app(MANAGE_EVENTS, name="other")
        for _ in range(2):
            assert (await it.post(TOKEN, it.token_form(app))).status_code == 200
        form = it.token_form(app)
        answer = await it.post(TOKEN, form)
        assert (answer.status_code, answer.json()["errorCode"]) == (429, "E0000047")
        assert (answer.headers["x-rate-limit-remaining"], answer.headers["x-rate-limit-limit"]) == ("0", "2")
        assert (await it.post(TOKEN, it.token_form(other))).status_code == 200
        it.wait(61)
        assert (await it.post(TOKEN, form)).status_code == 200


@pytest.mark.slow
async def test_parameters_in_the_query_as_the_only_python_client_sends_them(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        form = it.token_form(app)
        answer = await it.post(f"{TOKEN}?{urlencode(form)}", {"client_assertion": form["client_assertion"]})
        assert answer.status_code == 200
    strict = OrgConfig(oauth=OAuth(token_parameters_in_query=False))
    async with oauth_org(tmp_path / "strict", strict) as it:
        app = await it.app(MANAGE_EVENTS)
        form = it.token_form(app)
        answer = await it.post(f"{TOKEN}?{urlencode(form)}", form)
        assert answer.json()["error_description"] == "Client credentials cannot be supplied via query parameters."
        answer = await it.post(f"{TOKEN}?scope=okta.clients.read", form)
        assert answer.json()["scope"] == MANAGE_EVENTS


async def test_what_is_no_form_and_what_has_no_length(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        answer = await it.request("POST", TOKEN, json={"grant_type": "client_credentials"})
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000021")
        answer = await it.request("GET", TOKEN)
        assert (answer.status_code, answer.json()["errorCode"]) == (405, "E0000022")
        assert "x-okta-request-id" not in answer.headers
        answer = await it.post(TOKEN, {"scope": "x" * 70_000})
        assert answer.status_code == 413
        for path in (TOKEN, RISK_EVENTS, CLIENTS):
            request = it.admin.build_request("POST", path)
            del request.headers["content-length"]
            answer = await it.admin.send(request)
            assert (answer.status_code, answer.content) == (411, b"")


async def test_at_an_oauth_endpoint_a_fault_is_told_as_oauth_tells_it_and_a_stop_as_everywhere(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        issue, it.org.issued.answer = it.org.issued.answer, None  # type: ignore[method-assign, assignment]
        answer = await it.post(TOKEN, it.token_form(app))
        assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
        await it.org.journal.close()
        it.org.issued.answer = issue  # type: ignore[method-assign]
        answer = await it.post(TOKEN, it.token_form(app))
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "E0000010")
        assert {"retry-after", "x-rate-limit-reset", "date"} <= answer.headers.keys()


NEEDS_NONCE = "Authorization server requires nonce in DPoP proof."


async def test_the_dance_of_dpop(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app, key, url = await it.app(MANAGE_EVENTS, dpop_bound_access_tokens=True), ec_key(), BASE + TOKEN
        missing = await it.post(TOKEN, it.token_form(app))
        assert (missing.status_code, missing.json()) == (
            400,
            {"error": "invalid_dpop_proof", "error_description": "The DPoP proof JWT header is missing."},
        )
        first = await it.post(TOKEN, it.token_form(app), dpop=proof(key, url, now=it.now))
        assert (first.status_code, first.json()) == (400, {"error": "use_dpop_nonce", "error_description": NEEDS_NONCE})
        nonce = first.headers["dpop-nonce"]
        assert len(nonce) == 32
        with_nonce = proof(key, url, now=it.now, nonce=nonce)
        second = await it.post(TOKEN, it.token_form(app), dpop=with_nonce)
        assert (second.status_code, second.json()["token_type"]) == (200, "DPoP")
        assert second.headers["dpop-nonce"] == nonce
        assert json.loads(parts(second.json()["access_token"])[1])["cnf"] == {"jkt": key.thumbprint()}
        again = await it.post(TOKEN, it.token_form(app), dpop=with_nonce)
        assert again.json()["error_description"] == "The DPoP proof JWT has already been used."
        stale = await it.post(TOKEN, it.token_form(app), dpop=proof(key, url, now=it.now, nonce="x" * 32))
        assert stale.json()["error"] == "use_dpop_nonce"
        wrong = await it.post(TOKEN, it.token_form(app), dpop=proof(key, BASE, now=it.now))
        assert wrong.json()["error_description"] == "'htu' claim in the DPoP proof JWT is invalid."
        pairs = [("dpop", with_nonce), ("dpop", with_nonce)]
        several = await it.request("POST", TOKEN, pairs, data=it.token_form(app))
        assert several.json()["error_description"] == "Multiple DPoP proof JWT headers are not allowed."


async def test_a_client_that_need_not_is_bound_only_once_it_brings_a_nonce(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app, key, url = await it.app(MANAGE_EVENTS), rsa_key(7), BASE + TOKEN
        text = proof(key, url, now=it.now)
        for _ in range(2):  # it was not looked at, so it was not used up
            answer = await it.post(TOKEN, it.token_form(app), dpop=text)
            assert answer.json()["token_type"] == "Bearer"
        stale = await it.post(TOKEN, it.token_form(app), dpop=proof(key, url, now=it.now, nonce="x" * 32))
        assert stale.json()["error"] == "use_dpop_nonce"
        nonce = stale.headers["dpop-nonce"]
        it.wait(2 * 24 * 3600)
        bound = await it.post(TOKEN, it.token_form(app), dpop=proof(key, url, now=it.now, nonce=nonce))
        assert bound.json()["token_type"] == "DPoP"


def own_form(it: OAuthOrg, client_id: str, path: str, **fields: str) -> Form:
    text = assertion(client_id, BASE + path, rsa_key(), now=it.now)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text, **fields}


async def test_introspection(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app = await it.app(MANAGE_EVENTS)
        token = await it.access_token(app)
        form = own_form(it, app, INTROSPECT, token=token, token_type_hint="access_token")
        answer = await it.post(INTROSPECT, form)
        jti = answer.json()["jti"]
        assert (answer.status_code, answer.json()) == (
            200,
            {
                "active": True, "token_type": "Bearer", "scope": MANAGE_EVENTS, "client_id": app, "exp": 1770003600,
                "iat": 1770000000, "sub": app, "aud": BASE, "iss": BASE, "jti": jti,
            },
        )  # fmt: skip
        assert (await it.post(INTROSPECT, form)).json()["error_description"] == USED
        for bad in ("x", token[:-9] + "AAAAAAAAA"):
            answer = await it.post(INTROSPECT, own_form(it, app, INTROSPECT, token=bad))
            assert (answer.status_code, answer.content) == (200, b'{"active":false}')
        answer = await it.post(INTROSPECT, own_form(it, app, INTROSPECT))
        assert (answer.status_code, answer.json()["error_description"]) == (400, "The 'token' parameter is required.")
        answer = await it.post(INTROSPECT, {"token": token})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        answer = await it.post(INTROSPECT, own_form(it, app, TOKEN, token=token))
        assert answer.json()["error_description"].startswith("The audience claim")
        it.wait(3600)
        answer = await it.post(INTROSPECT, own_form(it, app, INTROSPECT, token=token))
        assert answer.content == b'{"active":false}'


async def test_introspection_with_a_secret(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        token = await it.access_token(await it.app(MANAGE_EVENTS))
        made = (await it.admin.post(CLIENTS, json=SECRET)).json()
        answer = await it.post(
            INTROSPECT, {"token": token}, authorization=basic(made["client_id"], made["client_secret"])
        )
        assert answer.json()["active"] is True
        posting = SECRET | {"client_name": "p", "token_endpoint_auth_method": "client_secret_post"}
        made = (await it.admin.post(CLIENTS, json=posting)).json()
        form = {"token": token, "client_id": made["client_id"], "client_secret": made["client_secret"]}
        assert (await it.post(INTROSPECT, form)).json()["active"] is True


@pytest.mark.slow
async def test_revocation(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app, other = await it.app(MANAGE_EVENTS), await it.app(MANAGE_EVENTS, name="other")
        await it.admin.post("/api/v1/risk/providers", json={"name": "edge", "clientId": app})
        token, kept = await it.access_token(app), await it.access_token(app)
        bearer = {"authorization": f"Bearer {token}"}
        assert (await it.request("POST", RISK_EVENTS, bearer, json=[event(("203.0.113.9", "HIGH"))])).status_code == 202
        assert (await it.post(REVOKE, own_form(it, other, REVOKE, token=token))).status_code == 200
        assert (await it.request("POST", RISK_EVENTS, bearer, json=[event(("203.0.113.9", "HIGH"))])).status_code == 202
        for text in (token, token, "x"):
            answer = await it.post(REVOKE, own_form(it, app, REVOKE, token=text))
            assert (answer.status_code, answer.content, "content-type" in answer.headers) == (200, b"", False)
        answer = await it.request("POST", RISK_EVENTS, bearer, json=[])
        assert (answer.status_code, answer.content) == (401, b"")
        assert 'error_description="The access token has been revoked."' in answer.headers["www-authenticate"]
        answer = await it.post(INTROSPECT, own_form(it, app, INTROSPECT, token=token))
        assert answer.content == b'{"active":false}'
        bearer = {"authorization": f"Bearer {kept}"}
        assert (await it.request("POST", RISK_EVENTS, bearer, json=[])).status_code == 400
    async with oauth_org(tmp_path / "data") as it:
        answer = await it.request("POST", RISK_EVENTS, {"authorization": f"Bearer {token}"}, json=[])
        assert "has been revoked" in answer.headers["www-authenticate"]


async def test_a_dpop_bound_token_at_the_api(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        app, key, url = await it.app(MANAGE_EVENTS), ec_key(), BASE + RISK_EVENTS
        await it.admin.post("/api/v1/risk/providers", json={"name": "edge", "clientId": app})
        first = await it.post(TOKEN, it.token_form(app), dpop=proof(key, BASE + TOKEN, now=it.now, nonce="x"))
        nonce = first.headers["dpop-nonce"]
        text = proof(key, BASE + TOKEN, now=it.now, nonce=nonce)
        token = (await it.post(TOKEN, it.token_form(app), dpop=text)).json()["access_token"]
        plain = await it.access_token(app)
        events, ath = [event(("203.0.113.9", "HIGH"))], hash_of(token)

        async def send(scheme: str, *proofs: str, token: str = token) -> Any:
            pairs = [("authorization", f"{scheme} {token}"), *(("dpop", one) for one in proofs)]
            return await it.request("POST", RISK_EVENTS, pairs, json=events)

        good = proof(key, url, now=it.now, ath=ath)
        assert (await send("DPoP", good)).status_code == 202
        assert (await send("dpop", proof(key, url + "?x=1", now=it.now, ath=ath))).status_code == 202
        for answer, status, error, description in (
            (await send("DPoP"), 400, "invalid_request", "The resource request requires a DPoP proof."),
            (await send("DPoP", good), 400, "invalid_dpop_proof", "The DPoP proof JWT has already been used."),
            (
                await send("Bearer", proof(key, url, now=it.now, ath=ath)),
                400,
                "invalid_request",
                "The resource request must use the DPoP authentication scheme when using a DPoP bound token.",
            ),
            (
                await send("DPoP", proof(key, url, now=it.now)),
                400,
                "invalid_dpop_proof",
                "'ath' claim in the DPoP proof JWT does not match the presented access_token.",
            ),
            (
                await send("DPoP", proof(ec_key(1), url, now=it.now, ath=ath)),
                400,
                "invalid_dpop_proof",
                "The access_token is not bound to the provided DPoP proof.",
            ),
            (
                await send("DPoP", proof(key, url, now=it.now, ath=ath), proof(key, url, now=it.now, ath=ath)),
                400,
                "invalid_dpop_proof",
                "Multiple DPoP proof JWT headers are not allowed.",
            ),
            (
                await send("DPoP", proof(key, url, now=it.now, ath=hash_of(plain)), token=plain),
                401,
                "invalid_token",
                "The presented access_token is not DPoP bound.",
            ),
        ):
            assert answer.status_code == status, description
            assert answer.headers["www-authenticate"] == (
                'DPoP algs="RS256 RS384 RS512 ES256 ES384 ES512", '
                'authorization_uri="http://org.example/oauth2/v1/authorize", realm="http://org.example", '
                f'scope="{MANAGE_EVENTS}", error="{error}", error_description="{description}", resource="{RISK_EVENTS}"'
            )
            if status == 400:
                assert answer.json() == {"error": error, "error_description": description}
            else:
                assert answer.content == b""


async def test_a_proof_names_its_url_however_that_is_spelt(tmp_path: Path) -> None:
    async with oauth_org(tmp_path / "data") as it:
        key, scope = ec_key(), "tocsin.risk.read"
        app = await it.app(scope)
        first = await it.post(TOKEN, it.token_form(app, scope), dpop=proof(key, BASE + TOKEN, now=it.now, nonce="x"))
        text = proof(key, BASE + TOKEN, now=it.now, nonce=first.headers["dpop-nonce"])
        token = (await it.post(TOKEN, it.token_form(app, scope), dpop=text)).json()["access_token"]
        for path, named, status in (
            ("/risk/v1/ips/2001:db8::7", "/risk/v1/ips/2001%3Adb8%3a%3A7", 200),
            ("/risk/v1/ips/2001%3Adb8::7", "/risk/v1/ips/2001:db8::7", 200),
            ("/risk/v1/ips/2001%253Adb8::7", "/risk/v1/ips/2001:db8::7", 400),
        ):
            one = proof(key, BASE + named, now=it.now, method="GET", ath=hash_of(token))
            answer = await it.request("GET", path, {"authorization": f"DPoP {token}", "dpop": one})
            assert answer.status_code == status
            assert status == 200 or answer.json()["error"] == "invalid_dpop_proof"


async def test_a_proof_that_met_a_full_window_or_a_broken_journal_may_come_again(tmp_path: Path) -> None:
    config = OrgConfig(limits=Limits(risk_events=1))
    async with oauth_org(tmp_path / "data", config) as it:
        app, key, url = await it.app(MANAGE_EVENTS), ec_key(), BASE + RISK_EVENTS
        await it.admin.post("/api/v1/risk/providers", json={"name": "edge", "clientId": app})
        first = await it.post(TOKEN, it.token_form(app), dpop=proof(key, BASE + TOKEN, now=it.now, nonce="x"))
        text = proof(key, BASE + TOKEN, now=it.now, nonce=first.headers["dpop-nonce"])
        token = (await it.post(TOKEN, it.token_form(app), dpop=text)).json()["access_token"]
        ath = hash_of(token)

        async def send(one: str) -> int:
            headers = {"authorization": f"DPoP {token}", "dpop": one}
            answer = await it.request("POST", RISK_EVENTS, headers, json=[event(("203.0.113.9", "HIGH"))])
            return int(answer.status_code)

        assert await send(proof(key, url, now=it.now, ath=ath)) == 202
        again = proof(key, url, now=it.now, ath=ath)
        assert await send(again) == 429
        it.wait(61)
        assert await send(again) == 202
        it.wait(61)
        assert await send(again) == 400
        await it.org.journal.close()
        it.wait(61)
        late = proof(key, url, now=it.now, ath=ath)
        assert await send(late) == 503
        it.wait(61)
        assert await send(late) == 503  # and not 400


@pytest.mark.parametrize(
    ("fault", "may_come_again"),
    [(JournalError("full"), True), (JournalUnreachable("it", seconds=1, why="no answer"), False)],
)
async def test_a_proof_may_come_again_only_when_nothing_can_have_been_written(
    tmp_path: Path, fault: JournalError, may_come_again: bool
) -> None:
    class Faulty(MemoryJournal):
        async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
            raise fault

    async def fail(*_: Any) -> Any:
        raise fault

    async with oauth_org(tmp_path / "data") as it:
        app, key, org = await it.app(MANAGE_EVENTS), ec_key(), it.org
        await it.admin.post("/api/v1/risk/providers", json={"name": "edge", "clientId": app})
        first = await it.post(TOKEN, it.token_form(app), dpop=proof(key, BASE + TOKEN, now=it.now, nonce="x"))
        nonce = first.headers["dpop-nonce"]
        token = (
            await it.post(TOKEN, it.token_form(app), dpop=proof(key, BASE + TOKEN, now=it.now, nonce=nonce))
        ).json()["access_token"]
        for_token = proof(key, BASE + TOKEN, now=it.now, nonce=nonce)
        for_events = {
            "authorization": f"DPoP {token}",
            "dpop": proof(key, BASE + RISK_EVENTS, now=it.now, ath=hash_of(token)),
        }

        async def asked() -> list[int]:
            one = await it.post(TOKEN, it.token_form(app), dpop=for_token)
            other = await it.request("POST", RISK_EVENTS, for_events, json=[event(("203.0.113.9", "HIGH"))])
            return [one.status_code, other.status_code]

        journal, issue, org.journal, org.issued.answer = org.journal, org.issued.answer, Faulty(), fail  # type: ignore[method-assign, assignment]
        assert await asked() == [503, 503]
        org.journal, org.issued.answer = journal, issue  # type: ignore[method-assign]
        assert await asked() == ([200, 202] if may_come_again else [400, 400])
