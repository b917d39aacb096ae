"""The System Log of a real org: paging while events arrive, a kill, and a log that is made again."""

import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.logged_org import LOGS, RISK, events_of, link
from support.org import RISK_EVENTS, OrgProcess, event

pytestmark = pytest.mark.slow
SENDERS, REQUESTS = 3, 25


def test_each_event_is_delivered_once_while_others_arrive_and_the_same_after_a_rebuild(tmp_path: Path) -> None:
    config = tmp_path / "tocsin.toml"
    config.write_text("[limits]\nrisk_events = 100000\nlogs = 100000\n")
    data = tmp_path / "data"
    with OrgProcess(data, "--config", str(config)) as org:
        token = org.token()
        sent: list[str] = []
        senders = [threading.Thread(target=send_some, args=(org, token, sent)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        with org.client(token) as client:
            seen = poll(client, SENDERS * REQUESTS)
        for sender in senders:
            sender.join()
        assert sorted(each["transaction"]["id"] for each in seen) == sorted(sent)
        assert len({each["uuid"] for each in seen}) == len(seen)
        org.kill()
    with OrgProcess(data, "--config", str(config)) as org, org.client(token) as client:
        assert poll(client, len(seen)) == seen
        org.stop()
    for file in data.glob("log.db*"):
        file.unlink()
    with OrgProcess(data, "--config", str(config)) as org, org.client(token) as client:
        assert poll(client, len(seen)) == seen


def send_some(org: OrgProcess, token: str, sent: list[str]) -> None:
    with org.client(token) as client:
        for number in range(REQUESTS):
            answer = client.post(RISK_EVENTS, json=[event((f"203.0.113.{number}", "HIGH"))])
            assert answer.status_code == 202
            sent.append(answer.headers["x-okta-request-id"])


def poll(client: httpx2.Client, count: int) -> list[dict[str, Any]]:
    """Follow next links until `count` events have come, and once more, which must bring none."""
    events: list[dict[str, Any]] = []
    answer = client.get(LOGS, params={"filter": f'eventType eq "{RISK}"', "limit": 10})
    while len(events) < count or events_of(answer):
        events += events_of(answer)
        url = link(answer, "next")
        assert url is not None
        answer = client.get(url)
    assert len(events) == count
    return events
