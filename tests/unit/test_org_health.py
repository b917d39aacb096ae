import re
from collections.abc import Sequence
from pathlib import Path

from structlog.testing import capture_logs

from support.asgi import in_process
from tocsin.journal import Entry
from tocsin.org.config import Http, OrgConfig
from tocsin.org.errors import OrgError
from tocsin.org.http.health import Standing, readiness
from tocsin.org.records import local_deed


async def test_ready_once_the_projections_have_what_the_journal_has(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running, running.from_peer("198.51.100.7") as stranger:
        ready = await stranger.get("/readyz")
        index, journal = running.org.index, running.org.journal
        last = await journal.last()
        well = {"ready": True, "whyNot": [], "applied": last, "last": last, "lag": 0, "lateS": 0.0}
        assert (ready.status_code, ready.json()) == (200, well)
        index.apply, apply = stuck, index.apply  # type: ignore[method-assign]
        with capture_logs():
            await running.org.bouncers.create("b", deed=local_deed(0))
            behind = await readiness(running.org, catch_up_s=0.01)
        why_not = ["the projections are behind the journal"]
        assert behind == Standing(False, why_not, applied=last, last=last + 1, lag=1, late_s=0.01)
        index.apply = apply  # type: ignore[method-assign]
        await running.org.projector.catch_up()
        full = await readiness(running.org, least_free_bytes=1 << 80)
        assert full.why_not == ["the disk is nearly full, so the journal can soon not be written"]
        await journal.close()
        closed = await stranger.get("/readyz")
        assert (closed.status_code, closed.json()["whyNot"]) == (503, ["the journal cannot be read"])
        assert (await stranger.get("/healthz")).status_code == 200


def stuck(entries: Sequence[Entry]) -> None:
    raise OrgError(f"the index cannot be written up to {entries[-1].seq}")


async def test_metrics_can_be_for_this_machine_or_a_token_and_tell_no_secret(tmp_path: Path) -> None:
    async with in_process(tmp_path, OrgConfig(http=Http(open_metrics=True))) as running:
        await running.enforce()
        await running.say(("203.0.113.9", "HIGH"))
        key = await running.org.bouncers.create("b", deed=local_deed(0))
        await running.org.projector.catch_up()
        async with running.from_peer("127.0.0.1", x_api_key=key) as bouncer:
            await bouncer.get("/v1/decisions?ip=203.0.113.9")
            text = (await bouncer.get("/metrics")).text
            assert (await bouncer.get("/metrics", headers={"x-forwarded-for": "198.51.100.7"})).status_code == 403
        assert 'tocsin_answers_total{area="/v1/",status="200"} 1.0' in text
        assert 'tocsin_answers_total{area="/api/v1/risk/events/ip",status="202"} 1.0' in text
        assert re.search(r"^tocsin_held_ips 1\.0$", text, re.MULTILINE)
        assert re.search(r"^tocsin_projection_lag 0\.0$", text, re.MULTILINE)
        assert not any(secret in text for secret in (key, running.token, "203.0.113"))
        async with running.from_peer("198.51.100.7") as stranger:
            assert (await stranger.get("/metrics")).status_code == 403
            headers = {"authorization": f"SSWS {running.token}"}
            assert (await stranger.get("/metrics", headers=headers)).status_code == 200


async def test_metrics_need_a_token_unless_told_otherwise(tmp_path: Path) -> None:
    async with in_process(tmp_path) as running, running.from_peer("127.0.0.1") as whoever:
        assert (await whoever.get("/metrics")).status_code == 403  # a proxy on this machine may have sent it
        assert (await running.client.get("/metrics")).status_code == 200
