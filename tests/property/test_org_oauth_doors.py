"""Whatever is sent to the doors of OAuth, the answer is one of a client's mistakes, and never one of ours."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.oauth import ASSERTION_TYPE, assertion, ec_key, proof, rsa_key, service_app
from support.oauth_org import BASE, CLIENTS, MANAGE_EVENTS, TOKEN, OAuthOrg, oauth_org
from support.org import RISK_EVENTS
from tocsin.org.config import Limits, OrgConfig

MANY = 1_000_000_000
LIMITS = Limits(risk_events=MANY, clients=MANY, grants=MANY, token=MANY, oauth=MANY, api=MANY)
QUIETLY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


class Doors:
    """One org for many examples, and a way to ask it from a test that does not wait."""

    def __init__(self, runner: asyncio.Runner, it: OAuthOrg, app: str) -> None:
        self._runner, self.it, self.app = runner, it, app

    def ask(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        answer = self._runner.run(self.it.request(method, path, **kwargs))
        assert answer.status_code < 500, answer.text
        return answer

    def admin(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        answer = self._runner.run(self.it.admin.request(method, path, **kwargs))
        assert answer.status_code < 500, answer.text
        return answer


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    data: Path = tmp_path_factory.mktemp("oauth") / "data"
    with asyncio.Runner() as runner:
        opened = oauth_org(data, OrgConfig(limits=LIMITS))
        it = runner.run(opened.__aenter__())
        yield Doors(runner, it, runner.run(it.app(MANAGE_EVENTS)))
        runner.run(opened.__aexit__(None, None, None))


NAMES = st.sampled_from(
    ["grant_type", "scope", "client_id", "client_secret", "client_assertion", "client_assertion_type", "token", "x"]
)
WORDS = st.text(max_size=40) | st.sampled_from(["client_credentials", MANAGE_EVENTS, ASSERTION_TYPE, "openid"])
INT64 = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
OWN = st.sampled_from(["token", "introspect", "revoke"])
FIELDS = st.sampled_from([*service_app("a"), "jwks_uri", "client_uri", "dpop_bound_access_tokens"])
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)


@pytest.mark.slow
@QUIETLY
@given(
    st.dictionaries(NAMES, WORDS),
    st.dictionaries(NAMES, WORDS, max_size=2),
    st.sampled_from(["token", "introspect", "revoke"]),
)
def test_forms(doors: Doors, form: dict[str, str], query: dict[str, str], door: str) -> None:
    doors.ask("POST", f"/oauth2/v1/{door}", data=form, params=query)


@pytest.mark.slow
@QUIETLY
@given(st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]), JSON))
def test_claims_of_an_assertion_and_of_a_proof(doors: Doors, claims: dict[str, Any]) -> None:
    it = doors.it
    given_claims = {name: value for name, value in claims.items() if value is not None}
    given_claims.setdefault("iss", doors.app)
    given_claims.setdefault("sub", doors.app)
    text = assertion(doors.app, BASE + TOKEN, rsa_key(), now=it.now, kid="k0", **given_claims)
    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text, "scope": MANAGE_EVENTS}
    doors.ask("POST", TOKEN, data=fields | {"grant_type": "client_credentials"})
    renamed = {"iss": "htm", "sub": "htu", "aud": "nonce", "exp": "ath"}
    proved = {renamed.get(name, name): value for name, value in given_claims.items() if name != "nbf"}
    one = proof(ec_key(), BASE + TOKEN, now=it.now, **proved)
    doors.ask("POST", TOKEN, data=it.token_form(doors.app), headers={"dpop": one})


@QUIETLY
@given(HEADER, st.sampled_from(["", "Bearer ", "DPoP ", "SSWS ", "Basic "]), HEADER)
def test_headers(doors: Doors, text: str, scheme: str, dpop: str) -> None:
    headers = {"authorization": (scheme + text).encode("latin-1"), "dpop": dpop.encode("latin-1")}
    for method, path in (("POST", RISK_EVENTS), ("GET", CLIENTS), ("POST", TOKEN)):
        doors.ask(method, path, headers=headers)
    encoded = base64.b64encode(text.encode("latin-1"))
    doors.ask("POST", TOKEN, data={"grant_type": "client_credentials"}, headers={"authorization": b"Basic " + encoded})


@pytest.mark.slow
@QUIETLY
@given(
    st.dictionaries(st.sampled_from([*service_app("a"), "jwks_uri", "client_uri", "dpop_bound_access_tokens"]), JSON)
)
def test_registrations(doors: Doors, fields: dict[str, object]) -> None:
    for body in (fields, service_app("fuzz") | fields, {"client_name": "a", "jwks": {"keys": [fields]}}):
        made = doors.admin("POST", CLIENTS, json=body)
        if made.status_code == 201:
            client = doors.admin("GET", f"{CLIENTS}/{made.json()['client_id']}").json()
            assert {name: made.json()[name] for name in client} == client
            assert doors.admin("DELETE", f"{CLIENTS}/{client['client_id']}").status_code == 204


@QUIETLY
@given(JSON | st.fixed_dictionaries({"scopeId": JSON, "issuer": JSON}))
def test_grants(doors: Doors, body: object) -> None:
    answer = doors.admin("POST", f"/api/v1/apps/{doors.app}/grants", json=body)
    assert answer.json()["errorCode"] in ("E0000001", "E0000003")
