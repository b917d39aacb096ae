from pathlib import Path
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct
from typer.testing import CliRunner

from tocsin.cli.config import ConfigError, load_config
from tocsin.cli.fleet_files import write_files
from tocsin.cli.fleet_roles import accounts
from tocsin.cli.main import app
from tocsin.cli.relay_file import RelayFile
from tocsin.cli.role_files import WHOSE
from tocsin.org.config import OrgConfig
from tocsin.org.fleet.config import JournalFile
from tocsin.org.fleet.roles import inbox_of
from tocsin.signals import RiskLevel


class Budget(Struct, frozen=True, forbid_unknown_fields=True):
    requests_per_window: Annotated[int, Meta(ge=1, le=30)] = 30


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    budget: Budget = Budget()


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    budget: Budget = Budget()
    targets: list[Target] = []
    named: dict[str, Target] = {}
    levels: dict[str, RiskLevel] = {}
    action: Literal["allow", "deny"] | None = None


def refused(tmp_path: Path, text: str) -> ConfigError:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, Config)
    assert str(path) in str(caught.value)
    return caught.value


def test_what_is_right_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[budget]\nrequests_per_window = 15\n[[targets]]\nurl = "https://a.example"\n')
    assert load_config(path, Config) == Config(Budget(15), [Target("https://a.example")])


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("[budget]\nrequest_per_window = 3", "no key budget.request_per_window", "requests_per_window?"),
        ("[budgt]\nrequests_per_window = 3", "no key budgt", "did you mean budget?"),
        ('[[targets]]\nurl = "u"\n[targets.budget]\nrequests = 3', "budget.requests", "requests_per_window?"),
        ('[named.b]\nurl = "u"\n[named.a]\nurl = "u"\nurll = "v"', "there is no key named.a.urll", "did you mean url?"),
        ("zzz = 1", "no key zzz", "there are: budget, targets, named, levels, action"),
        ("[budget]\nrequests_per_window = 60", "budget.requests_per_window: expected `int` <= 30", "mend"),
        ("[[targets]]\n", "the key targets[0].url is missing", "add url = ..."),
        ("[budget", "is not TOML", "brackets"),
        ('[levels]\na = "HIGH"\nb = "HIHG"', "levels.b: invalid enum value 'HIHG'", "one of HIGH, MEDIUM, LOW"),
        ('action = "denie"', "action: invalid enum value 'denie'", "one of allow, deny"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, words: str, hint: str) -> None:
    error = refused(tmp_path, text)
    assert words in str(error)
    assert hint in str(error.hint)


def test_a_table_that_is_missing_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[journal]\nservers = ["nats://127.0.0.1:4222"]\n')
    for kind, key, hint in ((RelayFile, "targets", "[targets.NAME]"), (JournalFile, "journal", "[journal]")):
        if key == "journal":
            path.write_text("")
        with pytest.raises(ConfigError, match=f"the key {key} is missing") as caught:
            load_config(path, kind)
        assert caught.value.hint == f"add a table {hint}"


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml", Config)
    (tmp_path / "bin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "bin.toml", Config)


def test_a_target_that_names_a_source_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(
        "[targets.acme]\nurl = 'https://a.example'\ntoken_env = 'T'\nsources = ['sensor', 'sensr']\n"
        "[sources.sensor]\npath = 'list'\n"
    )
    with pytest.raises(
        ConfigError, match=r"toml: targets\.acme\.sources: there is no source sensr; did you mean sensor\?"
    ):
        load_config(path, RelayFile)


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        (RelayFile, "never_send = ['10.0.0/8']\ntoken_env = 'T'", "targets.acme.never_send: '10.0.0/8' does not"),
        (RelayFile, "client_id = 'x'", "targets.acme.client_id: client_id and private_key_file go together"),
        (OrgConfig, "[http]\ntrusted_proxies = ['10.0.0/8']", "http.trusted_proxies: '10.0.0/8' does not"),
        (OrgConfig, "[policy]\nallowed = ['10.0.0/8']", "policy.allowed: '10.0.0/8' does not"),
    ],
)
def test_what_no_type_can_say_is_named_with_its_key_too(tmp_path: Path, kind: type, text: str, key: str) -> None:
    path = tmp_path / "c.toml"
    relay = f"[targets.acme]\nurl = 'https://a.example'\n{text}\n[sources.sensor]\npath = 'list'\n"
    path.write_text(relay if kind is RelayFile else text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, kind)
    assert str(caught.value).startswith(f"{path}: {key}")


def test_the_sources_of_a_target_are_those_that_are_read_or_else_what_is_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    told = "[targets.acme]\nurl = 'https://a.example'\ntoken_env = 'T'\nsources = ['read', 'handed']\n"
    read = "[sources.read]\npath = 'a'\n"
    path.write_text(f"{told}{read}[journal]\nservers = ['nats://127.0.0.1:4222']\n")
    assert load_config(path, RelayFile).relay.targets["acme"].sources == ["read", "handed (put)"]
    path.write_text(f"{told}{read}[sources.handed]\npath = 'b'\n")
    assert load_config(path, RelayFile).relay.targets["acme"].sources == ["read", "handed"]


@pytest.mark.parametrize(
    ("command", "role", "hint"),
    [
        (["relay", "put", "list.txt"], "org", "detector-journal.toml"),
        (["relay", "put", "list.txt"], "admin", "detector-journal.toml"),
        (["relay"], "detector", "relay-journal.toml"),
        (["relay", "status"], "org", "relay-journal.toml"),
        (["serve"], "admin", "a node is given fleet.toml"),
        (["serve"], "relay", "a node is given fleet.toml"),
    ],
)
def test_the_file_of_another_role_is_told_by_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], role: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path / "fleet", [f"nats://127.0.0.1:{port}" for port in (14222, 14223, 14224)])
    (path,) = [one for one in (tmp_path / "fleet").glob("*.toml") if f'"{inbox_of(role)}"' in one.read_text()]
    result = CliRunner().invoke(app, [*command, "--config", str(path)])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(f"{path} is the file of {WHOSE[role]}")
    assert hint in str(result.exception.hint)


def test_it_is_known_of_each_role_whose_file_it_has() -> None:
    assert set(WHOSE) == {role for account in accounts().values() for role in account.roles}
