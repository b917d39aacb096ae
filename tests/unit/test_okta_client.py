"""Calls through the sync and the async client against a scripted org: one suite, since there is one core."""

import json
import logging
import types
from typing import Any

import httpx2
import pytest

from support.okta_org import EVENT, HOST, NOW, Caller, ScriptedOrg, answer
from tocsin import okta, signals
from tocsin.okta.request import Request
from tocsin.okta.steps import Send

SENT = b'[{"subjects":[{"ip":"198.51.100.7","riskLevel":"HIGH"}]}]'
PROVIDER = {"id": "rkp1", "name": "edge", "clientId": "0oa1", "action": "none"}
LOOKALIKE = types.SimpleNamespace(ip="::1", risk_level="LOW", message=None)
CHOSEN = {"in": "header", "key": "Authorization", "value": "SSWS x"}
RATE = {"X-Rate-Limit-Limit": "30", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": str(int(NOW.timestamp()) + 9)}


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param)


def send(events: okta.RiskEventApi, _: okta.RiskProviderApi) -> Any:
    return events.send_risk_events([EVENT])


# -- what goes out


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        {"subjects": [{"ip": "198.51.100.7", "risk_level": "HIGH"}]},
        okta.RiskEvent(subjects=[okta.RiskEventSubject(ip="198.51.100.7", risk_level="HIGH")]),
        okta.RiskEvent.from_dict(EVENT),
        signals.RiskEvent([signals.RiskEventSubject("198.51.100.7", signals.RiskLevel.HIGH)]),
    ],
)
def test_events_of_every_kind_go_out_the_same(call: Caller, event: Any) -> None:
    org = ScriptedOrg()
    assert call(org, lambda events, _: events.send_risk_events([event])) is None
    (request,) = org.requests
    assert (request.method, str(request.url), request.content) == ("POST", f"{HOST}/api/v1/risk/events/ip", SENT)
    assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
    assert request.headers["Authorization"] == "SSWS s3cret"


@pytest.mark.parametrize(
    ("settings", "per_call", "expected"),
    [
        ({"access_token": "a"}, {}, "Bearer a"),
        ({"api_key_prefix": {"apiToken": "Bearer"}}, {}, "Bearer s3cret"),
        ({"api_key": {}}, {}, None),
        ({"api_key": {}, "access_token": "a"}, {}, "Bearer a"),
        (
            {"access_token": "a"},
            {"_request_auth": {"in": "header", "key": "Authorization", "value": "SSWS x"}},
            "SSWS x",
        ),
        ({"access_token": "a"}, {"_request_auth": {}}, None),
        ({}, {"_headers": {"authorization": "SSWS other"}}, "SSWS other"),
    ],
)
def test_which_credential_goes_out(
    call: Caller, settings: dict[str, Any], per_call: dict[str, Any], expected: str | None
) -> None:
    org = ScriptedOrg()
    call(org, lambda events, _: events.send_risk_events([EVENT], **per_call), **settings)
    assert org.requests[0].headers.get("Authorization") == expected


def test_parameters_of_one_call(call: Caller) -> None:
    org = ScriptedOrg()
    call(
        org,
        lambda events, _: events.send_risk_events(
            [EVENT],
            _headers={"X-Trace": "1", "USER-agent": "mine"},
            _content_type="application/vnd.x+json",
            _request_timeout=(1.5, 2),
            _host_index=0,
        ),
    )
    (request,) = org.requests
    assert request.headers["X-Trace"] == "1"
    assert request.headers.get_list("User-Agent") == ["mine"]
    assert request.headers["Content-Type"] == "application/vnd.x+json"
    assert request.extensions["timeout"] == {"connect": 1.5, "read": 2.0, "write": 2.0, "pool": 1.5}


def test_the_name_expected_in_a_certificate_goes_to_the_connection(call: Caller) -> None:
    org = ScriptedOrg()
    call(org, send, tls_server_name="inner.example")
    assert org.requests[0].extensions["sni_hostname"] == "inner.example"


def test_default_headers_go_with_every_request() -> None:
    org = ScriptedOrg()
    client = okta.ApiClient(okta.Configuration(host=HOST), "X-One", "1", "sid=2", transport=httpx2.MockTransport(org))
    client.set_default_header("X-Three", "3")
    client.user_agent = "mine"
    okta.RiskEventApi(client).send_risk_events([EVENT])
    headers = org.requests[0].headers
    assert [headers[name] for name in ("X-One", "Cookie", "X-Three", "User-Agent")] == ["1", "sid=2", "3", "mine"]


# -- what is refused before it goes out


@pytest.mark.parametrize(
    ("instance", "paths"),
    [
        ([okta.RiskEvent()], ["[0].subjects"]),
        ([], [""]),
        ([EVENT] * 21, [""]),
        ([{"subjects": EVENT["subjects"] * 51}], ["[0].subjects"]),
        ([{"subjects": [{"ip": "10.0.0.300", "riskLevel": "high", "message": "a,b"}]}],
         ["[0].subjects[0].ip", "[0].subjects[0].riskLevel", "[0].subjects[0].message"]),
        ([okta.RiskEvent(subjects=[okta.RiskEventSubject()])], ["[0].subjects[0].ip", "[0].subjects[0].riskLevel"]),
        ([okta.RiskEvent(timestamp="yesterday", subjects=[okta.RiskEventSubject(ip="::1", risk_level="LOW")])],
         ["[0].timestamp"]),
        ([EVENT, "text", 7], ["[1]", "[2]"]),
        ([okta.RiskEvent.from_dict({"subjects": [LOOKALIKE]})],
         ["[0].subjects[0]"]),
        ([signals.RiskEvent([signals.RiskEventSubject("10.0.0.0/8", signals.RiskLevel.LOW)])], ["[0].subjects[0].ip"]),
    ],
)  # fmt: skip
def test_what_breaks_the_rules_is_not_sent(call: Caller, instance: Any, paths: list[str]) -> None:
    org = ScriptedOrg()
    with pytest.raises(okta.InvalidInstance) as caught:
        call(org, lambda events, _: events.send_risk_events(instance))
    assert [problem.path for problem in caught.value.problems] == paths
    assert isinstance(caught.value, ValueError | signals.InvalidSignals)
    assert "\n" not in str(caught.value)
    assert org.requests == []


def test_a_bare_event_is_no_list(call: Caller) -> None:
    def try_(instance: Any) -> None:
        with pytest.raises(okta.ApiTypeError, match="sent as a list"):
            call(ScriptedOrg(), lambda events, _: events.send_risk_events(instance))

    for instance in (EVENT, okta.RiskEvent(), "[]", None):
        try_(instance)


def test_without_checks_the_org_is_left_to_judge(call: Caller) -> None:
    org = ScriptedOrg(answer(400, json={"errorCode": "E0000001"}))
    with pytest.raises(okta.BadRequestException):
        call(org, lambda events, _: events.send_risk_events([okta.RiskEvent()]), client_side_validation=False)
    assert org.requests[0].content == b"[{}]"


@pytest.mark.parametrize(
    ("settings", "per_call", "match"),
    [
        ({"host": "org.example"}, {}, "is not the URL of an org"),
        ({"host": "https://"}, {}, "is not the URL of an org"),
        ({"host": "https://org.example:port"}, {}, "is not the URL of an org"),
        ({"host": "ftp://org.example"}, {}, "is not the URL of an org"),
        ({"host": "https://u:s3cret@org.example"}, {}, "must not hold a user name"),
        ({"api_key": {"apiToken": "s3cret\n"}}, {}, "the credential cannot be sent"),
        ({"api_key": {"apiToken": "s3cretÄ"}}, {}, "the credential cannot be sent"),
        ({"access_token": "s3cret\r\nX: y"}, {}, "the credential cannot be sent"),
        ({"retries": -1}, {}, "-1 retries"),
        ({"timeout_s": 0}, {}, "0 is not a timeout"),
        ({}, {"_request_timeout": (1, 2, 3)}, "is not a timeout"),
        ({}, {"_host_index": 1}, "there is no host 1"),
        ({}, {"_request_auth": {"in": "query", "key": "k", "value": "v"}}, "cannot be sent in 'query'"),
        ({}, {"_request_auth": {"key": "k"}}, "has no 'in'"),
        ({}, {"_headers": {"X-A": "b\nc"}}, "the header X-A cannot be sent"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work(
    call: Caller, settings: dict[str, Any], per_call: dict[str, Any], match: str
) -> None:
    org = ScriptedOrg()
    with pytest.raises(okta.ApiValueError, match=match) as caught:
        call(org, lambda events, _: events.send_risk_events([EVENT], **per_call), **settings)
    assert "s3cret" not in repr(caught.value)
    assert org.requests == []


def test_an_unknown_parameter_is_named(call: Caller) -> None:
    with pytest.raises(okta.ApiTypeError, match="has no parameter timeout"):
        call(ScriptedOrg(), lambda events, _: events.send_risk_events([EVENT], timeout=3))  # type: ignore[call-arg]


@pytest.mark.parametrize("host", ["http://org.example", "http://127.0.0.1.example", "http://10.0.0.1", "http://[::2]"])
def test_a_credential_does_not_travel_in_the_clear(call: Caller, host: str) -> None:
    org = ScriptedOrg()
    with pytest.raises(okta.InsecureHostError, match="plain http"):
        call(org, send, host=host)
    assert org.requests == []
    call(org, send, host=host, allow_insecure_http=True)
    call(org, send, host=host, api_key={})
    assert len(org.requests) == 2


@pytest.mark.parametrize("host", ["http://localhost:1", "http://127.0.0.1:1", "http://127.8.0.1", "http://[::1]:1"])
def test_loopback_is_not_the_network_unless_a_proxy_stands_between(call: Caller, host: str) -> None:
    org = ScriptedOrg()
    call(org, send, host=host)
    with pytest.raises(okta.InsecureHostError):
        call(org, send, host=host, proxy="http://proxy.example:3128")
    assert len(org.requests) == 1


# -- what comes back


def test_the_three_twins_of_a_method(call: Caller) -> None:
    org = ScriptedOrg(answer(202, headers=RATE))
    info = call(org, lambda events, _: events.send_risk_events_with_http_info([EVENT]))
    assert (info.status_code, info.data, info.raw_data) == (202, None, b"")
    assert info.headers["x-rate-limit-limit"] == "30"
    raw = call(ScriptedOrg(answer(400, content=b"?")), lambda e, _: e.send_risk_events_without_preload_content([EVENT]))
    assert (raw.status, raw.read(), raw.getheader("date")) == (400, b"?", "Tue, 03 Feb 2026 09:15:00 GMT")


def test_the_rate_headers_of_the_last_answer_can_be_read(call: Caller) -> None:
    call(ScriptedOrg(answer(202, headers=RATE)), send)
    assert call.client is not None
    assert call.client.last_response is not None
    assert call.client.last_response.rate_limit == okta.RateLimit(30, 0, int(NOW.timestamp()) + 9)
    call(ScriptedOrg(answer(202)), send)
    assert call.client.last_response is not None
    assert call.client.last_response.rate_limit == okta.RateLimit(None, None, None)


def test_a_rate_limit_that_was_not_told_is_not_guessed(call: Caller) -> None:
    call(ScriptedOrg(answer(202)), send)
    assert call.client is not None
    assert call.client.last_response is not None
    assert call.client.last_response.rate_limit == okta.RateLimit(None, None, None)


def test_a_page_of_html_under_a_success_is_no_success(call: Caller) -> None:
    with pytest.raises(okta.UnexpectedAnswerException, match="not what the API documents"):
        call(ScriptedOrg(answer(200, content=b"<html>please log in</html>")), send)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'"x"'])
def test_a_provider_is_an_object(call: Caller, content: bytes) -> None:
    with pytest.raises(okta.UnexpectedAnswerException):
        call(ScriptedOrg(answer(200, content=content)), lambda _, providers: providers.get_risk_provider("rkp1"))


@pytest.mark.parametrize("content", [b"", b"{}", b"[7]", b'[{"_links":[1]},null]'])
def test_a_list_of_providers_is_a_list_of_objects(call: Caller, content: bytes) -> None:
    with pytest.raises(okta.UnexpectedAnswerException):
        call(ScriptedOrg(answer(200, content=content)), lambda _, providers: providers.list_risk_providers())


@pytest.mark.parametrize(
    ("do", "status", "reply", "method", "path"),
    [
        (lambda p: p.create_risk_provider({"name": "edge", "client_id": "0oa1"}), 201, PROVIDER, "POST", ""),
        (lambda p: p.get_risk_provider("rkp1"), 200, PROVIDER, "GET", "/rkp1"),
        (lambda p: p.get_risk_provider("a/../b?c"), 200, PROVIDER, "GET", "/a%2F..%2Fb%3Fc"),
        (lambda p: p.list_risk_providers(), 200, [PROVIDER], "GET", ""),
        (
            lambda p: p.replace_risk_provider("rkp1", okta.RiskProvider.from_dict(PROVIDER)),
            200,
            PROVIDER,
            "PUT",
            "/rkp1",
        ),
        (lambda p: p.delete_risk_provider("rkp1"), 204, None, "DELETE", "/rkp1"),
    ],
)
def test_providers(call: Caller, do: Any, status: int, reply: Any, method: str, path: str) -> None:
    org = ScriptedOrg(answer(status, json=reply) if reply else answer(status))
    result = call(org, lambda _, providers: do(providers))
    (request,) = org.requests
    assert (request.method, request.url.raw_path.decode()) == (method, f"/api/v1/risk/providers{path}")
    expected = okta.RiskProvider.from_dict(PROVIDER)
    assert result == (None if reply is None else [expected] if isinstance(reply, list) else expected)
    if method in ("POST", "PUT"):
        action = "log_only" if method == "POST" else "none"
        assert json.loads(request.content) == {"name": "edge", "clientId": "0oa1", "action": action}


def test_a_provider_that_breaks_the_rules_is_not_sent(call: Caller) -> None:
    org = ScriptedOrg()
    with pytest.raises(okta.InvalidInstance, match="name: is missing; clientId: is missing"):
        call(org, lambda _, providers: providers.create_risk_provider(okta.RiskProvider()))
    with pytest.raises(okta.ApiTypeError, match="a RiskProvider is needed, not list"):
        call(org, lambda _, providers: providers.create_risk_provider([]))  # type: ignore[arg-type]
    assert org.requests == []


@pytest.mark.parametrize("risk_provider_id", ["", "..", " ", None])
def test_an_id_that_is_none_is_not_sent(call: Caller, risk_provider_id: Any) -> None:
    org = ScriptedOrg()
    with pytest.raises(okta.ApiValueError, match="is not the id"):
        call(org, lambda _, providers: providers.delete_risk_provider(risk_provider_id))
    assert org.requests == []


# -- what is tried again


def test_a_429_is_waited_out_by_the_clock_of_the_org(call: Caller) -> None:
    first = answer(429, headers=RATE | {"X-Okta-Request-Id": "req-1"})
    org = ScriptedOrg(first, answer(429, headers=RATE | {"X-Okta-Request-Id": "req-2"}), answer(202))
    call(org, send)
    assert call.waits == [10.0, 10.0]
    sent = [(r.headers.get("X-Okta-Retry-Count"), r.headers.get("X-Okta-Retry-For"), r.content) for r in org.requests]
    assert sent == [(None, None, SENT), ("1", "req-1", SENT), ("2", "req-1", SENT)]


@pytest.mark.parametrize(("retries", "requests"), [(None, 3), (0, 1), (False, 1), (5, 6)])
def test_retries_are_bounded_and_can_be_turned_off(call: Caller, retries: int | None, requests: int) -> None:
    org = ScriptedOrg(answer(503))
    with pytest.raises(okta.ServiceException):
        call(org, send, retries=retries)
    assert len(org.requests) == requests
    assert call.waits == [0.25 * 2**n for n in range(requests - 1)]


def test_a_wait_longer_than_allowed_is_not_begun(call: Caller) -> None:
    org = ScriptedOrg(answer(429, headers=RATE))
    with pytest.raises(okta.TooManyRequestsException) as caught:
        call(org, send, max_retry_wait_s=5)
    assert caught.value.retry_after_s == 10.0
    assert (len(org.requests), call.waits) == (1, [])


def test_creating_is_not_repeated_after_a_fault(call: Caller) -> None:
    org = ScriptedOrg(answer(500))
    with pytest.raises(okta.ServiceException):
        call(org, lambda _, providers: providers.create_risk_provider({"name": "edge", "clientId": "0oa1"}))
    assert len(org.requests) == 1


def test_a_broken_connection_is_tried_again(call: Caller) -> None:
    org = ScriptedOrg(httpx2.RemoteProtocolError("Server disconnected"), answer(202))
    call(org, send)
    assert len(org.requests) == 2
    with pytest.raises(okta.ConnectionLostException, match=r"org\.example broke the connection") as caught:
        call(ScriptedOrg(httpx2.ReadError("reset by peer")), send)
    assert caught.value.status is None


@pytest.mark.parametrize(
    ("error", "kind", "match"),
    [
        (httpx2.ConnectTimeout("t"), okta.TimeoutException, r"no connection to org\.example within 10 s"),
        (httpx2.ReadTimeout("t"), okta.TimeoutException, r"org\.example did not answer within 60 s"),
        (httpx2.ProxyError("407"), okta.ConnectionException, "the proxy gave no way"),
        (httpx2.LocalProtocolError("Illegal header value b's3cret'"), okta.ConnectionException, "LocalProtocolError"),
    ],
)
def test_other_failures_are_final_and_say_where(
    call: Caller, error: Exception, kind: type[okta.ConnectionException], match: str
) -> None:
    org = ScriptedOrg(error)
    with pytest.raises(kind, match=match) as caught:
        call(org, send)
    assert len(org.requests) == 1
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint


# -- where it is sent on


def test_a_redirect_on_the_same_host_keeps_what_was_sent(call: Caller) -> None:
    org = ScriptedOrg(answer(308, headers={"Location": "/v2/events"}), answer(202))
    call(org, send)
    assert [(r.method, r.url.path, r.content) for r in org.requests][1] == ("POST", "/v2/events", SENT)
    assert org.requests[1].headers["Authorization"] == "SSWS s3cret"


def test_a_redirect_to_another_host_is_refused_unless_allowed(call: Caller) -> None:
    away = answer(307, headers={"Location": "https://evil.example/?t=s3cret"})
    org = ScriptedOrg(away, answer(202))
    with pytest.raises(okta.RedirectException, match=r"to https://evil\.example, was not followed") as caught:
        call(org, send)
    assert caught.value.status == 307
    assert len(org.requests) == 1
    org = ScriptedOrg(away, answer(202))
    call(org, send, allow_cross_host_redirects=True)
    assert org.requests[1].url.host == "evil.example"


def test_not_even_an_allowed_redirect_leads_into_the_clear(call: Caller) -> None:
    org = ScriptedOrg(answer(307, headers={"Location": "http://org.example/"}), answer(202))
    with pytest.raises(okta.InsecureHostError):
        call(org, send, allow_cross_host_redirects=True)


def test_a_circle_of_redirects_ends(call: Caller) -> None:
    org = ScriptedOrg(answer(307, headers={"Location": "/again"}))
    with pytest.raises(okta.RedirectException, match="too many redirects"):
        call(org, send)
    assert len(org.requests) == 6


# -- tokens that are fetched


class Source:
    def __init__(self, kind: str) -> None:
        self.asked: list[bool] = []
        self._kind = kind

    def token(self, *, renew: bool = False) -> Any:
        self.asked.append(renew)
        token = f"token-{len(self.asked)}"
        return token if self._kind == "sync" else self._later(token)

    async def _later(self, token: str) -> str:
        return token


def test_a_refused_token_is_renewed_once(call: Caller) -> None:
    source, org = Source(call.kind), ScriptedOrg(answer(401), answer(202))
    call(org, send, token_source=source)
    assert source.asked == [False, True]
    assert [r.headers["Authorization"] for r in org.requests] == ["Bearer token-1", "Bearer token-2"]
    source, org = Source(call.kind), ScriptedOrg(answer(401))
    with pytest.raises(okta.UnauthorizedException):
        call(org, send, token_source=source)
    assert source.asked == [False, True]


def test_a_given_token_is_not_fetched(call: Caller) -> None:
    source = Source(call.kind)
    call(ScriptedOrg(), send, token_source=source, access_token="a")
    assert source.asked == []


def test_a_source_for_the_other_client_is_named() -> None:
    call = Caller("sync")

    class Later:
        def token(self, *, renew: bool = False) -> Any:
            return object()

    with pytest.raises(okta.ApiTypeError, match="for an AsyncApiClient"):
        call(ScriptedOrg(), send, token_source=Later())
    call = Caller("async")
    call(ScriptedOrg(), send, token_source=Source("sync"))


# -- around it


def test_debug_logs_the_call_and_no_secret(call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tocsin.okta"):
        call(ScriptedOrg(answer(503), answer(202, headers={"Set-Cookie": "sid=s3cret"})), send, debug=True)
    logging.getLogger("tocsin.okta").setLevel(logging.NOTSET)
    assert "POST https://org.example/api/v1/risk/events/ip -> <RESTResponse 202" in caplog.text
    assert "answered 503; attempt 2 of 3 follows in 0.2 s" in caplog.text
    assert "s3cret" not in caplog.text
    assert "198.51.100.7" not in caplog.text


def test_an_api_without_a_client_uses_the_default_one() -> None:
    client = okta.ApiClient(okta.Configuration(host=HOST))
    try:
        okta.ApiClient.set_default(client)
        assert okta.RiskEventApi().api_client is client
    finally:
        okta.ApiClient.set_default(None)


async def test_the_typed_async_face_is_awaited() -> None:
    org = ScriptedOrg(answer(200, json=[PROVIDER]))
    client = okta.AsyncApiClient(okta.Configuration(host=HOST), transport=httpx2.MockTransport(org))
    async with client:
        providers = await okta.AsyncRiskProviderApi(client).list_risk_providers()
        info = await okta.AsyncRiskEventApi(client).send_risk_events_with_http_info([EVENT])
    assert [provider.id for provider in providers] == ["rkp1"]
    assert info.status_code == 200
    with pytest.raises(okta.ApiTypeError, match="needs an AsyncApiClient"):
        okta.AsyncRiskEventApi(okta.ApiClient())  # type: ignore[arg-type]


def test_sync_and_async_faces_offer_the_same_methods() -> None:
    for sync, other in (
        (okta.RiskEventApi, okta.AsyncRiskEventApi),
        (okta.RiskProviderApi, okta.AsyncRiskProviderApi),
    ):
        names = [{name for name in vars(face) if not name.startswith("_")} for face in (sync, other)]
        assert names[0] == names[1]
        plain = {name for name in names[0] if not name.endswith(("_with_http_info", "_without_preload_content"))}
        assert len(names[0]) == 3 * len(plain)


@pytest.mark.parametrize("extra", [0, 1])
def test_an_answer_is_read_up_to_a_bound(call: Caller, extra: int) -> None:
    org = ScriptedOrg(httpx2.Response(202, content=b"[]".ljust(4 * 1024 * 1024 + extra)))
    if not extra:
        assert call(org, send) is None
        return
    with pytest.raises(okta.ConnectionException, match="answers with more than 4 MiB"):
        call(org, send)
    assert len(org.requests) == 1


def test_no_repr_of_a_request_shows_its_credential() -> None:
    headers = {"authorization": ("Authorization", "SSWS s3cret")}
    request = Request("POST", f"{HOST}/api", headers, b"[]", (1.0, 1.0))
    assert "s3cret" not in repr(request) + repr(Send(request))
    assert f"POST {HOST}/api" in repr(request)
