"""Tokens for a service app, through the sync and the async client, against an org that checks what it is sent."""

import asyncio
import copy
import inspect
import json
import logging
import pickle
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs
from warnings import catch_warnings

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from support.okta_oauth_org import CLIENT_ID, KEY, MANAGE, READ, SEND, TOKEN_URL, Issued, OAuthOrg
from support.okta_org import EVENT, HOST, NOW, answer
from tocsin import okta
from tocsin.okta.operations import OPERATIONS

PEM = KEY.as_pem(private=True).decode()
JWK: dict[str, Any] = {**KEY.as_dict(private=True)}
OTHER = ECKey.generate_key("P-256").as_dict(private=True)
RESET = {"X-Rate-Limit-Reset": str(int(NOW.timestamp()) + 9)}
REFUSED = {"error": "server_error", "error_description": "?"}


class Client:
    """One client of one configuration, sync or async, with a clock of its own."""

    def __init__(self, kind: str, org: Callable[[httpx2.Request], httpx2.Response], **settings: Any) -> None:
        app = {
            "host": HOST,
            "client_id": CLIENT_ID,
            "private_key": PEM,
            "private_key_id": "k-1",
            "scopes": [SEND, READ],
        }
        self.now = NOW
        self.waits: list[float] = []
        self.configuration = okta.Configuration(**(app | settings))
        self._runner = asyncio.Runner() if kind == "async" else None
        means: dict[str, Any] = {"transport": httpx2.MockTransport(org), "clock": lambda: self.now, "draw": lambda: 0.5}
        self.api: okta.ApiClient | okta.AsyncApiClient
        if self._runner:
            self.api = okta.AsyncApiClient(self.configuration, sleep=self._later, **means)
        else:
            self.api = okta.ApiClient(self.configuration, sleep=self._wait, **means)

    def send(self, **per_call: Any) -> None:
        events: Any = okta.RiskEventApi(self.api)
        self._done(events.send_risk_events([EVENT], **per_call))

    def list(self) -> Any:
        return self._done(okta.RiskProviderApi(self.api).list_risk_providers())

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def close(self) -> None:
        if self._runner:
            self._runner.close()

    def _done(self, result: Any) -> Any:
        if self._runner and inspect.isawaitable(result):
            return self._runner.run(_resolved(result))
        return result

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.later(seconds=seconds)

    async def _later(self, seconds: float) -> None:
        self._wait(seconds)


async def _resolved(result: Awaitable[Any]) -> Any:
    return await result


Connect = Callable[..., Client]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    made: list[Client] = []

    def connect(org: Callable[[httpx2.Request], httpx2.Response], **settings: Any) -> Client:
        client = Client(request.param, org, **settings)
        made.append(client)
        if isinstance(org, OAuthOrg):
            org.clock = lambda: client.now
        return client

    yield connect
    for client in made:
        client.close()


def form(request: httpx2.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def claims(token: str) -> dict[str, Any]:
    found = jws.extract_compact(token.encode())
    return dict(found.headers()) | dict(json.loads(found.payload))


# -- the token request


def test_a_token_is_fetched_with_an_assertion_and_sent(connect: Connect) -> None:
    org = OAuthOrg()
    connect(org).send()
    (asked,), (call,) = org.token_requests, org.calls
    assert (asked.method, str(asked.url)) == ("POST", TOKEN_URL)
    assert form(asked)["scope"] == f"{SEND} {READ}"
    assert asked.headers["Accept"] == "application/json"
    assert "Authorization" not in asked.headers
    assert "DPoP" not in asked.headers
    said = claims(form(asked)["client_assertion"])
    assert said | {"jti": ""} == {
        "typ": "JWT", "alg": "ES256", "kid": "k-1", "iss": CLIENT_ID, "sub": CLIENT_ID, "aud": TOKEN_URL,
        "exp": int(NOW.timestamp()) + 300, "jti": "",
    }  # fmt: skip
    assert call.headers["Authorization"] == "Bearer token-1"


def test_headers_of_the_client_go_along_but_no_other_credential(connect: Connect) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.api.set_default_header("X-Trace", "1")
    client.api.set_default_header("authorization", "SSWS s3cret")
    client.api.user_agent = "mine"
    client.send()
    headers = org.token_requests[0].headers
    assert (headers["X-Trace"], headers["User-Agent"], headers.get("Authorization")) == ("1", "mine", None)


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (ECKey.generate_key("P-384"), "ES384"),
        (ECKey.generate_key("P-521"), "ES512"),
        (RSAKey.generate_key(2048), "RS256"),
        (RSAKey.generate_key(2048, {"alg": "RS512"}), "RS512"),
    ],
    ids=["P-384", "P-521", "RSA", "RSA with RS512"],
)
def test_the_algorithm_is_that_of_the_key(connect: Connect, key: Any, alg: str) -> None:
    org = OAuthOrg(key=key, kid_needed=None)
    connect(org, private_key=key.as_dict(private=True), private_key_id=None).send()
    assert claims(form(org.token_requests[0])["client_assertion"])["alg"] == alg


@pytest.mark.parametrize(
    "given",
    [
        PEM,
        PEM.replace("\n", "\\n"),
        f"\n{PEM}\n",
        JWK,
        json.dumps(JWK),
        ("key.pem", PEM),
        ("key.json", json.dumps(JWK)),
        ("~/key.pem", PEM),
    ],
    ids=["pem", "pem in one line", "pem between blanks", "jwk", "jwk text", "pem file", "jwk file", "file at home"],
)
def test_a_key_of_every_form_signs(
    connect: Connect, given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if isinstance(given, tuple):
        given, text = given
        (tmp_path / given.removeprefix("~/")).write_text(text)
    has_kid = isinstance(given, dict) or "kid" in str(given) or str(given).endswith("json")
    org = OAuthOrg()
    connect(org, private_key=given, private_key_id=None if has_kid else "k-1").send()
    assert len(org.calls) == 1


def test_a_new_key_may_be_put_in_the_place_of_the_file(connect: Connect, tmp_path: Path) -> None:
    path, other, org = tmp_path / "key.pem", ECKey.generate_key("P-256"), OAuthOrg()
    path.write_text(PEM)
    client = connect(org, private_key=str(path))
    client.send()
    path.write_bytes(other.as_pem(private=True))
    org.key = other
    client.later(hours=1)
    client.send()
    assert len(org.token_requests) == 2


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"private_key": None}, "private_key is not"),
        ({"client_id": None}, "client_id is not"),
        ({"scopes": []}, "scopes is empty"),
        ({"scopes": 7}, "scopes is a list of names"),
        ({"private_key": 7}, "private_key is text, a path or a dict, not int"),
        ({"private_key": "no/such/key.pem"}, "no/such/key.pem cannot be read: No such file"),
        ({"private_key": "."}, "cannot be read: Is a directory"),
        ({"private_key": "s3cret" * 20}, "a file of that name cannot be read"),
        ({"private_key": "a\0b"}, "it is no path"),
        ({"private_key": PEM.replace("M", "N")}, "cannot be read as an RSA or EC key"),
        ({"private_key": '{"kty": s3cret'}, "begins like a JWK and is no JSON"),
        ({"private_key": {"kty": "oct", "k": "s3cret"}}, "cannot be read as an RSA or EC key"),
        ({"private_key": {"keys": [JWK]}}, "cannot be read as an RSA or EC key"),
        ({"private_key": {"kty": "EC", "crv": "P-999", "x": "", "y": "", "d": ""}}, "cannot be read as an RSA"),
        ({"private_key": KEY.as_dict(private=False)}, "is a public key"),
        ({"private_key": KEY.as_pem(private=False).decode()}, "is a public key"),
        ({"private_key": KEY.as_pem(private=True, password="s3cret").decode()}, "is encrypted"),
        ({"private_key": JWK | {"alg": "RS256"}}, "of a kind that Okta does not take"),
        ({"private_key": JWK | {"use": "enc"}}, "of a kind that Okta does not take"),
        ({"host": "http://org.example"}, "plain http"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work(connect: Connect, settings: dict[str, Any], match: str) -> None:
    org = OAuthOrg()
    with pytest.raises((okta.ApiValueError, okta.ApiTypeError), match=match) as caught:
        connect(org, **settings).send()
    assert caught.value.hint or "scopes is a list" in match
    assert org.token_requests == []
    text = str(caught.value) + repr(caught.value)
    assert "s3cret" not in text
    assert JWK["d"] not in text


@pytest.mark.parametrize("warnings", ["error", "ignore"])
def test_a_short_rsa_key_is_not_taken(connect: Connect, warnings: Literal["error", "ignore"]) -> None:
    short = rsa.generate_private_key(65537, 1024)
    pem = short.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with catch_warnings(action=warnings), pytest.raises(okta.ApiValueError, match="less than 2048 bits"):
        connect(OAuthOrg(), private_key=pem).send()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 65537])
def test_a_file_that_is_no_text_or_too_long_is_not_taken(connect: Connect, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.der"
    path.write_bytes(content)
    with pytest.raises(okta.ApiValueError, match=r"key\.der is (not text|larger than 64 KiB)"):
        connect(OAuthOrg(), private_key=path).send()


# -- how long it is used


def test_a_token_is_kept_and_renewed_ahead_of_its_end(connect: Connect) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.send()
    client.later(seconds=2870)  # of 3600
    client.send()
    assert len(org.token_requests) == 1
    client.later(seconds=20)
    client.send()
    assert len(org.token_requests) == 2
    assert org.calls[-1].headers["Authorization"] == "Bearer token-2"


def test_clients_of_one_configuration_share_the_token(connect: Connect) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.send()
    with okta.ApiClient(client.configuration, transport=httpx2.MockTransport(org), clock=lambda: NOW) as other:
        okta.RiskEventApi(other).send_risk_events([EVENT])
    assert len(org.token_requests) == 1


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_a_configuration_fetches_its_own(connect: Connect, again: Callable[[Any], Any]) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.send()
    twin = again(client.configuration)
    with okta.ApiClient(twin, transport=httpx2.MockTransport(org), clock=lambda: NOW) as other:
        okta.RiskEventApi(other).send_risk_events([EVENT])
    assert len(org.token_requests) == 2


def test_other_settings_lead_to_another_token(connect: Connect) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.send()
    client.configuration.scopes = SEND
    client.send()
    assert [form(request)["scope"] for request in org.token_requests] == [f"{SEND} {READ}", SEND]


@pytest.mark.parametrize("minutes", [-90, -20, -4, 4, 20, 90])
def test_a_clock_that_is_off_does_no_harm(connect: Connect, minutes: int) -> None:
    org = OAuthOrg(ahead=timedelta(minutes=minutes), requires_dpop=True)
    client = connect(org, dpop=True)
    client.send()
    asked = len(org.token_requests)
    client.later(seconds=2870)
    client.send()
    assert len(org.token_requests) == asked <= 3


def test_a_renewal_that_fails_does_no_harm_while_the_token_holds(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.send()
    org.faults = [answer(503, json=REFUSED)] * 9
    client.later(seconds=3000)
    client.send()
    client.send()  # not tried again at once
    assert (len(org.token_requests), len(org.calls), client.waits) == (2, 3, [])
    assert "could not be renewed ahead of need: https://org.example/oauth2/v1/token answered 503" in caplog.text
    assert org.token_requests[1].extensions["timeout"]["read"] == 5.0
    client.later(seconds=300)
    client.send()
    assert len(org.token_requests) == 3
    client.later(seconds=300)  # now it does not hold any more
    with pytest.raises(okta.ServiceException):
        client.send()
    assert len(org.token_requests) == 6
    org.faults = []
    client.send()
    assert len(org.calls) == 5


def test_a_token_that_is_refused_is_renewed_once(connect: Connect) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.send()
    org.revoke_all()
    client.send()
    assert [call.headers["Authorization"] for call in org.calls] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]
    org.life_s = 0  # over before it comes
    org.revoke_all()
    with pytest.raises(okta.UnauthorizedException, match="The token has expired"):
        client.send()
    assert len(org.token_requests) == 3


def test_a_token_whose_life_is_not_told_is_used_until_it_is_refused(connect: Connect) -> None:
    org = OAuthOrg(faults=[answer(200, json={"token_type": "bearer", "access_token": "old"})])
    org.tokens["old"] = Issued([SEND], NOW + timedelta(days=1), None)
    client = connect(org)
    for asked in (1, 1, 2):
        client.send()
        client.later(hours=20)
        assert len(org.token_requests) == asked


# -- scopes


def test_a_scope_that_was_not_granted_is_named(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    org = OAuthOrg(granted={SEND})
    client = connect(org)
    client.send()
    with pytest.raises(okta.MissingScopeException) as caught:
        client.list()
    error = caught.value
    assert (error.missing, error.asked, error.granted) == (READ, (SEND, READ), (SEND,))
    assert (error.status, error.about_token) == (403, True)
    assert f"list_risk_providers needs the scope {READ}" in error.summary == str(error)
    assert "the org left it out" in error.summary
    assert error.hint == f"grant {READ} to the app in the org (Okta API Scopes)"
    assert len(org.calls) == 1
    assert f"left out scopes that {CLIENT_ID} asked for: {READ}" in caplog.text


def test_a_scope_that_was_not_asked_for_is_named(connect: Connect) -> None:
    with pytest.raises(okta.MissingScopeException, match="it was not asked for") as caught:
        connect(OAuthOrg(), scopes=SEND).list()
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"add {READ} to `scopes`")


def test_a_scope_that_is_granted_later_is_found(connect: Connect) -> None:
    org = OAuthOrg(granted={SEND})
    client = connect(org)
    client.send()
    org.granted |= {READ}
    with pytest.raises(okta.MissingScopeException):
        client.list()  # nobody grants that fast, and a token request costs
    client.later(seconds=11)
    assert client.list() == []
    assert len(org.token_requests) == 2


def test_who_may_manage_may_read(connect: Connect) -> None:
    assert connect(OAuthOrg(), scopes=[MANAGE]).list() == []


def test_scopes_that_the_answer_does_not_name_are_those_asked_for(connect: Connect) -> None:
    org = OAuthOrg()
    org.faults = [answer(200, json={"token_type": "Bearer", "access_token": "t", "expires_in": "60"})]
    with pytest.raises(okta.MissingScopeException):
        connect(org, scopes=SEND).list()


def test_every_operation_names_its_scope() -> None:
    assert {operation.scope for operation in OPERATIONS} == {SEND, READ, MANAGE}


# -- refusals


@pytest.mark.parametrize(
    ("settings", "org", "error", "hint"),
    [
        ({"client_id": "0oaOther"}, {}, "invalid_client", "check client_id"),
        ({"private_key": OTHER}, {}, "invalid_client", "register the public"),
        ({"private_key_id": "k-9"}, {}, "invalid_client", "set private_key_id"),
        ({}, {"granted": set()}, "consent_required", "grant the scopes"),
    ],
)  # fmt: skip
def test_the_org_says_why_it_gives_no_token(
    connect: Connect, settings: dict[str, Any], org: dict[str, Any], error: str, hint: str
) -> None:
    far = OAuthOrg(**org)
    with pytest.raises(okta.TokenException) as caught:
        connect(far, **settings).send()
    refused = caught.value
    assert (refused.error_code, refused.status) == (error, 401 if error == "invalid_client" else 400)
    assert refused.error_description
    assert refused.summary.startswith(f"{TOKEN_URL} answered {refused.status}")
    assert refused.hint is not None
    assert refused.hint.startswith(hint)
    assert (len(far.token_requests), far.calls) == (1, [])


def test_a_429_is_waited_out_and_asked_again_with_a_new_assertion(connect: Connect) -> None:
    org = OAuthOrg(faults=[answer(429, headers=RESET | {"X-Okta-Request-Id": "req-1"})])
    client = connect(org)
    client.send()
    assert client.waits == [10.0]
    first, second = [claims(form(request)["client_assertion"])["jti"] for request in org.token_requests]
    assert first != second
    assert org.token_requests[1].headers["X-Okta-Retry-For"] == "req-1"
    assert "X-Okta-Retry-Count" not in org.calls[0].headers


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(429), okta.TooManyRequestsException),
        (answer(500), okta.ServiceException),
        (answer(404, content=b"<html>"), okta.TokenException),
        (answer(302, headers={"Location": "https://u:s3cret@else.example/x"}), okta.RedirectException),
        (answer(200, content=b"<html>s3cret"), okta.UnexpectedAnswerException),
        (answer(200, json=["s3cret"]), okta.UnexpectedAnswerException),
        (answer(200, json={"access_token": "s3cret"}), okta.UnexpectedAnswerException),
        (answer(200, json={"access_token": "s3cret", "token_type": "mac"}), okta.UnexpectedAnswerException),
        (answer(200, json={"access_token": "s3cret", "token_type": "DPoP"}), okta.UnexpectedAnswerException),
        (answer(200, json={"access_token": "s3cret", "token_type": "Bearer", "expires_in": -1}),
         okta.UnexpectedAnswerException),
    ],
)  # fmt: skip
def test_other_answers_are_errors_that_hold_no_secret(
    connect: Connect, reply: httpx2.Response, kind: type[okta.ApiException]
) -> None:
    org = OAuthOrg(faults=[reply])
    with pytest.raises(kind) as caught:
        connect(org, retries=0).send()
    assert caught.value.url == TOKEN_URL
    assert caught.value.about_token
    assert caught.value.hint
    shown = str(caught.value) + repr(caught.value) + caught.value.summary
    assert "s3cret" not in shown.replace(str(caught.value.headers), "")
    assert org.calls == []


def test_an_error_says_whether_it_is_about_the_token_or_the_call(connect: Connect) -> None:
    def lost(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no way")

    with pytest.raises(okta.ConnectionException) as caught:
        connect(lost).send()
    assert caught.value.about_token
    with pytest.raises(okta.BadRequestException) as refused:
        connect(OAuthOrg(call_faults=[answer(400)])).send()
    assert not refused.value.about_token


def test_what_was_sent_is_not_shown_when_it_is_sent_back(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: httpx2.Request) -> httpx2.Response:
        sent.append(form(request)["client_assertion"])
        return httpx2.Response(400, content=request.content)

    sent: list[str] = []
    client = connect(echo)
    client.configuration.debug = True
    with caplog.at_level(logging.DEBUG, "tocsin.okta"), pytest.raises(okta.TokenException) as caught:
        client.send()
    client.configuration.debug = False
    assert f"POST {TOKEN_URL} -> <RESTResponse 400" in caplog.text
    assert sent[0] not in str(caught.value) + caplog.text
    assert client.api.last_response is None


def test_no_repr_shows_a_token_or_a_key(connect: Connect) -> None:
    org = OAuthOrg()
    client = connect(org)
    client.send()
    shown = repr(client.configuration) + client.configuration.to_debug_report() + repr(vars(client.configuration))
    assert CLIENT_ID in repr(client.configuration)
    assert "private_key='(hidden)'" in repr(client.configuration)
    grant = client.configuration._grant
    assert grant is not None
    for thing in (grant, grant.session, grant._token, grant.settings):
        shown += repr(thing)
    assert "token-1" not in shown
    assert JWK["d"] not in shown


# -- DPoP


def test_an_app_that_requires_dpop_just_works(connect: Connect) -> None:
    org = OAuthOrg(requires_dpop=True)
    client = connect(org)
    client.send()
    client.list()
    assert ["DPoP" in request.headers for request in org.token_requests] == [False, True, True]
    assert len({claims(form(request)["client_assertion"])["jti"] for request in org.token_requests}) == 3
    assert [call.headers["Authorization"] for call in org.calls] == ["DPoP token-3"] * 2
    assert "nonce" not in claims(org.calls[0].headers["DPoP"])
    client.later(seconds=3000)
    client.send()
    assert len(org.token_requests) == 4  # it knows now that it needs a proof, and the nonce
    assert len({call.headers["DPoP"] for call in org.calls}) == 3


def test_with_dpop_a_proof_goes_out_from_the_first(connect: Connect) -> None:
    org = OAuthOrg(requires_dpop=True)
    connect(org, dpop=True).send()
    assert ["nonce" in claims(request.headers["DPoP"]) for request in org.token_requests] == [False, True]


def test_with_dpop_a_token_that_is_not_bound_is_not_used(connect: Connect) -> None:
    with pytest.raises(okta.UnexpectedAnswerException, match="not bound to the DPoP key") as caught:
        connect(OAuthOrg(gives_nonce=False), dpop=True).send()
    assert "require DPoP" in (caught.value.hint or "")


def test_a_nonce_that_is_renewed_is_followed(connect: Connect) -> None:
    org = OAuthOrg(requires_dpop=True, api_nonce="api-1")
    client = connect(org, dpop=True)
    client.send()
    org.nonce, org.api_nonce = "nonce-2", "api-2"
    client.later(seconds=3590)
    client.send()
    assert [claims(r.headers["DPoP"]).get("nonce") for r in org.token_requests] == [
        None,
        "nonce-1",
        "nonce-1",
        "nonce-2",
    ]
    assert [claims(r.headers["DPoP"]).get("nonce") for r in org.calls] == [None, "api-1", "api-1", "api-2"]


def test_an_org_that_is_never_content_with_a_nonce_is_not_asked_for_ever(connect: Connect) -> None:
    def never(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer(400, json={"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": f"n-{len(asked)}"})

    asked: list[httpx2.Request] = []
    with pytest.raises(okta.TokenException, match="use_dpop_nonce"):
        connect(never, dpop=True).send()
    assert len(asked) == 2


def test_a_retry_of_a_call_has_a_proof_of_its_own(connect: Connect) -> None:
    org = OAuthOrg(requires_dpop=True, call_faults=[answer(429, headers=RESET)])
    connect(org, dpop=True).send()
    proofs = [claims(call.headers["DPoP"]) for call in org.calls]
    assert len({proof["jti"] for proof in proofs}) == len(proofs) == 2


def test_an_api_that_is_never_content_with_a_proof_is_not_asked_for_ever(connect: Connect) -> None:
    challenge = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"'}
    never = [answer(401, headers=challenge | {"DPoP-Nonce": f"n-{number}"}) for number in range(9)]
    org = OAuthOrg(requires_dpop=True, call_faults=never)
    with pytest.raises(okta.UnauthorizedException, match="use_dpop_nonce"):
        connect(org, dpop=True).send()
    assert len(org.calls) == 3  # another nonce, another token, and no more


def test_a_clock_that_is_set_back_later_is_noticed(connect: Connect) -> None:
    org = OAuthOrg(requires_dpop=True)
    client = connect(org, dpop=True)
    client.send()
    client.later(minutes=-10)
    org.ahead = timedelta(minutes=10)
    client.send()
    assert len(org.calls) == 3
    assert len(org.token_requests) == 2


def test_a_custom_token_source_wins_and_knows_no_scopes(connect: Connect) -> None:
    class Source:
        def token(self, *, renew: bool = False) -> str:
            return "mine"

    org = OAuthOrg()
    with pytest.raises(okta.UnauthorizedException):
        connect(org, token_source=Source(), scopes=None).send()
    assert [call.headers["Authorization"] for call in org.calls] == ["Bearer mine"] * 2
    assert org.token_requests == []
    with pytest.raises(okta.UnauthorizedException):
        connect(org, access_token="given").send()
    with pytest.raises(okta.UnauthorizedException):
        connect(org).send(_request_auth={})
    assert org.token_requests == []


def test_the_proof_is_for_where_a_redirect_leads(connect: Connect) -> None:
    org = OAuthOrg(requires_dpop=True)

    def moved(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/api/v1/risk/events/ip":
            return answer(308, headers={"Location": "/api/v1/risk/providers?x=1"})
        if request.url.query:
            seen.append(claims(request.headers["DPoP"])["htu"])
            return answer(202)
        return org(request)

    seen: list[str] = []
    connect(moved, dpop=True).send()
    assert seen == [f"{HOST}/api/v1/risk/providers"]


def test_an_assertion_is_good_for_five_minutes_of_the_orgs_time(connect: Connect) -> None:
    org = OAuthOrg(ahead=timedelta(minutes=20))
    client = connect(org)
    client.send()
    client.later(hours=1)
    client.send()
    expires = claims(form(org.token_requests[-1])["client_assertion"])["exp"]
    assert expires == int((client.now + timedelta(minutes=25)).timestamp())
