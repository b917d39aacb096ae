"""Rows of a Parquet file. The library that reads them is large, and so an extra: `tocsin[parquet]`."""

from collections.abc import Iterator
from typing import Any

from tocsin.sources.errors import SourceError
from tocsin.sources.opening import Opened, on_disk
from tocsin.sources.reading import Block
from tocsin.sources.sample import PARQUET_MAGIC

_ROWS_A_BLOCK = 5_000


def parquet_rows(opened: Opened) -> Iterator[Block]:
    """
    Each row as a dict by the names of its columns; times are ISO 8601.

    Raises: SourceError, where the extra is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        hint = "install it with the extra: tocsin[parquet]"
        raise SourceError("pyarrow, which reads Parquet, is not installed", hint=hint) from None
    first = 1
    with on_disk(opened, PARQUET_MAGIC) as path:
        try:
            with parquet.ParquetFile(path) as file:
                for rows in file.iter_batches(batch_size=_ROWS_A_BLOCK):
                    records = [{name: _plain(value) for name, value in row.items()} for row in rows.to_pylist()]
                    yield Block(range(first, first + len(records)), records, first + len(records))
                    first += len(records)
        except (pa.ArrowException, OSError) as error:
            opened.cut_off = f"Parquet is not read: {' '.join(str(error).split())[:200]}"


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
