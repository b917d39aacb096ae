"""The live stream of a running org: over kills and reconnects, and at the end."""

import json
import threading
from pathlib import Path

import pytest

from support.org import OrgProcess, event, send

pytestmark = pytest.mark.slow


def take(org: OrgProcess, token: str, last_id: str | None, count: int) -> tuple[list[str], str]:
    """The IPs of the next `count` events, and the id of the last."""
    told: list[str] = []
    headers = {} if last_id is None else {"last-event-id": last_id}
    with org.client(token) as client, client.stream("GET", "/risk/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                last_id = value
            elif name == "data":
                told.append(json.loads(value).get("ip", ""))
                if len(told) == count:
                    break
    assert last_id is not None
    return told, last_id


def test_a_client_misses_nothing_over_a_kill_of_the_org(tmp_path: Path) -> None:
    data, said = tmp_path / "data", [f"198.18.0.{n}" for n in range(60)]
    with OrgProcess(data) as org:
        token = org.token()
        _, last_id = take(org, token, None, 1)
        with org.client(token) as client:
            send(client, event(*[(ip, "HIGH") for ip in said[:30]]))
        told, last_id = take(org, token, last_id, 17)
        org.kill()
    with OrgProcess(data) as org:
        with org.client(token) as client:
            send(client, event(*[(ip, "HIGH") for ip in said[30:]]))
        more, _ = take(org, token, last_id, 43)
        assert told + more == said


def test_a_stream_ends_when_the_org_stops(org: OrgProcess) -> None:
    token, lines, ready = org.token(), [], threading.Event()

    def follow() -> None:
        with org.client(token) as client, client.stream("GET", "/risk/v1/stream") as answer:
            for line in answer.iter_lines():
                lines.append(line)
                ready.set()

    follower = threading.Thread(target=follow)
    follower.start()
    assert ready.wait(30)
    assert org.stop() == 0
    follower.join(10)  # it came to a clean end: `iter_lines` raises on a broken one
    assert not follower.is_alive()
    assert "event: ready" in lines
