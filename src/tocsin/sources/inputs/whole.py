"""Batches of an input that is read whole: a file, an answer, a page, what someone posted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack

from tocsin.signals import Batch
from tocsin.sources.format import Format
from tocsin.sources.read import Piece, open_source_input
from tocsin.sources.reading import Reading


async def whole(
    path: str,
    form: Format | None,
    reading: Reading,
    *,
    before: bytes,
    after: bytes,
    full_list: bool | None = None,
    unchanged: Callable[[], bool] = lambda: True,
    change: Callable[[Piece], Piece] | None = None,
) -> AsyncIterator[Batch]:
    """
    One reading of the file at `path`. The position moves with its last batch: a crash in the middle reads it again.

    Args:
        full_list: whether it holds all there is to say; by its format when None.
        unchanged: asked at the end: whether the file is still the one that was read.
        change: what to make of each piece first.
    Raises: SourceError.
    """
    with ExitStack() as stack:
        source = await asyncio.to_thread(stack.enter_context, open_source_input(path, form))
        pieces = source.pieces(reading)
        if change is not None:
            pieces = map(change, pieces)
        part = await asyncio.to_thread(next, pieces)
        while (following := await asyncio.to_thread(next, pieces, None)) is not None:
            if following.claims or following.skipped:
                yield _batch(part, reading, before)
                part = following
        # What is missing in a list may be in the part that is missing of it.
        is_list = source.form.full_list if full_list is None else full_list
        is_whole = source.opened.cut_off is None and await asyncio.to_thread(unchanged)
        yield _batch(part, reading, after, ends_list=is_list and is_whole)


def _batch(part: Piece, reading: Reading, position: bytes, *, ends_list: bool = False) -> Batch:
    return Batch(
        source=reading.source, claims=part.claims, skipped=part.skipped, position=position, ends_list=ends_list
    )
