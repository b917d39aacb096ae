"""GET /api/v1/logs over an org in this process: events of every kind, parameters, links and errors."""

import uuid
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs

from support.logged_org import LOGS, RISK, LoggedOrg, events_of, link, logged_org
from support.org import PROVIDERS, RISK_EVENTS, event
from tocsin.org.config import Limits, LogConfig
from tocsin.org.log.retention import STEP_EVENTS, LogRetention
from tocsin.org.records import Role, local_deed

DAY_S = 86_400


async def test_an_accepted_request_of_risk_events_is_one_event(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        (default,) = log.org.providers.all()
        (token,) = log.org.tokens.all()
        request_id = await log.send("203.0.113.9", "2001:db8::7")
        found = await log.event("security.risk.signal.consume")
        assert uuid.UUID(found.pop("uuid")).version == 1
        assert found == {
            "actor": {
                "id": token.id,
                "type": "Token",
                "alternateId": token.id,
                "displayName": "edge",
                "detailEntry": None,
            },
            "client": {
                "userAgent": {"rawUserAgent": "edge-sensor/1.4", "os": "Unknown", "browser": "UNKNOWN"},
                "zone": "null",
                "device": "Unknown",
                "id": None,
                "ipAddress": "198.51.100.7",
                "geographicalContext": None,
            },
            "device": None,
            "authenticationContext": {
                "authenticationProvider": None,
                "credentialProvider": None,
                "credentialType": None,
                "issuer": None,
                "interface": None,
                "authenticationStep": 0,
                "rootSessionId": None,
                "externalSessionId": f"trs{request_id}",
            },
            "displayMessage": "Consume risk signals",
            "eventType": "security.risk.signal.consume",
            "outcome": {"result": "SUCCESS", "reason": None},
            "published": "2026-02-03T09:15:42.318Z",
            "securityContext": {"asNumber": None, "asOrg": None, "isp": None, "domain": None, "isProxy": None},
            "severity": "INFO",
            "debugContext": {
                "debugData": {
                    "requestId": request_id,
                    "requestUri": RISK_EVENTS,
                    "url": f"{RISK_EVENTS}?",
                    "riskSignalProviderId": default.id,
                    "riskSignalProviderName": "Default",
                    "riskSignalProviderAction": "LOG_ONLY",
                    "riskSignalSize": "2",
                    "riskSignalList": "[{ip=203.0.113.9, riskLevel=HIGH}, {ip=2001:db8::7, riskLevel=HIGH}]",
                }
            },
            "legacyEventType": None,
            "transaction": {"type": "WEB", "id": request_id, "detail": {"requestApiTokenId": token.id}},
            "version": "0",
            "request": {
                "ipChain": [{"ip": "198.51.100.7", "geographicalContext": None, "version": "V4", "source": None}]
            },
            "target": [
                {
                    "id": default.id,
                    "type": "RiskProvider",
                    "alternateId": "unknown",
                    "displayName": "Default",
                    "detailEntry": None,
                }
            ],
        }


async def test_the_log_of_an_org_that_is_new(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        provider, token = await log.events()
        assert (provider["eventType"], provider["actor"]["displayName"]) == (
            "security.events.provider.create",
            "Tocsin",
        )
        assert (token["eventType"], token["actor"]["type"]) == ("system.api_token.create", "SystemPrincipal")
        assert token["legacyEventType"] == "api.token.create"
        assert (token["target"][0]["displayName"], token["target"][0]["detailEntry"]) == (
            "edge",
            {"role": "super_admin"},
        )
        for each in (provider, token):  # nobody's request
            assert (each["client"], each["request"], each["debugContext"]) == (None, {"ipChain": []}, {"debugData": {}})
            assert each["transaction"] == {"type": "JOB", "id": each["uuid"], "detail": {}}


async def test_changes_of_providers_and_tokens_are_told_with_the_names_of_then(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        wanted = {"name": "edge-sensor", "clientId": "0oa4k2Yq8VfWn6Rsd0g7"}
        provider_id = (await log.client.post(PROVIDERS, json=wanted)).json()["id"]
        place = f"{PROVIDERS}/{provider_id}"
        await log.client.put(place, json={**wanted, "name": "edge", "action": "enforce_and_log"})
        await log.client.delete(place)
        await log.org.tokens.create("ci", Role.READ_ONLY, deed=local_deed(log.org.now_ms))
        await log.org.tokens.revoke("ci", deed=local_deed(log.org.now_ms))
        events = await log.events(filter=f'target.id eq "{provider_id}" or eventType eq "system.api_token.revoke"')
        told = [(each["eventType"], each["target"][0]["displayName"]) for each in events]
        assert told == [
            ("security.events.provider.create", "edge-sensor"),
            ("security.events.provider.update", "edge"),
            ("security.events.provider.delete", "edge"),
            ("system.api_token.revoke", "ci"),
        ]
        assert events[1]["target"][0]["changeDetails"] == {
            "from": {"name": "edge-sensor", "action": "log_only"},
            "to": {"name": "edge", "action": "enforce_and_log"},
        }
        assert "changeDetails" not in events[0]["target"][0]
        assert events[0]["debugContext"]["debugData"]["requestUri"] == PROVIDERS


async def test_the_action_counts_that_a_provider_had_when_it_sent(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        (default,) = log.org.providers.all()
        place = f"{PROVIDERS}/{default.id}"
        for action in ("log_only", "none", "enforce_and_log"):
            await log.client.put(place, json={"name": f"was {action}", "clientId": "null", "action": action})
            await log.send("203.0.113.9")
        events = await log.events(filter=f'eventType eq "{RISK}"')
        data = [each["debugContext"]["debugData"] for each in events]
        assert [(each["riskSignalProviderName"], each["riskSignalProviderAction"]) for each in data] == [
            ("was log_only", "LOG_ONLY"),
            ("was enforce_and_log", "ENFORCE_AND_LOG"),  # with `none` nothing is logged
        ]


async def test_messages_are_shown_when_the_setting_says_so(tmp_path: Path) -> None:
    subjects = [
        {"ip": "203.0.113.9", "riskLevel": "HIGH", "message": "Seen on 3 lists."},
        {"ip": "203.0.113.10", "riskLevel": "LOW"},
    ]
    shown = {}
    for setting in (True, False):
        async with logged_org(tmp_path / str(setting), log=LogConfig(show_messages=setting)) as log:
            await log.client.post(RISK_EVENTS, json=[{"subjects": subjects}])
            shown[setting] = (await log.event(RISK))["debugContext"]["debugData"]["riskSignalList"]
    assert shown == {
        True: "[{ip=203.0.113.9, riskLevel=HIGH, message=Seen on 3 lists.}, {ip=203.0.113.10, riskLevel=LOW}]",
        False: "[{ip=203.0.113.9, riskLevel=HIGH}, {ip=203.0.113.10, riskLevel=LOW}]",
    }


async def test_the_first_refusal_of_a_window_is_one_event(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data", limits=Limits(risk_events=2)) as log:
        statuses = [
            (await log.client.post(RISK_EVENTS, json=[event(("203.0.113.9", "LOW"))])).status_code for _ in "1234"
        ]
        assert statuses == [202, 202, 429, 429]
        await log.org.notes.drain()
        found = await log.event("system.org.rate_limit.violation")
        assert (found["severity"], found["outcome"]["result"]) == ("WARN", "RATE_LIMIT")
        assert (found["target"][0]["id"], found["target"][0]["type"]) == (RISK_EVENTS, "URL Pattern")
        data = found["debugContext"]["debugData"]
        assert (data["threshold"], data["timeUnit"], data["rateLimitScopeType"]) == ("2", "MINUTES", "ORG")
        assert 0 < int(data["rateLimitSecondsToReset"]) <= 61
        assert found["actor"]["displayName"] == "edge"
        log.clock.now += 61
        await log.client.post(RISK_EVENTS, json=[event(("203.0.113.9", "LOW"))])
        assert len(await log.events(filter='eventType sw "system.org."')) == 1


async def test_a_refusal_is_answered_also_when_it_cannot_be_logged(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data", limits=Limits(risk_events=1)) as log:
        await log.send("203.0.113.9")
        await log.org.journal.close()
        with capture_logs() as logs:
            answer = await log.client.post(RISK_EVENTS, json=[event(("203.0.113.9", "LOW"))])
            await log.org.notes.drain()
        assert answer.status_code == 429
        assert "log.note_dropped" in {told["event"] for told in logs}


async def test_polling_goes_on_for_ever_and_tells_each_event_once(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        answer = await log.get(limit=1)
        seen = events_of(answer)
        assert link(answer, "self") == f"https://org.example{LOGS}?limit=1"
        for _ in range(2):
            await log.send("203.0.113.9")
        for expected in (1, 1, 1, 0, 0):
            answer = await log.go_on(answer)
            assert len(events_of(answer)) == expected
            seen += events_of(answer)
        assert len({each["uuid"] for each in seen}) == len(seen) == 4
        log.clock.now -= 3600  # what is published earlier than all there is comes too, for it is persisted later
        late = await log.send("203.0.113.9")
        (found,) = events_of(await log.go_on(answer))
        assert found["transaction"]["id"] == late


async def test_polling_from_a_moment_gives_all_that_was_persisted_since(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        start = log.clock.now
        first = await log.send("203.0.113.1")
        log.clock.now = start + 100
        second = await log.send("203.0.113.2")
        log.clock.now = start + 50  # a node whose clock is behind
        third = await log.send("203.0.113.3")
        log.clock.now = start + 200
        since = "2026-02-03T09:17:22Z"  # start + 99.7 s
        assert [each["transaction"]["id"] for each in await log.events(since=since)] == [second, third]
        assert first not in str(await log.events(since=since))
        later = await log.get(since="2026-02-03T10:00:00Z")
        assert events_of(later) == []
        fourth = await log.send("203.0.113.4")
        (found,) = events_of(await log.go_on(later))
        assert found["transaction"]["id"] == fourth


@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
async def test_a_bounded_query_ends(tmp_path: Path, order: str) -> None:
    async with logged_org(tmp_path / "data") as log:
        start = log.clock.now
        sent = {}
        for offset in (30, 10, 20, 20, 40):
            log.clock.now = start + offset
            sent[await log.send("203.0.113.9")] = offset
        log.clock.now = start + 1000
        bounds = {"since": "2026-02-03T09:15:52.318Z", "until": "2026-02-03T09:16:22.318Z"}  # 10 <= offset < 40
        answer = await log.get(**bounds, sortOrder=order, limit=3, filter=f'eventType eq "{RISK}"')
        assert len(events_of(answer)) == 3
        url = link(answer, "next")
        assert url is not None
        rest = await log.go_on(answer)
        assert (link(rest, "next"), link(rest, "self")) == (None, url)
        offsets = [sent[each["transaction"]["id"]] for each in events_of(answer) + events_of(rest)]
        assert offsets == ([10, 20, 20, 30] if order == "ASCENDING" else [30, 20, 20, 10])


async def test_a_page_that_is_full_with_the_last_event_is_the_last(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        log.clock.now += 1
        answer = await log.get(until="2026-02-03T09:15:43Z", limit=2)
        assert (len(events_of(answer)), link(answer, "next")) == (2, None)
        assert events_of(await log.get(until="2026-02-03T09:15:43Z", limit=0)) == []
        assert len(await log.events(sortOrder="DESCENDING")) == 2


async def test_nothing_asked_for_is_no_end_of_polling(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        answer = await log.get(limit=0)
        assert events_of(answer) == []
        url = link(answer, "next")
        assert url is not None
        assert len(events_of(await log.client.get(url.replace("limit=0", "limit=100")))) == 2


async def test_large_events_make_pages_shorter(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data", log=LogConfig(show_messages=True)) as log:
        subjects = [{"ip": f"203.0.113.{n}", "riskLevel": "HIGH", "message": "m" * 512} for n in range(50)]
        for _ in range(10):
            await log.client.post(RISK_EVENTS, json=[{"subjects": subjects}] * 20)
        answer = await log.get(filter=f'eventType eq "{RISK}"')
        assert len(answer.content) < 6_000_000
        assert 0 < len(events_of(answer)) < 10
        rest = await log.go_on(answer)
        assert len(events_of(answer)) + len(events_of(rest)) == 10


async def test_links_keep_what_was_asked(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        text = 'displayMessage co "Zoë & <b>" or actor.id pr'
        answer = await log.get(filter=text, q="", limit=1)
        url = link(answer, "next")
        assert url is not None
        assert url.isascii()
        asked = parse_qs(urlsplit(url).query, keep_blank_values=True)
        assert (asked["filter"], asked["q"], asked["limit"]) == ([text], [""], ["1"])
        again = await log.go_on(answer)
        assert parse_qs(urlsplit(link(again, "next") or "").query)["after"] != asked["after"]


async def test_keywords_are_all_to_be_met(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        await log.send("203.0.113.9")
        for text, count in {
            "203.0.113.9": 1,
            "consume SIGNALS": 1,
            "consume api_token": 0,
            "sensor/1.4": 1,  # a part of edge-sensor/1.4
            "edge": 2,
            "onsume": 0,
            RISK_EVENTS: 1,
        }.items():
            assert len(await log.events(q=text)) == count, text


async def test_what_is_past_the_retention_is_not_shown_and_forgotten(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data", log=LogConfig(retention_days=30)) as log:
        old = await log.events()
        log.clock.now += 29 * DAY_S
        await log.send("203.0.113.9")
        span = {"since": "2026-02-01T00:00:00Z"}
        assert len(await log.events(**span)) == len(old) + 1
        log.clock.now += 2 * DAY_S
        for asked in (span, {**span, "until": "2026-04-01"}, {**span, "sortOrder": "DESCENDING"}):
            assert len(await log.events(**asked)) == 1, asked
        assert count_rows(log) == len(old) + 1
        retention = LogRetention(log.org.projector, log.org.log_index, log.org.system_log, clock=log.clock)
        await retention.round(pause_s=0)
        assert count_rows(log) == 1
        assert len(await log.events(**span)) == 1
        assert log.org.log_index.forget(before_ms=2**60, limit=STEP_EVENTS) == 1


def count_rows(log: LoggedOrg) -> int:
    ((count,),) = log.org.log_index.select("SELECT count(*) FROM events")
    return int(count)


_REFUSED = [
    ({"limit": "1001"}, "E0000001", "Api validation failed: 'limit': must be a number from 0 to 1000."),
    ({"limit": "-1"}, "E0000001", "Api validation failed: 'limit': must be a number from 0 to 1000."),
    (
        {"sortOrder": "UP"},
        "E0000001",
        "Api validation failed: 'sortOrder': must be ASCENDING or DESCENDING.",
    ),
    (
        {"until": "yesterday"},
        "E0000001",
        (
            "Api validation failed: 'until': The date format in your query is not recognized. Please enter dates using "
            "ISO8601 string format.. 'until': must be a valid date-time or empty."
        ),
    ),
    (
        {"since": "2025-08-06"},
        "E0000053",
        "Invalid parameter: The since parameter is over 180 days prior to the current day.",
    ),
    (
        {"filter": 'display_message eqq "Create okta user"'},
        "E0000053",
        (
            "Invalid filter 'display_message eqq \"Create okta user\"': Unrecognized attribute operator 'eqq' at "
            "position 16. Expected: eq,co,sw,pr,gt,ge,lt,le"
        ),
    ),
    ({"filter": "some_invalid_field pr"}, "E0000053", "field is not valid: some_invalid_field"),
    ({"filter": 'published gt "2026"'}, "E0000053", "field is not valid: published"),
    ({"filter": "target.changeDetails.to pr"}, "E0000053", "field is not valid: target.changeDetails.to"),
    (
        {"filter": 'debugContext.debugData.url co "x"'},
        "E0000031",
        (
            "The supplied combination of operator and field is not currently supported. Operator: co, "
            "Field: debugContext.debugData.url"
        ),
    ),
    (
        {"q": "x" * 41},
        "E0000001",
        (
            "Api validation failed: 'q': Freeform search cannot contain items longer than 40 characters. Please "
            "shorten the items in your search or use an advanced filter to query by specific fields."
        ),
    ),
    (
        {"q": "a b c d e f g h i j k"},
        "E0000001",
        "Api validation failed: 'q': Freeform search cannot contain more than 10 items.",
    ),
    ({"after": "AQAAAAA"}, "E0000029", "Invalid paging request."),
    ({"after": "1627500044869_1"}, "E0000029", "Invalid paging request."),
]


async def test_what_cannot_be_asked(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        for parameters, code, summary in _REFUSED:
            answer = await log.get(**parameters)
            error = answer.json()
            assert (answer.status_code, error["errorCode"], error["errorSummary"]) == (400, code, summary)
            assert list(error) == ["errorCode", "errorSummary", "errorId", "errorCauses"]
            assert str(uuid.UUID(error["errorId"])) == error["errorId"]


async def test_any_query_string_has_an_answer(tmp_path: Path) -> None:
    strings = [
        "limit=%00",
        "since=%00&until=%FF",
        "filter=%ED%A0%80",
        "filter=actor.id+eq+%22%5Cud800%22",
        "filter=uuid+co+%22%0A%22",
        "filter=" + "%28" * 3000,
        "filter=debugContext.debugData." + "a." * 2000 + "a+pr",
        "q=%00+%F0%9F%9A%A8",
        "&&=&a=b=c;d",
        "after=" + "A" * 5000,
        "until=9999-12-31T23:59:59.999999-23:59",
        "until=0001-01-01T00:00:00%2B23:59",
        "limit=100&limit=x&limit=1",
        "sortOrder=descending&since=2026-02-03&until=2026-02-01",
    ]
    async with logged_org(tmp_path / "data") as log:
        for string in strings:
            answer = await log.client.get(f"{LOGS}?{string}")
            assert answer.status_code in (200, 400), string
            if answer.status_code == 200:
                assert "\n" not in "".join(answer.headers.get_list("link"))


async def test_causes_of_errors(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        assert (await log.get(after="x")).json()["errorCauses"] == [{"errorSummary": "Invalid cursor."}]
        causes = (await log.get(since="x")).json()["errorCauses"]
        assert [cause["errorSummary"].partition(":")[0] for cause in causes] == ["since", "since"]


async def test_a_cursor_belongs_to_its_kind_of_query(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        url = link(await log.get(limit=1), "next")
        assert url is not None
        after = parse_qs(urlsplit(url).query)["after"][0]
        assert (await log.get(after=after)).status_code == 200
        assert (await log.get(after=after, since="2026-02-03T00:00:00Z")).status_code == 200  # `after` wins
        assert (await log.get(after=after, until="2026-02-04")).status_code == 400
        assert (await log.get(after=after, sortOrder="DESCENDING")).status_code == 400


async def test_a_date_may_have_any_offset_or_none(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        log.clock.now += 60
        for until in ("2026-02-03T09:16:00Z", "2026-02-03T10:16:00.5+01:00", "2026-02-03T09:16:00", "2026-02-04", ""):
            assert len(await log.events(until=until)) == 2, until
        answer = await log.client.get(f"{LOGS}?until=2026-02-03T10:16:00+01:00")  # with a plus that is not encoded
        assert len(events_of(answer)) == 2
        assert await log.events(until="2026-02-03T09:15:00Z") == []


async def test_any_role_may_look_and_nothing_can_be_done(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        token = await log.org.tokens.create("viewer", Role.READ_ONLY, deed=local_deed(0))
        headers = {"authorization": f"SSWS {token}"}
        assert (await log.client.get(LOGS, headers=headers)).status_code == 200
        assert (await log.client.post(LOGS)).status_code == 405
        stranger = await log.client.get(LOGS, headers={"authorization": "Bearer a.b.c"})
        assert 'scope="okta.logs.read"' in stranger.headers["www-authenticate"]
    async with logged_org(tmp_path / "other", limits=Limits()) as log:
        assert (await log.get()).headers["x-rate-limit-limit"] == "120"


async def test_events_are_told_apart_and_named_alike_everywhere(tmp_path: Path) -> None:
    async with logged_org(tmp_path / "data") as log:
        for _ in range(20):
            await log.send("203.0.113.9")
        events = await log.events()
    assert len({each["uuid"] for each in events}) == len(events)
    times = [uuid.UUID(each["uuid"]).time for each in events if each["eventType"] == RISK]
    assert all(before < after for before, after in pairwise(times))
    (tmp_path / "data" / "log.db").unlink()
    async with logged_org(tmp_path / "data", name="again") as log:
        assert (await log.events())[: len(events)] == events
