"""The doors that say what to do about an IP: explained, many at once, and for proxies; and the policy behind them."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from support.asgi import InProcess, in_process
from tocsin.org.config import Check, Http, OrgConfig
from tocsin.org.errors import OrgError
from tocsin.org.policy import Action, Policy
from tocsin.org.records import Role, local_deed
from tocsin.org.risk_index import Look

BAD, ODD, CLEAN = "203.0.113.9", "203.0.113.10", "203.0.113.11"
PROXY = "10.0.0.1"
BEHIND_PROXY = OrgConfig(http=Http(trusted_proxies=[PROXY]), check=Check(open_to_proxies=True))
POLICY = "/risk/v1/policy"


async def test_a_look_up_says_what_the_policy_says_and_until_when(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.say((BAD, "HIGH"))
        logged = (await running.client.get(f"/risk/v1/ips/{BAD}")).json()
        assert (logged["level"], logged["effectiveLevel"], logged["until"]) == ("HIGH", None, None)
        assert logged["policy"] == {"action": "allow", "rule": "default"}
        await running.enforce()
        enforced = (await running.client.get(f"/risk/v1/ips/{BAD}")).json()
        assert (enforced["effectiveLevel"], enforced["until"]) == ("HIGH", "2026-02-03T02:40:00.000Z")
        assert enforced["policy"] == {"action": "deny", "rule": "level HIGH"}


async def test_many_ips_are_answered_in_order(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        seq = await running.say((BAD, "HIGH"), (ODD, "MEDIUM"), ("2001:db8::7", "LOW"))
        asked = [CLEAN, BAD, ODD, "2001:DB8::7", BAD] + [f"198.51.{n // 250}.{n % 250}" for n in range(9995)]
        answer = (await running.client.post("/risk/v1/ips:batch", json={"ips": asked})).json()
        assert answer["cursor"] == seq
        assert [(one["ip"], one["effectiveLevel"], one["action"]) for one in answer["ips"][:6]] == [
            (CLEAN, None, "allow"),
            (BAD, "HIGH", "deny"),
            (ODD, "MEDIUM", "challenge"),
            ("2001:db8::7", "LOW", "allow"),
            (BAD, "HIGH", "deny"),
            ("198.51.0.0", None, "allow"),
        ]
        assert len(answer["ips"]) == 10_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"ips": []}, "E0000001"),
        ({"ips": ["203.0.113.9"] * 10_001}, "E0000001"),
        ({"ips": ["203.0.113.9", "203.0.113.0/24"]}, "E0000001"),
        ({"ips": "203.0.113.9"}, "E0000003"),
        ([], "E0000003"),
    ],
)
async def test_a_batch_that_is_none(tmp_path: Path, body: object, code: str) -> None:
    async with in_process(tmp_path) as running:
        answer = await running.client.post("/risk/v1/ips:batch", json=body)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, code)


async def test_a_bad_ip_of_a_batch_is_named(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        answer = await running.client.post("/risk/v1/ips:batch", json={"ips": [BAD, "999.1.1.1"]})
        (cause,) = answer.json()["errorCauses"]
        assert cause["errorSummary"] == "ips[1]: '999.1.1.1' is not an IPv4 or IPv6 address"


async def test_the_policy_is_replaced_by_whoever_may_and_told_with_who_and_when(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        default = (await running.client.get(POLICY)).json()
        assert default["policy"]["high"] == "deny"
        assert (default["setBy"], default["setAt"], default["seq"]) == (None, None, 0)
        wanted = {**default["policy"], "low": "challenge", "allowed": ["203.0.113.0/28"]}
        put = (await running.client.put(POLICY, json=wanted)).json()
        assert put == (await running.client.get(POLICY)).json()
        assert put["policy"] == wanted
        assert (put["setBy"]["kind"], put["setBy"]["name"]) == ("token", "t0")
        assert put["setAt"] == "2026-02-02T02:40:00.000Z"
        reader = await running.org.tokens.create("r", Role.READ_ONLY, deed=local_deed(0))
        async with running.from_peer("127.0.0.1", authorization=f"SSWS {reader}") as client:
            assert (await client.get(POLICY)).status_code == 200
            assert (await client.put(POLICY, json=wanted)).status_code == 403
        refused = await running.client.put(POLICY, json={"high": "block"})
        assert refused.status_code == 400
        assert "$.high" in refused.json()["errorCauses"][0]["errorSummary"]
        assert (await running.client.delete(POLICY)).status_code == 405


async def test_the_configuration_says_the_policy_until_somebody_says_it_over_http(tmp_path: Path) -> None:
    first, second = OrgConfig(policy=Policy(low=Action.DENY)), OrgConfig(policy=Policy(low=Action.CHALLENGE))
    async with in_process(tmp_path, first) as running:
        assert running.org.policy.standing.policy.low is Action.DENY
    async with in_process(tmp_path, second) as running:
        told = (await running.client.get(POLICY)).json()
        assert (told["policy"]["low"], told["setBy"]["kind"]) == ("challenge", "org")
        await running.client.put(POLICY, json={"high": "challenge"})
    with capture_logs() as logs:
        async with in_process(tmp_path, second) as running:
            assert running.org.policy.standing.policy == Policy(high=Action.CHALLENGE)
    assert [told["event"] for told in logs] == ["policy.set_over_http_holds"]


async def check(running: InProcess, client_ip: str, peer: str = PROXY, path: str = "/risk/v1/check") -> httpx2.Response:
    async with running.from_peer(peer, x_forwarded_for=client_ip) as proxy:
        return await proxy.get(path)


async def test_a_proxy_is_told_what_to_do_with_its_client(tmp_path: Path) -> None:
    async with in_process(tmp_path, BEHIND_PROXY) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), (ODD, "MEDIUM"))
        bad, odd, clean = [await check(running, ip) for ip in (f"198.51.100.1, {BAD}", ODD, CLEAN)]
        assert [answer.status_code for answer in (bad, odd, clean)] == [403, 401, 200]
        assert [answer.content for answer in (bad, odd, clean)] == [b""] * 3
        assert {name: bad.headers[name] for name in bad.headers if name.startswith("x-risk-")} == {
            "x-risk-action": "deny",
            "x-risk-rule": "level HIGH",
            "x-risk-level": "HIGH",
            "x-risk-ip": BAD,
            "x-risk-provider": "Default",
            "x-risk-expires": "2026-02-03T02:40:00.000Z",
        }
        assert odd.headers["www-authenticate"] == 'Risk realm="challenge"'
        assert (clean.headers["x-risk-level"], clean.headers["x-risk-ip"]) == ("NONE", CLEAN)


async def test_nobody_else_speaks_for_a_client_and_nobody_else_comes_without_a_token(tmp_path: Path) -> None:
    async with in_process(tmp_path, BEHIND_PROXY) as running:
        stranger = await check(running, CLEAN, peer="198.51.100.7")
        assert (stranger.status_code, stranger.json()["errorCode"]) == (403, "E0000005")
        async with running.from_peer("198.51.100.7", authorization=f"SSWS {running.token}") as client:
            spoofing = await client.get("/risk/v1/check", headers={"x-forwarded-for": CLEAN})
            assert (spoofing.status_code, spoofing.headers["x-risk-rule"]) == (403, "unanswered")
            itself = await client.get("/risk/v1/check")
            assert (itself.status_code, itself.headers["x-risk-ip"]) == (200, "198.51.100.7")


@pytest.mark.parametrize("told", ["", "unknown", "10.0.0.999"])
async def test_a_proxy_that_does_not_say_for_whom_it_asks_gets_what_the_policy_says_of_that(
    tmp_path: Path, told: str
) -> None:
    async with in_process(tmp_path, BEHIND_PROXY) as running:
        closed = await check(running, told)
        assert (closed.status_code, closed.headers["x-risk-rule"]) == (403, "unanswered")
        await running.client.put(POLICY, json={"unanswered": "allow"})
        assert (await check(running, told)).status_code == 200


async def test_of_a_client_that_is_a_trusted_proxy_it_is_not_known_for_whom_it_speaks(tmp_path: Path) -> None:
    config = OrgConfig(http=Http(trusted_proxies=["10.0.0.0/8"]), check=Check(open_to_proxies=True))
    async with in_process(tmp_path, config) as running:
        for told in ("10.0.0.2", "10.0.0.3, 10.0.0.2", "unknown, 10.0.0.2", f"{CLEAN}" + ", 10.0.0.2" * 60):
            answer = await check(running, told)
            assert (answer.status_code, answer.headers["x-risk-rule"]) == (403, "unanswered"), told
        assert (await check(running, PROXY)).headers["x-risk-ip"] == PROXY  # it asks about itself


async def test_all_headers_that_say_whose_request_it_is_count(tmp_path: Path) -> None:
    async with in_process(tmp_path, BEHIND_PROXY) as running, running.from_peer(PROXY) as proxy:
        await running.enforce()
        await running.say((BAD, "HIGH"))
        sent = [("x-forwarded-for", CLEAN), ("x-forwarded-for", BAD)]
        assert (await proxy.get("/risk/v1/check", headers=sent)).status_code == 403
        answer = await proxy.get("/risk/v1/check", headers=[*sent, ("x-forwarded-for", PROXY)])
        assert answer.headers["x-risk-ip"] == BAD


async def test_a_proxy_that_comes_over_a_socket_of_both_families_is_known(tmp_path: Path) -> None:
    async with in_process(tmp_path, BEHIND_PROXY) as running:
        assert (await check(running, CLEAN, peer=f"::ffff:{PROXY}")).status_code == 200


async def test_an_index_that_cannot_answer_fails_as_the_policy_says(tmp_path: Path) -> None:
    async with in_process(tmp_path, BEHIND_PROXY) as running:
        running.org.index.look_up = broken  # type: ignore[method-assign]
        with capture_logs() as logs:
            assert (await check(running, CLEAN)).status_code == 403
        assert [told["event"] for told in logs] == ["check.unanswered"]
        await running.client.put(POLICY, json={"unanswered": "allow"})
        assert (await check(running, CLEAN)).status_code == 200


async def test_envoy_appends_the_path_and_uses_any_method(tmp_path: Path) -> None:
    async with in_process(tmp_path, BEHIND_PROXY) as running:
        assert (await check(running, CLEAN, path="/risk/v1/check/a/b")).status_code == 404
    any_path = OrgConfig(http=BEHIND_PROXY.http, check=Check(open_to_proxies=True, any_path=True))
    async with in_process(tmp_path, any_path) as running, running.from_peer(PROXY, x_forwarded_for=CLEAN) as envoy:
        assert (await envoy.post("/risk/v1/check/a/b?c=d", content=b"x")).status_code == 200
        assert (await envoy.get("/risk/v1/checked")).status_code == 403


def broken(key: bytes) -> Look:
    raise OrgError(f"the index cannot be read at {key!r}")


async def sign_in(running: InProcess, ip: str, **more: object) -> dict[str, Any]:
    asked = {"ip": ip, "user": {"login": "lee@corp.example"}, "userAgent": "curl/8.1", **more}
    answer = await running.client.post("/risk/v1/sign-ins", json=asked)
    assert answer.status_code == 200, answer.text
    assert await running.org.projector.wait_for(answer.json()["seq"], at_most_s=10)
    return dict(answer.json())


async def logged(running: InProcess, event_type: str) -> list[dict[str, Any]]:
    params = {"filter": f'eventType eq "{event_type}"', "since": "2026-01-01T00:00:00Z"}
    answer = await running.client.get("/api/v1/logs", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def test_a_sign_in_is_evaluated_and_logged(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        subjects = [{"ip": BAD, "riskLevel": "HIGH", "message": "credential stuffing tool"}]
        await running.client.post("/api/v1/risk/events/ip", json=[{"subjects": subjects}])
        await running.say((ODD, "LOW"))
        answer = await sign_in(running, BAD)
        assert (answer["action"], answer["rule"], answer["effectiveLevel"]) == ("deny", "level HIGH", "HIGH")
        assert answer["reasons"] == ["credential stuffing tool"]
        await sign_in(running, ODD)
        await sign_in(running, CLEAN)
        await sign_in(running, CLEAN, success=False)
        denied, low, clean, failed = await logged(running, "policy.evaluate_sign_on")
        assert denied["outcome"] == {"result": "DENY", "reason": "Sign-on policy evaluation resulted in DENY"}
        assert (denied["actor"]["type"], denied["actor"]["alternateId"]) == ("User", "lee@corp.example")
        assert (denied["client"]["ipAddress"], denied["client"]["userAgent"]["rawUserAgent"]) == (BAD, "curl/8.1")
        assert [target["type"] for target in denied["target"]] == ["PolicyEntity", "PolicyRule"]
        data = denied["debugContext"]["debugData"]
        assert data["risk"] == "{reasons=credential stuffing tool, level=HIGH}"
        assert data["partnerRisk"] == "[{reasons=credential stuffing tool, level=HIGH, name=Default}]"
        assert denied["securityContext"]["risk"]["level"] == "HIGH"
        assert low["debugContext"]["debugData"]["partnerRisk"] == "[{name=Default, level=LOW}]"
        assert clean["debugContext"]["debugData"]["risk"] == "{level=LOW}"
        assert "partnerRisk" not in clean["debugContext"]["debugData"]
        started = await logged(running, "user.session.start")
        assert [one["outcome"] for one in started] == [
            {"result": "SUCCESS", "reason": None},
            {"result": "SUCCESS", "reason": None},
            {"result": "FAILURE", "reason": "VERIFICATION_ERROR"},
        ]
        assert [one["legacyEventType"] for one in started[1:]] == [
            "core.user_auth.login_success",
            "core.user_auth.login_failed",
        ]
        assert failed["transaction"]["id"] == started[2]["transaction"]["id"]


async def test_what_only_logged_providers_say_is_told_apart(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.say((BAD, "HIGH"))
        assert (await sign_in(running, BAD))["action"] == "allow"
        (one,) = await logged(running, "user.session.start")
        data = one["debugContext"]["debugData"]
        assert json.loads(data["logOnlySecurityData"]) == {"risk": {"level": "HIGH", "reasons": "Default"}}
        assert "risk" not in data
        assert "partnerRisk" not in data


@pytest.mark.parametrize(
    "wrong", [{}, {"ip": "x", "user": {"login": "a"}}, {"ip": BAD, "user": {"login": ""}}, {"ip": BAD, "user": "lee"}]
)
async def test_a_sign_in_that_is_none(tmp_path: Path, wrong: dict[str, object]) -> None:
    async with in_process(tmp_path) as running:
        refused = await running.client.post("/risk/v1/sign-ins", json=wrong)
        assert (refused.status_code, refused.json()["errorCode"]) == (400, "E0000001")
        assert await logged(running, "policy.evaluate_sign_on") == []


async def test_changes_of_policy_and_bouncers_are_logged(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.client.put(POLICY, json={"low": "deny"})
        await running.org.bouncers.create("edge", deed=local_deed(running.org.now_ms))
        await running.org.bouncers.delete("edge", deed=local_deed(running.org.now_ms))
        await running.org.projector.catch_up()
        (policy,) = await logged(running, "policy.lifecycle.update")
        assert policy["target"][0]["detailEntry"]["low"] == "deny"
        assert policy["actor"]["displayName"] == "t0"
        for event_type in ("system.bouncer.create", "system.bouncer.delete"):
            (one,) = await logged(running, event_type)
            assert one["target"][0]["displayName"] == "edge"
