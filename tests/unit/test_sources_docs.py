"""The page about sources says what the code does, and what it tells to type works."""

import json
import re
import runpy
import shlex
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from tocsin.cli.main import app
from tocsin.sources import Format, SourceConfig, formats
from tocsin.sources.config import PLACES

ROOT = Path(__file__).parents[2]
PAGE = runpy.run_path(str(ROOT / "docs" / "sources_page.py"))
TEXT = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
AS_OF = "2026-01-05T12:00:00Z"  # two hours after the examples


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_is_what_the_registry_says() -> None:
    assert PAGE["page"]() == TEXT, "make docs"


@pytest.mark.parametrize("form", formats(), ids=lambda form: form.name)
def test_the_command_of_a_format_reads_what_it_is_for(tmp_path: Path, form: Format) -> None:
    command = PAGE["command"](form)
    assert f"```sh\n{command}\n```" in TEXT
    program, verb, file, to, org = shlex.split(command.rpartition("| ")[2])
    assert (program, verb, to, org) == ("tocsin", "send", "--to", "$ORG")
    path = tmp_path / ("input" if file == "-" else Path(file).name)
    _write_example(form, path)
    account = json.loads(_run("send", str(path), "--dry-run", "--json", "--allow-non-global", "--as-of", AS_OF))
    assert account["format"] == form.name
    assert (account["signals"] > 0) != (form.name == "spamhaus-asn-drop")


def _write_example(form: Format, path: Path) -> None:
    if form.name != "fail2ban-sqlite":
        path.write_text(form.example)
        return
    row = dict(pair.split("=") for pair in form.example.split())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE fail2banDb(version INTEGER)")
        db.execute(
            "CREATE TABLE bans(jail TEXT, ip TEXT, timeofban INTEGER, bantime INTEGER, bancount INTEGER, data JSON)"
        )
        db.execute("INSERT INTO bans VALUES (:jail, :ip, :timeofban, :bantime, :bancount, x'7b7d')", row)


def _blocks(kind: str) -> Iterator[str]:
    yield from re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_mapping_of_the_page_maps(tmp_path: Path) -> None:
    (mapping,) = (block for block in _blocks("toml") if "profile =" in block)
    (tmp_path / "mine.toml").write_text(mapping)
    rows = "kind,client,peer,score,when,rule_name,hits\nblocked,1.2.3.4,10.0.0.1,81,2026-01-05T10:00:00Z,sql/i,3\n"
    (tmp_path / "rows.csv").write_text(rows + "passed,1.2.3.5,10.0.0.1,81,2026-01-05T10:00:00Z,x,1\n")
    out = _run("map", "--try", str(tmp_path / "mine.toml"), str(tmp_path / "rows.csv"), "--as-of", AS_OF)
    assert "signal 1.2.3.4 HIGH" in out
    assert "until 2026-01-08T10:00:00+00:00, 'Gateway blocked sql-i seen 3 times'" in out
    assert "rows.csv:3: skipped as no_claim" in out
    assert "1 records make signals" in out
    assert "time at when: in 2 of 2" in out


def test_the_shell_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    eve = next(form.example for form in formats() if form.name == "suricata-eve")
    Path("eve.json").write_text("".join(f"{eve}\n" for _ in range(3)))
    lines = [line.partition("  #")[0].strip() for block in list(_blocks("sh"))[:2] for line in block.splitlines()]
    assert len(lines) == 6
    for line in lines:
        command, _, into = line.partition(" > ")
        options = ["--as-of", AS_OF, "--allow-non-global"] if "formats" not in command else []
        out = _run(*shlex.split(command)[1:], *options)
        assert out
        if into:
            Path(into).write_text(out)


def test_the_account_of_the_page_has_the_keys_of_the_command(tmp_path: Path) -> None:
    (shown,) = re.findall(r'^\{"file":"eve.json".*$', TEXT, re.MULTILINE)
    path = tmp_path / "list"
    path.write_text("1.2.3.4\n")
    told: dict[str, Any] = json.loads(_run("send", str(path), "--dry-run", "--json"))
    assert list(json.loads(shown)) == list(told)
    assert list(told["by_level"]) == ["HIGH", "MEDIUM", "LOW"]


def test_every_table_of_the_page_is_one_that_the_configuration_takes() -> None:
    tables: dict[str, SourceConfig] = {}
    for block in _blocks("toml"):
        if block.startswith("[sources."):
            tables |= msgspec.convert(tomllib.loads(block)["sources"], dict[str, SourceConfig])
    places = {place for place in PLACES for table in tables.values() if getattr(table, place) is not None}
    assert places == set(PLACES), "each kind of input has a section"
