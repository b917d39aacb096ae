"""Moments go on steadily while a clock is set, and what it showed before is understood for a minute."""

import asyncio
from datetime import timedelta

import pytest

from support.virtual_time import T0, Clock, run_virtually
from tocsin.relay.steady_clock import SteadyClock
from tocsin.signals import to_ms


@pytest.mark.parametrize("jump", [timedelta(minutes=5), timedelta(hours=-12)])
def test_a_clock_that_is_set_changes_no_moment(jump: timedelta) -> None:
    async def main() -> None:
        clock = Clock()
        steady = SteadyClock(clock)
        closes = steady() + timedelta(seconds=60)
        before_ms = steady.shown_ms(closes)
        await asyncio.sleep(10)
        clock.skew = jump
        assert steady() == T0 + timedelta(seconds=10)
        assert steady.shown_ms(closes) == to_ms(closes + jump)
        await asyncio.sleep(40)
        assert steady.moment(before_ms) >= closes
        await asyncio.sleep(61)
        assert steady.moment(steady.shown_ms(closes)) == closes

    run_virtually(main)
