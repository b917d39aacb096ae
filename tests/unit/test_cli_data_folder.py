"""A typo in the name of a data folder makes no org; and the command says which version it is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tocsin import __version__
from tocsin.cli.data_folder import NoSuchOrg
from tocsin.cli.main import app

CREATE = [["token", "create", "me"], ["bouncer", "create", "edge"]]


@pytest.mark.slow
@pytest.mark.parametrize("command", CREATE)
def test_a_slip_of_the_hand_makes_no_org(tmp_path: Path, command: list[str]) -> None:
    run, data, slip = CliRunner().invoke, tmp_path / "my-org", tmp_path / "my-ogr"
    first = run(app, [*command, "--data", str(data)])
    assert (first.exit_code, "it is made now" in first.stderr) == (0, True)
    refused = run(app, [*command, "--data", str(slip)])
    assert isinstance(refused.exception, NoSuchOrg)
    assert f"did you mean {data}?" in str(refused.exception.hint)
    assert sorted(tmp_path.iterdir()) == [data]
    assert run(app, [*command, "--data", str(slip), "--new"]).exit_code == 0
    assert slip.is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("names", [("org", "org2"), ("org-a", "org-b"), ("acme", "umbrella")])
def test_several_orgs_may_lie_side_by_side(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        assert CliRunner().invoke(app, [*CREATE[0], "--data", str(tmp_path / name)]).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == set(names)


@pytest.mark.slow
def test_the_default_folder_is_made_wherever_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, [*CREATE[0], "--data", "tocsin-dat"]).exit_code == 0
    assert CliRunner().invoke(app, CREATE[0]).exit_code == 0
    assert (tmp_path / "tocsin-data").is_dir()


def test_the_version_is_said() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"tocsin {__version__}\n")
