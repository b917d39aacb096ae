"""`tocsin quarantine retry --as`: what a person writes is held to the rules of its source."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tocsin.cli.main import app
from tocsin.cli.quarantine import NotThere
from tocsin.relay import Outbox, open_outbox
from tocsin.relay.intake import prepare
from tocsin.signals import Batch, Skipped, SkipReason, to_ms

CONFIG = """
[targets.acme]
url = "https://acme.example"
token_env = "T"
[sources.sensor]
path = "events.jsonl"
own_networks = ["203.0.114.0/24"]
allow_lists = ["innocent.txt"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A relay's folder with a broken record of its source in quarantine."""
    monkeypatch.chdir(tmp_path)  # back again afterwards: a relay's file moves the process to its folder
    (tmp_path / "relay.toml").write_text(CONFIG)
    (tmp_path / "innocent.txt").write_text("9.9.9.9\n")
    broken = Skipped(SkipReason.NOT_A_RECORD, 3, "no JSON", "nonsense")
    with closing(Outbox(tmp_path / "relay-state" / "outbox")) as outbox:
        batch = Batch(source="sensor", claims=[], skipped=[broken])
        outbox.take_in([prepare(batch)], now_ms=to_ms(datetime.now(UTC)))
    return tmp_path


def _retry(ip: str, *options: str) -> str:
    """Why it was not taken; empty when it was."""
    mended = f'{{"ip":"{ip}","riskLevel":"HIGH"}}'
    result = CliRunner().invoke(app, ["quarantine", "retry", "all", "--as", mended, *options])
    assert result.exit_code == 0 or isinstance(result.exception, NotThere | SystemExit), result.exception
    return "" if result.exit_code == 0 else f"{result.exception} {result.stderr}"


def _held(folder: Path) -> tuple[int, int]:
    with closing(open_outbox(folder / "relay-state")) as outbox:
        return len(outbox), outbox.quarantine.count()


@pytest.mark.parametrize(
    ("ip", "why"),
    [
        ("203.0.114.7", "one of our own networks"),
        ("9.9.9.9", "in the allow-list 'innocent.txt'"),
        ("10.0.0.9", "is private"),
    ],
)
def test_what_is_never_signalled_is_not_taken_from_a_person_either(folder: Path, ip: str, why: str) -> None:
    assert why in _retry(ip)
    assert _held(folder) == (0, 1)


def test_what_may_be_signalled_is_taken(folder: Path) -> None:
    assert _retry("8.8.8.8") == ""
    assert _held(folder) == (1, 0)


def test_of_a_send_the_options_say_what_is_never_signalled(folder: Path) -> None:
    state = ("--state", "relay-state")
    assert "is private" in _retry("10.0.0.9", *state)
    assert "one of our own networks" in _retry("8.8.8.8", *state, "--own", "8.8.8.0/24")
    assert _held(folder) == (0, 1)
    assert _retry("10.0.0.9", *state, "--allow-non-global") == ""
    assert _held(folder) == (1, 0)


def test_of_a_relay_its_file_says_it_and_nothing_else(folder: Path) -> None:
    assert "goes with --state" in " ".join(_retry("8.8.8.8", "--own", "9.0.0.0/8").split())
    assert _held(folder) == (0, 1)


def test_of_a_worker_the_quarantines_of_its_targets_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = folder / "relay-state" / "targets"
    there.mkdir()
    (folder / "relay-state" / "outbox").rename(there / "outbox")
    (there / "acme").mkdir()
    (there / "outbox").rename(there / "acme" / "outbox")
    (folder / "relay.toml").write_text(f'{CONFIG}[journal]\nservers = ["nats://127.0.0.1:4222"]\n')
    monkeypatch.chdir(folder.parent)
    result = CliRunner().invoke(app, ["quarantine", "list", "--config", f"{folder.name}/relay.toml"])
    assert isinstance(result.exception, NotThere)
    assert "is of a worker" in str(result.exception)
    hint = str(result.exception.hint)
    assert hint == f"--state names one: {folder.name}/relay-state/targets/acme"
    monkeypatch.chdir(folder.parent)
    listed = CliRunner().invoke(app, ["quarantine", "list", "--state", hint.rpartition(" ")[2]])
    assert "sensor  line 3: no JSON" in listed.stdout
