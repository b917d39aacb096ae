from pathlib import Path

import pytest

from tocsin.org.data import open_folder
from tocsin.org.errors import OrgError
from tocsin.org.folder import DataFolder


def test_it_is_made_on_first_use_and_recognised_after(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "data"
    DataFolder.open(path)
    (path / "journal.db").write_bytes(b"")
    assert DataFolder.open(path).journal == path / "journal.db"
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / "marker.json").stat().st_mode & 0o777 == 0o600


def test_looking_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(OrgError, match="there is none"):
        DataFolder.open(tmp_path / "data", create=False)
    with pytest.raises(OrgError, match="not a data folder"):
        DataFolder.open(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("marker", "why"),
    [
        ('{"kind":"tocsin-org","format":4}', "newer version"),
        ('{"kind":"tocsin-org","format":2}', "before the first release"),
        ('{"kind":"tocsin-relay","format":1}', "data folder of 'tocsin-relay'"),
        ('{"kind":"tocsin-node","format":3}', "of a node of a fleet, not of an org"),
        ('{"kind":"tocsin-node-org","format":3}', "of one org of a node, not of an org"),
        ("", "cannot be understood"),
    ],
)
def test_what_is_not_ours_is_left_alone(tmp_path: Path, marker: str, why: str) -> None:
    (tmp_path / "marker.json").write_text(marker)
    with pytest.raises(OrgError, match=why) as caught:
        DataFolder.open(tmp_path)
    assert caught.value.hint
    assert (tmp_path / "marker.json").read_text() == marker


def test_a_marker_under_way_by_another_process_is_not_a_stranger(tmp_path: Path) -> None:
    (tmp_path / ".marker-abc").write_text("")
    assert DataFolder.open(tmp_path).path == tmp_path


def test_a_folder_is_served_once_at_a_time(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path / "data")
    with folder.serving(), pytest.raises(OrgError, match="already served"), folder.serving():
        pass
    with folder.serving():
        pass


async def test_an_org_that_has_its_folder_to_itself_needs_no_name(tmp_path: Path) -> None:
    async with open_folder(tmp_path / "data") as folder:
        assert folder.path == tmp_path / "data"
    with pytest.raises(OrgError, match="data folder of one org") as caught:
        async with open_folder(tmp_path / "data", "acme"):
            pass
    assert caught.value.hint == "leave out --org acme"
