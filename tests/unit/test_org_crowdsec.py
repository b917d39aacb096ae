"""The CrowdSec API against answers recorded from CrowdSec 1.4.6, whose own Local API held the same three decisions."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from support.asgi import InProcess, in_process
from tocsin.org.assertions import Assertion, subject_position
from tocsin.org.crowdsec.decisions import go_duration, go_json, told
from tocsin.org.crowdsec.filters import go_query
from tocsin.org.errors import OrgError
from tocsin.org.records import local_deed
from tocsin.org.retention import Retention
from tocsin.org.risk_index import Page
from tocsin.signals import RiskEvent, RiskEventSubject, RiskLevel, RiskProvider, RiskProviderAction

RECORDED = Path(__file__).parent.parent / "golden" / "crowdsec_lapi.jsonl"
DECISIONS, STREAM = "/v1/decisions", "/v1/decisions/stream"
WAF = RiskProvider(name="waf", client_id="c", action=RiskProviderAction.ENFORCE_AND_LOG)
BAD, BAD6, ODD = "203.0.113.9", "2001:db8::7", "198.51.100.4"
DIFFERENT = frozenset(
    {
        # To a HEAD nobody is told anything, so it moves nothing; 1.6 does the same, 1.4.6 noted a pull.
        "HEAD /v1/decisions/stream",
        # Bouncers of 1.6 and later report metrics, which 1.4.6 did not know.
        "POST /v1/usage-metrics",
        "GET /v1/usage-metrics",
        # Agents log in; this org has none, and says so in one way.
        "GET /v1/watchers/login",
        "POST /v1/watchers/login",
        # The redirect's body is a link in HTML.
        "GET /v1/decisions/",
        "GET /v1/decisions/stream/",
    }
)


def recorded() -> list[dict[str, Any]]:
    """Each request with its answer; decisions without what differs each time, their id and duration."""
    return [json.loads(line) for line in RECORDED.read_text().splitlines()]


def essence(text: str) -> Any:
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    if isinstance(answer, dict) and "new" in answer:
        return {name: picked(answer[name]) for name in ("new", "deleted")}
    if isinstance(answer, dict) and "message" in answer:
        return {**answer, "message": re.sub("since '[^']*'", "since '...'", answer["message"])}
    return picked(answer) if isinstance(answer, list) else answer


def picked(decisions: list[dict[str, Any]] | None) -> list[list[str]] | None:
    names = ("type", "scope", "value", "origin", "scenario")
    return None if decisions is None else sorted([one[name] for name in names] for one in decisions)


async def bouncer(running: InProcess, name: str = "b") -> httpx2.AsyncClient:
    key = await running.org.bouncers.create(name, deed=local_deed(0))
    return running.from_peer("127.0.0.1", x_api_key=key)


async def pulled(client: httpx2.AsyncClient, query: str = "") -> tuple[set[str], set[str]]:
    """What one pull tells: values with their types, new and deleted."""
    answer = await client.get(STREAM + query)
    assert answer.status_code == 200, answer.text
    new, deleted = answer.json()["new"] or [], answer.json()["deleted"] or []
    told = [[f"{one['value']} {one['type']}" for one in some] for some in (new, deleted)]
    assert [len(some) for some in told] == [len(set(some)) for some in told], "told twice"
    return set(told[0]), set(told[1])


async def test_every_recorded_answer_is_ours_too(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), (BAD6, "HIGH"), (ODD, "MEDIUM"), ("198.51.100.9", "LOW"))
        client = await bouncer(running)
        key = client.headers["x-api-key"]
        del client.headers["x-api-key"]
        for known in recorded():
            method, path = known["ask"].split(" ")
            headers = {"x-api-key": key} | {name.lower(): value for name, value in known["headers"].items()}
            sent = {name: value for name, value in headers.items() if value is not None}
            answer = await client.request(method, path, headers=sent)
            theirs = (known["status"], known["type"], known["answer"])
            ours = (answer.status_code, answer.headers.get("content-type"), essence(answer.text))
            assert (ours == theirs) == (known["ask"] not in DIFFERENT), known["ask"]


async def test_a_decision_as_it_is_printed(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        seq = await running.say((ODD, "LOW"), (BAD, "HIGH"), expiresAt="2026-02-02T03:40:00.500Z")
        client = await bouncer(running)
        answer = await client.get(f"{DECISIONS}?ip={BAD}")
        assert answer.text == (
            f'[{{"duration":"1h0m0.5s","id":{seq * 65536 + 1},"origin":"tocsin","scenario":"Default/high","scope":"Ip",'
            f'"type":"ban","value":"{BAD}"}}]'
        )
        assert answer.headers["content-length"] == str(len(answer.content))
        assert answer.headers["date"] == "Mon, 02 Feb 2026 02:40:00 GMT"


async def test_the_quick_way_answers_as_the_slow_one(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), (ODD, "MEDIUM"), (BAD6, "LOW"))
        client = await bouncer(running)
        for value in (BAD, ODD, BAD6, "2001:DB8::7", "192.0.2.1", "::ffff:203.0.113.9", "x", "", "1.2.3.4/32"):
            for name in ("ip", "scopes=Ip&value"):
                quick, slow = [await client.get(f"{DECISIONS}?{name}={value}{more}") for more in ("", "&unknown=1")]
                assert (quick.status_code, quick.text) == (slow.status_code, slow.text)


async def test_only_what_is_enforced_and_not_allowed_is_told(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.say((BAD, "HIGH"), (ODD, "MEDIUM"))
        client = await bouncer(running)
        assert (await client.get(DECISIONS)).text == "null"
        await running.enforce()
        policy = {"medium": "allow", "crowdsec": {"deny": "throttle"}}
        await running.client.put("/risk/v1/policy", json=policy)
        assert essence((await client.get(DECISIONS)).text) == [["throttle", "Ip", BAD, "tocsin", "Default/high"]]
        await running.client.put("/risk/v1/policy", json={"allowed": [f"{BAD}/32"]})
        assert (await client.get(f"{DECISIONS}?ip={BAD}")).text == "null"
        assert (await client.get(f"{DECISIONS}?ip={ODD}")).json()[0]["type"] == "captcha"


async def test_a_bouncer_is_told_what_changed_since_it_asked_last(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), (ODD, "MEDIUM"))
        client, other = await bouncer(running), await bouncer(running, "other")
        assert await pulled(client, "?startup=true") == ({f"{BAD} ban", f"{ODD} captcha"}, set())
        assert await pulled(client) == (set(), set())
        await running.say((BAD6, "HIGH"), ("192.0.2.1", "LOW"))
        assert await pulled(client) == ({f"{BAD6} ban"}, {"192.0.2.1 ban", "192.0.2.1 captcha"})
        await running.say((BAD, "MEDIUM"), (BAD6, "LOW"))
        await running.say((BAD6, "HIGH"))
        assert await pulled(client) == ({f"{BAD} captcha", f"{BAD6} ban"}, {f"{BAD} ban"})
        assert await pulled(client) == (set(), set())
        assert await pulled(other, "?startup=true") == ({f"{BAD} captcha", f"{BAD6} ban", f"{ODD} captcha"}, set())


async def test_what_has_ended_is_deleted_once(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), (ODD, "MEDIUM"), expiresAt="2026-02-02T02:50:00Z")
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        await running.say((ODD, "HIGH"))
        running.clock.now += 599
        assert await pulled(client) == ({f"{ODD} ban"}, set())
        running.clock.now += 1
        assert await pulled(client) == (set(), {f"{BAD} ban"})
        running.clock.now += 3600
        assert await pulled(client) == (set(), set())


async def test_what_was_swept_before_it_could_be_told_is_deleted(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), expiresAt="2026-02-02T02:50:00Z")
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        running.clock.now += 1200
        ids = [provider.id for provider in running.org.providers.all()]
        running.org.index.sweep(b"", until_ms=running.org.now_ms, providers=ids, limit=10)
        assert len(running.org.index) == 0
        assert await pulled(client) == (set(), {f"{BAD} ban"})


async def test_two_providers_about_one_ip_are_one_change(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await other_says_medium(running)
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        await running.say((BAD, "HIGH"))
        await other_says_medium(running)
        assert await pulled(client) == ({f"{BAD} ban"}, set())


async def test_what_is_only_logged_is_no_change(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        await running.say((BAD, "HIGH"))
        assert await pulled(client) == (set(), set())


async def test_after_a_long_absence_a_bouncer_is_told_everything(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), expiresAt="2026-03-01T00:00:00Z")
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        running.clock.now += 24 * 3600
        assert await pulled(client) == (set(), set())
        running.clock.now += 24 * 3600 + 1
        assert await pulled(client) == ({f"{BAD} ban"}, {f"{BAD} captcha"})


async def test_when_the_stronger_word_ends_the_weaker_one_of_another_provider_holds(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), expiresAt="2026-02-02T02:50:00Z")
        (default,) = running.org.providers.all()
        await other_says_medium(running)
        client = await bouncer(running)
        assert await pulled(client, "?startup=true") == ({f"{BAD} ban"}, set())
        running.clock.now += 600
        assert await pulled(client) == ({f"{BAD} captcha"}, {f"{BAD} ban"})
        assert (await pulled(client)) == (set(), set())
        assert default.name == "Default"


async def other_says_medium(running: InProcess) -> None:
    known = [provider for provider in running.org.providers.all() if provider.name == WAF.name]
    provider = known[0] if known else await running.org.providers.create(WAF, deed=local_deed(0))
    event = RiskEvent(subjects=[RiskEventSubject(ip=BAD, risk_level=RiskLevel.MEDIUM)])
    deed = local_deed(running.org.now_ms)
    assert await running.org.projector.wait_for(await running.org.accept([event], provider, deed=deed), at_most_s=10)


async def test_a_change_of_policy_or_provider_tells_everything(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), (ODD, "MEDIUM"))
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        await running.client.put("/risk/v1/policy", json={"medium": "allow"})
        gone = {f"{BAD} captcha", f"{ODD} ban"}
        assert await pulled(client) == ({f"{BAD} ban"}, gone | {f"{ODD} captcha"})
        await running.client.put("/risk/v1/policy", json={"medium": "challenge"})
        await running.org.projector.catch_up()
        assert await pulled(client) == ({f"{BAD} ban", f"{ODD} captcha"}, gone)
        assert await pulled(client) == (set(), set())


async def sweep(running: InProcess) -> None:
    org = running.org
    org.index.sweep(b"", until_ms=org.now_ms, providers=org.providers_with_words(), limit=10)


async def carry(running: InProcess) -> None:
    """Have the org say again what was said more than 5 s ago and holds, and forget that it was said before."""
    org = running.org
    live = org.providers_with_words
    retention = Retention(org.journal, org.projector, org.index, keep_s=5, live=live, clock=org.clock)
    assert await retention.round(pause_s=0) > 0
    await org.projector.catch_up()


async def test_what_a_deleted_provider_said_is_deleted_however_soon_the_index_is_swept(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), expiresAt="2026-03-01T00:00:00Z")
        client = await bouncer(running)
        late = await bouncer(running, "late")
        for one in (client, late):
            assert await pulled(one, "?startup=true") == ({f"{BAD} ban"}, set())
        (default,) = running.org.providers.all()
        await running.org.providers.delete(default.id, deed=local_deed(running.org.now_ms))
        await running.org.projector.catch_up()
        await sweep(running)
        gone = {f"{BAD} ban", f"{BAD} captcha"}
        assert await pulled(client) == (set(), gone)
        assert await pulled(client) == (set(), set())
        running.clock.now += 24 * 3600
        await sweep(running)
        assert await pulled(late) == (set(), gone)
        assert len(running.org.index) == 1
        running.clock.now += 1
        await sweep(running)
        assert len(running.org.index) == 0  # nobody comes any more who could be told


async def test_what_was_taken_back_and_swept_is_deleted_also_when_the_policy_changes(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), (ODD, "HIGH"), expiresAt="2026-02-02T02:50:00Z")
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        await running.say((BAD, "HIGH"), expiresAt="2026-02-02T02:40:00Z")
        running.clock.now += 601  # by now the other has ended
        await sweep(running)
        assert len(running.org.index) == 0
        await running.client.put("/risk/v1/policy", json={"high": "allow"})
        await running.org.projector.catch_up()
        answer = (await client.get(STREAM)).json()
        new, deleted = {one["value"] for one in answer["new"] or []}, {one["value"] for one in answer["deleted"]}
        assert (new, deleted) == (set(), {BAD, ODD})
        assert await pulled(client) == (set(), set())


async def test_what_is_carried_forward_hides_no_news(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.org.providers.create(WAF, deed=local_deed(0))
        await running.say((BAD, "LOW"), expiresAt="2026-03-01T00:00:00Z")
        client = await bouncer(running)
        assert await pulled(client, "?startup=true") == (set(), set())
        running.clock.now += 6
        await other_says_medium(running)
        await carry(running)
        assert await pulled(client) == ({f"{BAD} captcha"}, {f"{BAD} ban"})
        assert await pulled(client) == (set(), set())


async def test_what_was_carried_forward_since_and_has_ended_is_deleted(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"), expiresAt="2026-02-02T02:50:00Z")
        client = await bouncer(running)
        assert await pulled(client, "?startup=true") == ({f"{BAD} ban"}, set())
        running.clock.now += 6
        await carry(running)
        running.clock.now += 601
        await sweep(running)
        assert await pulled(client) == (set(), {f"{BAD} ban", f"{BAD} captcha"})


def test_no_two_subjects_of_a_journal_have_a_decision_of_one_id() -> None:
    last = subject_position(999, 49)  # of the largest record that is carried forward
    said = [Assertion("p", 3, 0, 1, seq, position) for seq, position in ((1, last), (2, 0), (2, last), (3, 0))]
    ids = [told(bytes(16), one, kind="ban", provider_name="p").id for one in said]
    assert ids == sorted(set(ids))


async def test_of_two_keys_the_first_counts_whichever_way_is_asked(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        key = (await bouncer(running)).headers["x-api-key"]
        async with running.from_peer("127.0.0.1") as client:
            for keys, status in (((key, "wrong"), 200), (("wrong", key), 403)):
                for query in (f"ip={BAD}", f"ip={BAD}&contains=true"):
                    headers = [("x-api-key", one) for one in keys]
                    assert (await client.get(f"{DECISIONS}?{query}", headers=headers)).status_code == status


async def test_a_fault_of_the_quick_way_is_answered_too(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        client = await bouncer(running)
        await running.org.projector.catch_up()
        running.org.index.look_up = None  # type: ignore[method-assign, assignment]
        with capture_logs() as logs:
            answer = await client.get(f"{DECISIONS}?ip={BAD}")
        assert (answer.status_code, answer.json()) == (500, {"message": "the decisions cannot be read"})
        assert [told_["event"] for told_ in logs] == ["request.failed"]


async def test_how_far_a_bouncer_has_come_outlives_a_restart(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"))
        client = await bouncer(running)
        await pulled(client, "?startup=true")
        await running.say((BAD6, "HIGH"))
        key = client.headers["x-api-key"]
    async with in_process(tmp_path) as running, running.from_peer("127.0.0.1", x_api_key=key) as client:
        await running.say((ODD, "HIGH"))
        assert await pulled(client) == ({f"{BAD6} ban", f"{ODD} ban"}, set())
    (tmp_path / "data" / "feed.db").unlink()
    async with in_process(tmp_path) as running, running.from_peer("127.0.0.1", x_api_key=key) as client:
        assert await pulled(client) == ({f"{BAD} ban", f"{BAD6} ban", f"{ODD} ban"}, set())


async def test_what_is_broken_off_is_told_again(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        await running.say((BAD, "HIGH"))
        client = await bouncer(running)
        look_up, running.org.index.page = running.org.index.page, broken  # type: ignore[method-assign]
        with capture_logs() as logs:
            failed = await client.get(f"{STREAM}?startup=true")
        assert (failed.status_code, failed.json()) == (500, {"message": "the decisions cannot be read"})
        assert [told["event"] for told in logs] == ["request.failed"]
        running.org.index.page = look_up  # type: ignore[method-assign]
        assert await pulled(client) == ({f"{BAD} ban"}, set())


def broken(start: bytes, *, limit: int, last: bytes | None = None) -> Page:
    raise OrgError(f"the index cannot be read from {start!r}")


@pytest.mark.slow
async def test_long_answers_come_in_chunks_and_zipped_if_asked(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        await running.enforce()
        many = [(f"198.18.{n // 250}.{n % 250}", "HIGH") for n in range(1000)]
        for start in range(0, 1000, 50):
            await running.say(*many[start : start + 50])
        client = await bouncer(running)
        plain = await client.get(f"{STREAM}?startup=true", headers={"accept-encoding": "identity"})
        zipped = await client.get(f"{STREAM}?startup=true", headers={"accept-encoding": "gzip"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert "content-length" not in plain.headers
        assert plain.text == zipped.text
        assert {one["value"] for one in plain.json()["new"]} == {ip for ip, _ in many}
        within = await client.get(f"{DECISIONS}?range=198.18.2.0/24&contains=false")
        assert len(within.json()) == 250


async def test_usage_metrics_are_taken_and_a_deleted_bouncer_is_let_in_no_more(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running:
        client = await bouncer(running)
        report = {"remediation_components": [{"type": "x", "version": "1"}]}
        assert (await client.post("/v1/usage-metrics", json=report)).status_code == 201
        assert (await client.post("/v1/usage-metrics", content=b"{")).status_code == 400
        assert (await client.post("/v1/usage-metrics", content=b" " * 1_100_000)).status_code == 413
        await running.org.bouncers.delete("b", deed=local_deed(0))
        assert (await client.post("/v1/usage-metrics", json=report)).status_code == 403
        assert (await client.get(f"{DECISIONS}?ip={BAD}")).json() == {"message": "access forbidden"}


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (86_399_774, "23h59m59.774s"),
        (3_600_000, "1h0m0s"),
        (60_000, "1m0s"),
        (1_500, "1.5s"),
        (999, "999ms"),
        (0, "0s"),
        (-1_209, "-1.209s"),
        (-3_661_000, "-1h1m1s"),
    ],
)
def test_durations_are_printed_as_go_does(ms: int, text: str) -> None:
    assert go_duration(ms) == text


def test_text_is_printed_as_go_does() -> None:
    assert go_json('a"b<c>&é\u2028') == '"a\\"b\\u003cc\\u003e\\u0026é\\u2028"'


@given(st.binary(max_size=60))
def test_any_query_can_be_read(query: bytes) -> None:
    assert all(isinstance(name, str) for name in go_query(query))
