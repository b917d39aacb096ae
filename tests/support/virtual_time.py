"""An event loop whose time is ours: when all wait, it jumps to the next moment something happens."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T0 = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
_T = TypeVar("_T")


class _Jumping(selectors.DefaultSelector):
    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("everybody waits for something that will never happen")
        if not found and timeout:
            self.jump(timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """What is given to a thread is done at once."""

    def __init__(self) -> None:
        selector = _Jumping()
        selector.jump = self._jump
        self._now_s = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self._now_s

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:
            future.set_exception(error)
        return future

    def _jump(self, seconds: float) -> None:
        self._now_s += seconds


class Clock:
    """The wall clock of the running loop, off by `skew` from the true time that began at `T0`."""

    def __init__(self, *, skew: timedelta = timedelta(0)) -> None:
        self.skew = skew

    def __call__(self) -> datetime:
        return T0 + timedelta(seconds=asyncio.get_running_loop().time()) + self.skew

    @property
    def passed_s(self) -> float:
        """Seconds since `T0`."""
        return asyncio.get_running_loop().time()


def run_virtually(main: Callable[[], Awaitable[_T]]) -> _T:
    """The result of `main`, in no time."""

    async def awaited() -> _T:
        return await main()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(awaited())
