"""What a person sees whose own files, or mappings of them, are not as the command thinks."""

from pathlib import Path

import pytest
from backports import zstd
from typer.testing import CliRunner, Result

from tocsin.cli.main import app
from tocsin.sources import SourceError
from tocsin.sources.sample import PARQUET_MAGIC

MAPPING = """
profile = "my-gateway"
message = "blocked"
[reader]
format = "{form}"
[ip]
paths = ["client"]
[level]
always = "LOW"
"""
ROWS = "client,when\n8.8.8.8,2026-01-05T10:00:00Z\n"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def _error(result: Result) -> SourceError:
    assert isinstance(result.exception, SourceError), (result.output, result.exception)
    return result.exception


def _mapping(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_packed_list_that_breaks_off_before_anything_is_read_is_not_called_empty(tmp_path: Path) -> None:
    packed = zstd.compress("".join(f"8.8.{n // 250}.{n % 250}\n" for n in range(5_000)).encode())
    cut = tmp_path / "cut.zst"
    cut.write_bytes(packed[:300])
    error = _error(_run("explain", cut))
    assert f"{cut} breaks off before its format can be told: Compressed file ended" in str(error)
    assert "fetch it again" in str(error.hint)
    as_list = _run("explain", cut, "--format", "ip-list")
    assert "breaks off after record 0" in as_list.output


@pytest.mark.parametrize("command", [("explain", "--mapping"), ("map", "--try")])
def test_a_mapping_of_another_reader_says_what_the_file_is_and_what_it_reads(
    tmp_path: Path, command: tuple[str, str]
) -> None:
    (tmp_path / "flows.parquet").write_bytes(PARQUET_MAGIC + b"\x15\x04" * 40 + PARQUET_MAGIC)
    mapping = _mapping(tmp_path, MAPPING.format(form="csv"))
    error = _error(_run(command[0], tmp_path / "flows.parquet", command[1], mapping))
    assert "flows.parquet is Parquet, and my-gateway reads text" in str(error)
    assert "[reader]" in str(error.hint)


def test_map_says_that_a_file_is_not_the_parquet_it_was_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    result = _run("map", "--try", _mapping(tmp_path, MAPPING.format(form="parquet")), tmp_path / "rows.csv")
    assert result.exit_code == 1
    assert "Parquet is not read" in result.output
    assert "spelled right" not in result.output
