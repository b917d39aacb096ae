"""The org on the wire: statuses, headers and bodies as official clients expect them."""

import json
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import pytest

from support.org import PROVIDERS, RISK_EVENTS, OrgProcess, event, send
from tocsin import okta

pytestmark = pytest.mark.slow
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OrgProcess, str]]:
    """One org for all tests here that do not mind company, and a token."""
    folder: Path = tmp_path_factory.mktemp("org")
    with OrgProcess(folder / "data", "--requests-per-minute", "100000", "--url", "https://risk.example/") as org:
        yield org, org.token()


@pytest.fixture
def client(shared: tuple[OrgProcess, str]) -> Iterator[httpx2.Client]:
    org, token = shared
    with org.client(token) as client:
        yield client


@pytest.fixture
def stranger(shared: tuple[OrgProcess, str]) -> Iterator[httpx2.Client]:
    """A client without authorization."""
    with shared[0].client(None) as client:
        yield client


def test_risk_events_are_accepted_with_an_empty_answer(client: httpx2.Client) -> None:
    answer = client.post(RISK_EVENTS, json=[event(("203.0.113.1", "HIGH"))])
    assert (answer.status_code, answer.content) == (202, b"")
    assert "content-type" not in answer.headers
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-okta-request-id"])
    assert answer.headers["cache-control"] == "no-cache, no-store"
    assert int(answer.headers["x-tocsin-journal-seq"]) > 0


def test_what_was_accepted_is_told_with_its_place_in_the_journal(client: httpx2.Client) -> None:
    why = {"ip": "203.0.113.3", "riskLevel": "MEDIUM", "message": "Seen on 3 lists."}
    times = {"timestamp": "2026-02-03T09:15:00.1239+01:00", "expiresAt": "2199-01-01T00:00:00Z"}
    seq = send(client, event(("203.0.113.2", "LOW")), {"subjects": [why], **times})
    view = client.get(f"/risk/v1/ips/::ffff:203.0.113.3?after={seq}").json()
    (word,) = view.pop("providers")
    assert view == {
        "ip": "203.0.113.3",
        "level": "MEDIUM",
        "effectiveLevel": None,
        "until": None,
        "policy": {"action": "allow", "rule": "default"},
        "cursor": view["cursor"],
    }
    assert view["cursor"] >= seq
    assert re.fullmatch("rkp[0-9A-Za-z]{17}", word.pop("id"))
    assert word == {
        "name": "Default",
        "action": "log_only",
        "level": "MEDIUM",
        "message": "Seen on 3 lists.",
        "observed": "2026-02-03T08:15:00.123Z",
        "expires": "2199-01-01T00:00:00.000Z",
        "journal": {"seq": seq, "event": 1, "subject": 0},
    }


def test_an_ip_nobody_spoke_about(client: httpx2.Client) -> None:
    view = client.get("/risk/v1/ips/198.51.100.77").json()
    assert (view["level"], view["effectiveLevel"], view["providers"]) == (None, None, [])


def test_an_assertion_that_has_expired_does_not_count_and_is_told(client: httpx2.Client) -> None:
    seq = send(client, event(("203.0.113.4", "HIGH"), expiresAt="2026-01-01T00:00:00Z"))
    view = client.get(f"/risk/v1/ips/203.0.113.4?after={seq}").json()
    assert view["level"] is None
    assert [word["expired"] for word in view["providers"]] == [True]


def test_a_request_with_one_bad_subject_is_refused_whole(client: httpx2.Client) -> None:
    before = client.get("/risk/v1/ips/203.0.113.5").json()["cursor"]
    answer = client.post(RISK_EVENTS, json=[event(("203.0.113.5", "HIGH"), ("203.0.113.500", "HIGH"))])
    assert answer.status_code == 400
    seq = send(client, event(("203.0.113.6", "HIGH")))
    assert seq == before + 1
    assert client.get(f"/risk/v1/ips/203.0.113.5?after={seq}").json()["level"] is None


def test_field_rules_are_named_one_by_one(client: httpx2.Client) -> None:
    body = [{"subjects": [{"riskLevel": "HIGH"}, {"ip": "1.2.3.4", "riskLevel": "LOW", "message": "a,b"}]}, {}]
    answer = client.post(RISK_EVENTS, json=body)
    error = answer.json()
    assert list(error) == ["errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"]
    assert re.fullmatch("oae[A-Za-z0-9_-]{22}", error["errorId"])
    assert (answer.status_code, error["errorCode"], error["errorLink"]) == (400, "E0000001", "E0000001")
    assert error["errorSummary"] == "Api validation failed: ip"
    assert [cause["errorSummary"].partition(":")[0] for cause in error["errorCauses"]] == ["ip", "message", "subjects"]
    assert error["errorCauses"][0] == {"errorSummary": "ip: The field cannot be left blank"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b"[1]", b"[" * 100_000, b'[{"subjects":[{"ip":"1.2.3.4","riskLevel":"EXTREME"}]}]', b"\xff\xfe"],
)
def test_what_is_not_risk_events_at_all(client: httpx2.Client, body: bytes) -> None:
    answer = client.post(RISK_EVENTS, content=body, headers=JSON)
    error = answer.json()
    assert (answer.status_code, error["errorCode"], error["errorCauses"]) == (400, "E0000003", [])
    assert error["errorSummary"] == "The request body was not well-formed."


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded"]
)
def test_another_content_type(client: httpx2.Client, kind: str) -> None:
    answer = client.post(RISK_EVENTS, content=b"[]", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "E0000021")


def test_a_body_that_is_too_large_is_not_read(client: httpx2.Client) -> None:
    for body in (bytes(5_000_000), (bytes(100_000) for _ in range(50))):
        try:
            answer = client.post(RISK_EVENTS, content=body, headers=JSON)
        except httpx2.TransportError:
            continue  # it hung up while we were still sending, which says the same
        assert (answer.status_code, answer.json()["errorCode"]) == (413, "E0000003")


def test_ssws_with_and_without_a_blank(shared: tuple[OrgProcess, str], stranger: httpx2.Client) -> None:
    for header in (f"SSWS {shared[1]}", f"SSWS{shared[1]}", f"ssws  {shared[1]}"):
        assert stranger.get(PROVIDERS, headers={"authorization": header}).status_code == 200


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 403, "E0000005"),
        ("Basic eA==", 403, "E0000005"),
        ("SSWS 00wrong", 401, "E0000011"),
        ("SSWS", 401, "E0000011"),
    ],
)
def test_who_is_not_let_in(stranger: httpx2.Client, header: str | None, status: int, code: str) -> None:
    headers = {} if header is None else {"authorization": header}
    for method, path in (("POST", RISK_EVENTS), ("GET", PROVIDERS), ("GET", "/risk/v1/ips/1.2.3.4"), ("GET", "/none")):
        answer = stranger.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["errorCode"]) == (status, code)


def test_a_bearer_token_is_refused_in_a_header_alone(stranger: httpx2.Client) -> None:
    answer = stranger.post(RISK_EVENTS, headers={"authorization": "Bearer a.b.c"})
    assert (answer.status_code, answer.content) == (401, b"")
    assert "content-type" not in answer.headers
    assert answer.headers["www-authenticate"] == (
        'Bearer authorization_uri="http://risk.example/oauth2/v1/authorize", realm="http://risk.example", '
        'scope="okta.riskEvents.manage", error="invalid_token", '
        'error_description="The access token is invalid.", resource="/api/v1/risk/events/ip"'
    )


def test_unknown_paths_ids_and_methods(client: httpx2.Client) -> None:
    for method, path, status, code in (
        ("GET", "/api/v1/nothing", 404, "E0000008"),
        ("GET", "/", 404, "E0000008"),
        ("GET", f"{PROVIDERS}/rkp0", 404, "E0000007"),
        ("DELETE", f"{PROVIDERS}/rkp0", 404, "E0000007"),
        ("GET", RISK_EVENTS, 405, "E0000022"),
        ("PATCH", PROVIDERS, 405, "E0000022"),
        ("POST", "/risk/v1/ips/1.2.3.4", 405, "E0000022"),
        ("GET", "/risk/v1/ips/1.2.3.4/8", 400, "E0000002"),
        ("GET", "/risk/v1/ips/1.2.3.4?after=x", 400, "E0000002"),
    ):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["errorCode"]) == (status, code), path
        assert ("x-okta-request-id" in answer.headers) is (status != 405)
        assert status != 405 or "x-rate-limit-limit" not in answer.headers
    unknown = client.get(f"{PROVIDERS}/rkp0").json()
    assert unknown["errorSummary"] == "Not found: Resource not found: rkp0 (RiskProvider)"


def test_health_needs_no_token(stranger: httpx2.Client) -> None:
    assert stranger.get("/healthz").json() == {"status": "ok"}


def test_the_life_of_a_provider(client: httpx2.Client) -> None:
    wanted = {"name": "edge-sensor", "clientId": "0oa4k2Yq8VfWn6Rsd0g7", "id": "rkpMine", "unknown": 1}
    created = client.post(PROVIDERS, json=wanted)
    provider = created.json()
    assert created.status_code == 201
    assert list(provider) == ["id", "name", "clientId", "action", "created", "lastUpdated", "_links"]
    assert re.fullmatch("rkp[0-9A-Za-z]{17}", provider["id"])
    assert (provider["action"], provider["created"]) == ("log_only", provider["lastUpdated"])
    place = f"{PROVIDERS}/{provider['id']}"
    assert provider["_links"] == {
        "self": {"href": f"https://risk.example{place}", "hints": {"allow": ["GET", "PUT", "DELETE"]}}
    }
    assert client.get(place).json() == provider
    replaced = client.put(place, json={"name": "edge", "clientId": "0oa2", "action": "enforce_and_log"})
    assert replaced.status_code == 200
    assert {**provider, "name": "edge", "clientId": "0oa2", "action": "enforce_and_log"} == {
        **replaced.json(),
        "lastUpdated": provider["lastUpdated"],
    }
    deleted = client.delete(place)
    assert (deleted.status_code, deleted.content, "content-type" in deleted.headers) == (204, b"", False)
    assert client.get(place).status_code == 404


def test_names_are_unique_and_three_providers_are_the_most(client: httpx2.Client) -> None:
    first, second = (client.post(PROVIDERS, json={"name": name, "clientId": "c"}).json() for name in ("a", "b"))
    fourth = client.post(PROVIDERS, json={"name": "c", "clientId": "c"})
    assert (fourth.status_code, fourth.json()["errorCode"], len(fourth.json()["errorCauses"])) == (400, "E0000001", 1)
    taken = client.put(f"{PROVIDERS}/{second['id']}", json={"name": "a", "clientId": "c"})
    assert taken.status_code == 400
    cause = "name: An object with this field already exists in the current organization"
    assert taken.json()["errorCauses"] == [{"errorSummary": cause}]
    same = client.put(f"{PROVIDERS}/{second['id']}", json={"name": "b", "clientId": "d"})
    assert same.json()["clientId"] == "d"
    for provider in (first, second):
        assert client.delete(f"{PROVIDERS}/{provider['id']}").status_code == 204


def test_a_provider_without_its_fields(client: httpx2.Client) -> None:
    error = client.post(PROVIDERS, json={}).json()
    assert error["errorSummary"] == "Api validation failed: name"
    causes = [cause["errorSummary"] for cause in error["errorCauses"]]
    assert causes == ["name: The field cannot be left blank", "clientId: The field cannot be left blank"]


def test_a_read_only_token_changes_nothing(shared: tuple[OrgProcess, str]) -> None:
    org, _ = shared
    with org.client(org.token("viewer", "--role", "read_only")) as client:
        assert client.get(PROVIDERS).status_code == 200
        for answer in (client.post(PROVIDERS, json={}), client.post(RISK_EVENTS, json=[])):
            assert (answer.status_code, answer.json()["errorCode"]) == (403, "E0000006")


def test_the_word_of_an_enforcing_provider_has_an_effect_until_it_is_gone(org: OrgProcess) -> None:
    with org.client(org.token()) as client:
        default = client.get(PROVIDERS).json()[0]
        place = f"{PROVIDERS}/{default['id']}"
        seq = send(client, event(("203.0.113.9", "HIGH")))
        look = f"/risk/v1/ips/203.0.113.9?after={seq}"
        assert client.get(look).json()["effectiveLevel"] is None
        client.put(place, json={"name": "Default", "clientId": "null", "action": "enforce_and_log"})
        assert client.get(look).json()["effectiveLevel"] == "HIGH"
        client.delete(place)
        assert client.get(look).json()["providers"] == []
        refused = client.post(RISK_EVENTS, json=[event(("203.0.113.9", "HIGH"))])
        assert (refused.status_code, refused.json()["errorCode"]) == (403, "E0000006")


def test_thirty_requests_a_minute_and_failed_ones_count(org: OrgProcess) -> None:
    with org.client(org.token()) as client, org.client(org.token("other")) as other:
        for number in range(30):
            good = number % 2 == 0
            answer = client.post(RISK_EVENTS, json=[event(("203.0.113.9", "HIGH"))] if good else {})
            assert answer.status_code == (202 if good else 400)
            assert answer.headers["x-rate-limit-remaining"] == str(29 - number)
        refused = client.post(RISK_EVENTS, json=[event(("203.0.113.9", "HIGH"))])
        assert (refused.status_code, refused.json()["errorCode"]) == (429, "E0000047")
        assert refused.json()["errorSummary"] == "API call exceeded rate limit due to too many requests."
        assert [refused.headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining")] == ["30", "0"]
        assert "cache-control" not in refused.headers
        date = parsedate_to_datetime(refused.headers["date"]).timestamp()
        assert 0 < int(refused.headers["x-rate-limit-reset"]) - date <= 61
        assert other.post(RISK_EVENTS, json={}).status_code == 429  # the bucket is the org's
        assert client.get(PROVIDERS).headers["x-rate-limit-limit"] == "1200"


def test_answers_are_compact(client: httpx2.Client) -> None:
    answer = client.get("/api/v1/nothing")
    assert answer.content == json.dumps(answer.json(), separators=(",", ":")).encode()
    assert answer.headers["content-type"] == "application/json"


def test_the_provider_an_org_starts_with_can_be_replaced_as_it_was_read(org: OrgProcess) -> None:
    with okta.ApiClient(okta.Configuration(host=org.url, api_key={"apiToken": org.token()})) as client:
        api = okta.RiskProviderApi(client)
        (default,) = api.list_risk_providers()
        default.action = okta.RiskProviderAction.ENFORCE_AND_LOG
        assert default.id is not None
        replaced = api.replace_risk_provider(default.id, default)
        assert (replaced.name, replaced.client_id, replaced.action) == ("Default", None, "enforce_and_log")
        with pytest.raises(okta.ApiValueError, match="clientId: is missing"):
            api.create_risk_provider(okta.RiskProvider(name="edge-sensor"))
