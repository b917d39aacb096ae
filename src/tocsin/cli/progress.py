"""How a delivery goes on: a bar on a terminal, a line per pause without one. Always on standard error."""

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
from tocsin.relay import Tally, Watcher


def say(text: str) -> None:
    """One line to standard error. When nobody reads it any more, the rest is said to nobody: the work goes on."""
    try:
        typer.echo(text, err=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


@contextmanager
def shown(subjects: int) -> Iterator[Watcher]:
    """A watcher that shows the delivery of so many subjects, until the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("IPs"),
        _TimeLeft(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bar(progress, subjects)


class _Lines:
    """Says when nothing will happen for a while, and how far it has come."""

    def __init__(self) -> None:
        self._done = ""

    def moved(self, tally: Tally, *, ahead: timedelta) -> None:
        self._done = f"; {tally.delivered:,} of {tally.subjects:,} IPs delivered, {about(ahead)} left"

    def waits(self, wait: timedelta, why: str) -> None:
        say(f"waiting {about(wait)}: {why}{self._done}")


class _Bar:
    def __init__(self, progress: Progress, subjects: int) -> None:
        self._progress = progress
        self._task = progress.add_task("sending", total=subjects, done_at=None)

    def moved(self, tally: Tally, *, ahead: timedelta) -> None:
        done_at = time.monotonic() + ahead.total_seconds()
        self._progress.update(self._task, description="sending", completed=tally.subjects - tally.left, done_at=done_at)

    def waits(self, wait: timedelta, why: str) -> None:
        self._progress.console.print(f"waiting {about(wait)}: {why}", markup=False, highlight=False)
        self._progress.update(self._task, description="waiting")


class _TimeLeft(ProgressColumn):
    """Counts down to when the budget lets the last request go; the speed so far says nothing about that."""

    def render(self, task: Task) -> Text:
        done_at = task.fields["done_at"]
        if done_at is None or task.finished:
            return Text("")
        return Text(f"{about(timedelta(seconds=max(done_at - time.monotonic(), 0.0)))} left")
