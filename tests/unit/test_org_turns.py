"""However many ask about many IPs at a time, the others wait for one small step and not for all of them."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from support.asgi import InProcess, in_process
from tocsin.org.config import Limits, OrgConfig
from tocsin.org.records import local_deed

STEP = 200
P = ParamSpec("P")
R = TypeVar("R")
IPS = [f"198.51.{number >> 8}.{number & 255}" for number in range(2 * STEP)]


def counted(call: Callable[P, R], turns: Counter[int], now: list[int]) -> Callable[P, R]:
    def counting(*args: P.args, **kwargs: P.kwargs) -> R:
        turns[now[0]] += 1
        return call(*args, **kwargs)

    return counting


async def count_turns(now: list[int]) -> None:
    while True:
        now[0] += 1
        await asyncio.sleep(0)


async def ask_all_at_once(running: InProcess) -> None:
    key = await running.org.bouncers.create("b", deed=local_deed(0))
    async with running.from_peer("127.0.0.1", x_api_key=key) as bouncer:
        asked = [running.client.post("/risk/v1/ips:batch", json={"ips": IPS}) for _ in range(5)]
        asked += [bouncer.get("/v1/decisions/stream?startup=true") for _ in range(5)]
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}


async def test_between_two_steps_of_whatever_is_long_everybody_else_has_a_turn(tmp_path: Path) -> None:
    async with in_process(tmp_path, OrgConfig(limits=Limits(risk_events=1000))) as running:
        await running.enforce()
        for start in range(0, len(IPS), 50):
            await running.say(*((ip, "HIGH") for ip in IPS[start : start + 50]))
        index, now = running.org.index, [0]
        look_ups, pages = Counter[int](), Counter[int]()
        index.look_up = counted(index.look_up, look_ups, now)  # type: ignore[method-assign]
        index.page = counted(index.page, pages, now)  # type: ignore[method-assign]
        turns = asyncio.create_task(count_turns(now))
        await ask_all_at_once(running)
        turns.cancel()
        with suppress(asyncio.CancelledError):
            await turns
        steps = look_ups.keys() & pages.keys()
        assert (look_ups.total(), pages.total()) == (5 * len(IPS), 5 * len(IPS) // STEP)
        assert (max(look_ups.values()), max(pages.values()), steps) == (STEP, 1, set())
