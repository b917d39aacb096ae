"""How reading and delivery go on: a bar on a terminal, a line now and then without one. Always on standard error."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from tocsin.cli.durations import about
from tocsin.relay import Sent, Waits

_SAYS_AFTER_S = 30.0
"""Without a terminal, a long reading says after each such time how far it has come."""


def say(text: str) -> None:
    """One line to standard error. When nobody reads it any more, the rest is said to nobody: the work goes on."""
    try:
        typer.echo(text, err=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


@contextmanager
def shown(*, transient: bool = False) -> Iterator["Shown"]:
    """
    A watcher that shows a delivery, until the block ends; its `subjects` is how many IPs there are.

    Args:
        transient: whether the bar goes when the block ends.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("IPs"),
        _TimeLeft(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console, transient=transient) as progress:
        yield _Bar(progress)


class _Lines:
    """Says when nothing will happen for a while, and how far it has come."""

    def __init__(self) -> None:
        self.subjects = 0
        self._done = self._why = ""
        self._said_at = time.monotonic()

    def reads(self, name: str, records: int) -> None:
        if time.monotonic() - self._said_at >= _SAYS_AFTER_S:
            self._said_at = time.monotonic()
            say(f"read {records:,} records of {name}")

    def sent(self, sent: Sent) -> None:
        self._done = f"; {sent.delivered:,} of {self.subjects:,} IPs delivered, {about(sent.ahead)} left"

    def waits(self, waits: Waits) -> None:
        why, self._why = self._why, waits.why + self._done
        if why != self._why:
            say(f"waiting {about(waits.wait)}: {self._why}")


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self.subjects = 0
        self._progress = progress
        self._task = progress.add_task("sending", total=None, done_at=None)

    def reads(self, name: str, records: int) -> None:
        self._progress.update(self._task, description=f"reading {name}: {records:,} records;")

    def sent(self, sent: Sent) -> None:
        done_at = time.monotonic() + sent.ahead.total_seconds()
        done = max(self.subjects - sent.pending, 0)
        self._progress.update(self._task, description="sending", total=self.subjects, completed=done, done_at=done_at)

    def waits(self, waits: Waits) -> None:
        self._progress.console.print(f"waiting {about(waits.wait)}: {waits.why}", markup=False, highlight=False)
        self._progress.update(self._task, description="waiting")


Shown = _Lines | _Bar
"""Is told how a reading goes, and is a `Watcher` of a delivery."""


class _TimeLeft(ProgressColumn):
    """Counts down to when the budget lets the last request go; the speed so far says nothing about that."""

    def render(self, task: Task) -> Text:
        done_at = task.fields["done_at"]
        if done_at is None or task.finished:
            return Text("")
        return Text(f"{about(timedelta(seconds=max(done_at - time.monotonic(), 0.0)))} left")
