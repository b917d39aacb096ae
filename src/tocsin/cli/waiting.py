"""Says whom a command waits for, once that takes long."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # what speaks to NATS is an extra
    from tocsin.journal.jetstream import JetStreamSettings

_SILENT_S = 1.0


@contextmanager
def telling_of(settings: "JetStreamSettings") -> Iterator[None]:
    """Name the servers in `settings` on standard error, when what is asked of them takes more than a second."""
    text = f"asking {', '.join(settings.servers)} ..."
    saying = asyncio.get_running_loop().call_later(_SILENT_S, partial(typer.echo, text, err=True))
    try:
        yield
    finally:
        saying.cancel()
