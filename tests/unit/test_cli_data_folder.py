"""A typo in the name of a data folder makes no org; and the command says which version it is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tocsin import __version__
from tocsin.cli.data_folder import NoSuchOrg
from tocsin.cli.main import app

CREATE = [["token", "create", "me"], ["bouncer", "create", "edge"]]


@pytest.mark.parametrize("command", CREATE)
def test_a_folder_that_is_not_there_is_made_only_when_that_is_asked_for(tmp_path: Path, command: list[str]) -> None:
    run, data = CliRunner().invoke, tmp_path / "my-org"
    first = run(app, [*command, "--data", str(data)])
    assert isinstance(first.exception, NoSuchOrg)
    assert "--new makes one" in str(first.exception.hint)
    assert not data.exists()
    assert run(app, [*command, "--data", str(data), "--new"]).exit_code == 0
    typo = run(app, [*command, "--data", str(tmp_path / "my-ogr")])
    assert isinstance(typo.exception, NoSuchOrg)
    assert f"did you mean {data}?" in str(typo.exception.hint)
    assert sorted(tmp_path.iterdir()) == [data]


@pytest.mark.parametrize("command", CREATE)
def test_the_default_folder_and_an_empty_one_become_an_org(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made-by-hand").mkdir()
    for where in (["--data", "made-by-hand"], []):
        assert CliRunner().invoke(app, [*command, *where]).exit_code == 0
    assert (tmp_path / "tocsin-data").is_dir()


def test_the_version_is_said() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"tocsin {__version__}\n")
