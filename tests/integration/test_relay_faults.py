"""The failure table of the relay, line by line, over real connections: whatever happens, all of it arrives once."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.fake_org import address, signals
from support.faulty_org import Fault, FaultyOrg, Handler, faulty_org
from tocsin.relay import Relay, RelayConfig, Tally, TargetConfig, TargetPaused

pytestmark = pytest.mark.slow


def _reset_before_the_answer(handler: Handler) -> None:
    handler.cut()


def _reset_mid_body(handler: Handler) -> None:
    handler.send_response_only(400)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"errorCode":')
    handler.wfile.flush()
    handler.cut()


def _closed_keep_alive(handler: Handler) -> None:
    """It takes this one, and closes the connection without a word."""
    handler.take()
    handler.close_connection = True


def _garbage(handler: Handler) -> None:
    handler.wfile.write(b"\x00\xffnot http at all\r\n\r\n")
    handler.close_connection = True


def _garbage_body(handler: Handler) -> None:
    handler.answer(503, b"\xff<html>\x1b[2J", Content_Type="application/json", X_Rate_Limit_Remaining="5")


async def _deliver(org: FaultyOrg, folder: Path, count: int = 1500) -> Tally:
    token = folder / "token"
    if not token.exists():
        token.write_text("first")
    target = TargetConfig(url=org.url, token_file=str(token), allow_non_global=True)
    config = RelayConfig(state=str(folder / "state"), targets={"acme": target})
    async with Relay(config, patient=False, draw=lambda: 0.0) as relay:
        await relay.put(signals(count, now=datetime.now(UTC)))
        await relay.drained()
        return relay.senders["acme"].tally


@pytest.mark.parametrize(
    "fault",
    [
        _reset_before_the_answer,
        _reset_mid_body,
        _garbage,
        _garbage_body,
        lambda handler: handler.answer(500),
        lambda handler: handler.answer(503, Retry_After="1", X_Rate_Limit_Remaining="", X_Rate_Limit_Reset=""),
        lambda handler: handler.answer(429, X_Rate_Limit_Remaining="0", X_Rate_Limit_Reset=_soon(handler)),
        lambda handler: handler.answer(429, Retry_After="1", X_Rate_Limit_Remaining="", X_Rate_Limit_Reset=""),
    ],
)
async def test_what_passes_is_sat_out_and_sent_again(tmp_path: Path, fault: Fault) -> None:
    with faulty_org(fault) as org:
        tally = await _deliver(org, tmp_path)
    assert (tally.delivered, tally.requests, tally.retries) == (1500, 3, 1)
    assert sorted(org.ips) == sorted(address(number) for number in range(1500))


def _soon(handler: Handler) -> str:
    return str(int((datetime.now(UTC) + handler.server.skew).timestamp()) + 1)


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_wrong_clock_does_not_change_how_long_a_429_is_sat_out(tmp_path: Path, minutes: int) -> None:
    def full(handler: Handler) -> None:
        handler.answer(429, X_Rate_Limit_Remaining="0", X_Rate_Limit_Reset=_soon(handler))

    with faulty_org(full, skew=timedelta(minutes=minutes)) as org:
        assert (await _deliver(org, tmp_path, 10)).delivered == 10
    assert 1 <= org.arrived[1] - org.arrived[0] < 10


async def test_a_429_that_says_nothing_is_sat_out_for_a_window(tmp_path: Path) -> None:
    def silent(handler: Handler) -> None:
        handler.answer(429, X_Rate_Limit_Limit="", X_Rate_Limit_Remaining="", X_Rate_Limit_Reset="", Date="")

    with faulty_org(silent) as org:
        delivery = asyncio.ensure_future(_deliver(org, tmp_path, 10))
        done, _ = await asyncio.wait([delivery], timeout=2.0)
        assert not done
        assert len(org.arrived) == 1
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)


async def test_a_connection_the_org_closed_is_opened_again(tmp_path: Path) -> None:
    with faulty_org(_closed_keep_alive) as org:
        tally = await _deliver(org, tmp_path)
    assert (tally.delivered, len(org.ips)) == (1500, 1500)


async def test_one_bad_subject_among_a_thousand_is_found(tmp_path: Path) -> None:
    with faulty_org() as org:
        org.bad = {address(617)}
        tally = await _deliver(org, tmp_path, 1000)
    assert tally.delivered == 999
    assert [(refused.ip, refused.by) for refused in tally.refused] == [(address(617), "acme")]
    assert sorted(org.ips) == sorted(address(number) for number in range(1000) if number != 617)


async def test_a_token_that_was_replaced_after_an_hour_is_fetched_once(tmp_path: Path) -> None:
    token = tmp_path / "token"

    def expired(handler: Handler) -> None:
        token.write_text("second")
        handler.answer(401)

    with faulty_org(lambda handler: handler.take(), expired) as org:
        tally = await _deliver(org, tmp_path)
    assert tally.delivered == 1500
    assert org.tokens == ["SSWS first", "SSWS first", "SSWS second"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda handler: handler.answer(401), "it answered 401"),
        (lambda handler: handler.answer(403), "it answered 403"),
        (lambda handler: handler.answer(404), "it answered 404"),
        (lambda handler: handler.answer(302, Location="http://127.0.0.1:1/elsewhere"), "302"),
        (lambda handler: handler.answer(200, b"welcome"), "it answered 200"),
    ],
)
async def test_what_a_person_must_mend_pauses_and_loses_nothing(tmp_path: Path, fault: Fault, says: str) -> None:
    with faulty_org(fault) as org:
        with pytest.raises(TargetPaused, match=says):
            await _deliver(org, tmp_path)
        assert (len(org.arrived), org.ips) == (1, [])
        assert (await _deliver(org, tmp_path, 0)).delivered == 1500  # mended: what waited is told


async def test_a_slow_answer_is_waited_for(tmp_path: Path) -> None:
    def slow(handler: Handler) -> None:
        time.sleep(1.5)
        handler.take()

    with faulty_org(slow) as org:
        tally = await _deliver(org, tmp_path)
    assert (tally.delivered, tally.requests) == (1500, 2)
