"""A log that grows is read on from where it was: across restarts, rotation by rename, rotation by truncation."""

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.signals import Batch, Signal
from tocsin.sources import SourceConfig, SourceError, open_source
from tocsin.sources.inputs.follow import FollowSource
from tocsin.sources.inputs.growing import Follower, Place

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
BAN = "2026-01-05 10:00:00,584 fail2ban.actions        [9275]: NOTICE  [sshd] Ban %s\n"


class Reader:
    """Reads a source for as long as it has something, and remembers the last durable position."""

    def __init__(self, path: Path) -> None:
        self._path, self.position = path, b""
        self.skipped: list[int] = []
        self.begin()

    def begin(self) -> None:
        """As a new process would."""
        config = SourceConfig(path=str(self._path), follow=True, format="fail2ban-log", every_s=1)
        self._source = open_source("jail", config, clock=lambda: NOW)
        assert isinstance(self._source, FollowSource)
        self._source._every_s = 0
        self._batches: AsyncIterator[Batch] | None = None

    async def until(self, ip: str) -> list[str]:
        """The addresses up to `ip`."""
        ips: list[str] = []
        self._batches = self._batches or self._source.batches(self.position)
        async for batch in self._batches:
            ips += [claim.ip for claim in batch.claims if isinstance(claim, Signal)]
            self.skipped += [one.line for one in batch.skipped]
            self.position = batch.position
            if ip in ips:
                return ips
        raise AssertionError("it never ends")


def _append(path: Path, *ips: str, end: str = "") -> None:
    with path.open("a") as file:
        file.write("".join(BAN % ip for ip in ips) + end)


async def test_what_is_appended_is_read_once_and_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "fail2ban.log"
    _append(path, "1.2.3.4", end=(BAN % "1.2.3.5").removesuffix("5\n"))
    reader = Reader(path)
    assert await reader.until("1.2.3.4") == ["1.2.3.4"]
    with path.open("a") as file:
        file.write("54\nnonsense\n")
    _append(path, "1.2.3.6")
    assert await reader.until("1.2.3.6") == ["1.2.3.54", "1.2.3.6"]
    assert reader.skipped == [3], "the number of the line in the file"


async def test_a_restart_goes_on_at_the_stored_position(tmp_path: Path) -> None:
    path = tmp_path / "fail2ban.log"
    _append(path, "1.2.3.4", "1.2.3.5")
    reader = Reader(path)
    await reader.until("1.2.3.5")
    reader.begin()
    _append(path, "1.2.3.6", end="broken\n")
    _append(path, "1.2.3.7")
    assert await reader.until("1.2.3.7") == ["1.2.3.6", "1.2.3.7"]
    assert reader.skipped == [4]


@pytest.mark.parametrize("restarts", [False, True])
async def test_rotation_by_rename_loses_nothing_of_the_old_file(tmp_path: Path, restarts: bool) -> None:
    path, old = tmp_path / "fail2ban.log", tmp_path / "fail2ban.log.1"
    _append(path, "1.2.3.4")
    reader = Reader(path)
    await reader.until("1.2.3.4")
    path.rename(old)
    (tmp_path / "fail2ban.log.2.gz").write_bytes(gzip.compress((BAN % "9.9.9.9").encode()))
    _append(old, "1.2.3.5", end=(BAN % "1.2.3.6").rstrip("\n"))  # its writer had it open still, and was stopped
    _append(path, "1.2.3.7")
    if restarts:
        reader.begin()
    assert await reader.until("1.2.3.7") == ["1.2.3.5", "1.2.3.6", "1.2.3.7"]


async def test_several_rotations_while_nobody_read_are_caught_up_with_in_order(tmp_path: Path) -> None:
    path = tmp_path / "fail2ban.log"
    _append(path, "1.2.3.4")
    reader = Reader(path)
    await reader.until("1.2.3.4")
    path.rename(tmp_path / "fail2ban.log.2")
    _append(tmp_path / "fail2ban.log.1", "1.2.3.5")
    _append(path, "1.2.3.6")
    reader.begin()
    assert await reader.until("1.2.3.6") == ["1.2.3.5", "1.2.3.6"]


@pytest.mark.parametrize("longer", [False, True])
async def test_rotation_by_truncation_reads_the_file_from_its_start(tmp_path: Path, longer: bool) -> None:
    path = tmp_path / "fail2ban.log"
    _append(path, "1.2.3.4", "1.2.3.5")
    reader = Reader(path)
    await reader.until("1.2.3.5")
    inode = path.stat().st_ino
    with path.open("r+") as file:
        file.truncate()
    _append(path, "1.2.3.6", *(["1.2.3.7", "1.2.3.8"] if longer else []))
    assert path.stat().st_ino == inode
    last = "1.2.3.8" if longer else "1.2.3.6"
    assert await reader.until(last) == (["1.2.3.6", "1.2.3.7", "1.2.3.8"] if longer else ["1.2.3.6"])


def test_a_file_between_two_is_waited_for_and_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (9 * 1024 * 1024))
    follower = Follower(path, None)
    sizes = [len(portion.content) for portion in (follower.next(), follower.next()) if portion]
    assert sizes == [4 * 1024 * 1024] * 2
    path.unlink()
    assert follower.next() is None
    follower.close()


@pytest.mark.parametrize("counted", [False, True])
async def test_an_allow_list_that_changed_holds_from_the_next_portion_on(tmp_path: Path, counted: bool) -> None:
    path, allowed = tmp_path / "some.log", tmp_path / "allowed.txt"
    allowed.write_text("192.88.99.1\n")
    failed = "Jan  5 11:00:0%d host sshd[%d]: Failed password for root from 1.2.3.9 port 5 ssh2\n"
    lines = [failed % (number, number) for number in range(2)] if counted else [BAN % "1.2.3.9"]
    path.write_text("".join(lines))
    config = SourceConfig(path=str(path), allow_lists=(str(allowed),), every_s=1)
    source = open_source("log", config, clock=lambda: NOW)
    assert isinstance(source, FollowSource)
    source._every_s = 0
    batches = source.batches(b"")
    first = await anext(batches)
    assert bool(first.claims) is not counted
    allowed.write_text("1.2.3.9  # a scanner of ours\n")
    with path.open("a") as file:
        file.write(failed % (3, 3) if counted else BAN % "1.2.3.9")
    while not (second := await anext(batches)).skipped:
        """Until there is more."""
    assert [str(one.reason) for one in second.skipped] == ["allow_listed"], "counts go on"
    allowed.unlink()
    with path.open("a") as file:
        file.write(BAN % "1.2.3.9")
    with pytest.raises(SourceError, match=r"the allow-list .*allowed\.txt cannot be read"):
        _ = [batch async for batch in batches]


async def test_a_log_with_a_header_is_understood_in_the_middle_and_counts_go_on(tmp_path: Path) -> None:
    path = tmp_path / "notice.log"
    head = "#separator \\x09\n#unset_field\t-\n#fields\tts\tnote\tsrc\tmsg\n#types\ttime\tenum\taddr\tstring\n"
    row = "1767607200.5\tScan::Port_Scan\t%s\tx\n"
    path.write_text(head + row % "1.2.3.4")
    config = SourceConfig(path=str(path))
    source = open_source("zeek", config, clock=lambda: NOW)
    assert isinstance(source, FollowSource), "it is known as a log by its content"
    batches = source.batches(b"")
    first = await anext(batches)
    with path.open("a") as file:
        file.write(row % "1.2.3.5")
    again = open_source("zeek", config, clock=lambda: NOW).batches(first.position)
    second = await anext(again)
    assert [claim.ip for batch in (first, second) for claim in batch.claims] == ["1.2.3.4", "1.2.3.5"]


async def test_attempts_are_counted_over_portions(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    line = "2026-01-05T10:00:0%dZ host sshd[%d]: Failed password for root from 1.2.3.4 port 5000 ssh2\n"
    path.write_text(line % (0, 1))
    source = open_source("ssh", SourceConfig(path=str(path)), clock=lambda: NOW)
    assert isinstance(source, FollowSource)
    source._every_s = 0
    levels = []
    batches = source.batches(b"")
    for number in (1, 2, 3):
        levels += [str(c.level) for c in (await anext(batches)).claims if isinstance(c, Signal)]
        with path.open("a") as file:
            file.write(line % (number, number + 1))
    assert levels == ["LOW"]


def test_a_position_is_of_one_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("a\nb\n")
    follower = Follower(path, Place(dev=1, ino=1, at=2, head=7))
    portion = follower.next()
    assert portion is not None
    assert portion.content == b"a\nb\n", "another file: from its start"
    follower.close()


@pytest.mark.parametrize(("there", "why"), [(False, "does not exist"), (True, "is empty")])
async def test_a_log_that_has_not_begun_is_followed_once_it_has(tmp_path: Path, there: bool, why: str) -> None:
    path = tmp_path / "fail2ban.log"
    if there:
        path.touch()
    source = open_source("jail", SourceConfig(path=str(path)), clock=lambda: NOW)
    with pytest.raises(SourceError, match=why):
        await anext(source.batches(b""))
    _append(path, "1.2.3.4")
    batch = await anext(source.batches(b""))
    _append(path, "1.2.3.5")
    again = await anext(source.batches(batch.position))
    assert [claim.ip for claim in again.claims] == ["1.2.3.5"], "a log is followed"


async def test_a_byte_order_mark_is_no_part_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "fail2ban.log"
    path.write_bytes(b"\xef\xbb\xbf")
    _append(path, "1.2.3.4")

    async def first(position: bytes = b"") -> Batch:
        return await anext(open_source("jail", SourceConfig(path=str(path)), clock=lambda: NOW).batches(position))

    batch = await first()
    _append(path, "1.2.3.5")
    again = await first(batch.position)
    assert [[claim.ip for claim in one.claims] for one in (batch, again)] == [["1.2.3.4"], ["1.2.3.5"]]
    assert not batch.skipped
    assert not again.skipped


async def test_a_log_in_utf_16_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "fail2ban.log"
    path.write_bytes((BAN % "1.2.3.4").encode("utf-16"))
    with pytest.raises(SourceError, match="is in UTF-16, which is not followed"):
        await anext(open_source("jail", SourceConfig(path=str(path)), clock=lambda: NOW).batches(b""))


@pytest.mark.parametrize("name", ["fail2ban-20260105.log", "fail2ban.log-20260105", "anything"])
async def test_a_file_that_was_rotated_while_nobody_read_is_found_by_its_inode(tmp_path: Path, name: str) -> None:
    path = tmp_path / "fail2ban.log"
    _append(path, "1.2.3.4")
    reader = Reader(path)
    await reader.until("1.2.3.4")
    _append(path, "1.2.3.5")
    path.rename(tmp_path / name)
    _append(path, "1.2.3.6")
    reader.begin()
    assert await reader.until("1.2.3.6") == ["1.2.3.5", "1.2.3.6"]


async def test_several_rotations_with_the_date_before_the_suffix_and_a_name_like_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "[jail] *.log"
    _append(path, "1.2.3.4")
    reader = Reader(path)
    await reader.until("1.2.3.4")
    path.rename(tmp_path / "[jail] *-20260103.log")
    _append(tmp_path / "[jail] *-20260104.log", "1.2.3.5")
    _append(path, "1.2.3.6")
    reader.begin()
    assert await reader.until("1.2.3.6") == ["1.2.3.5", "1.2.3.6"]


async def test_a_file_that_is_gone_with_lines_nobody_read_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "fail2ban.log"
    _append(path, "1.2.3.4", "1.2.3.5")
    reader = Reader(path)
    await reader.until("1.2.3.5")
    path.rename(tmp_path / "old")  # so that the inode is not given to the next
    _append(path, "1.2.3.6")
    path.rename(tmp_path / "fail2ban.log.1")
    (tmp_path / "old").unlink()
    _append(path, "1.2.3.7")
    reader.begin()
    assert await reader.until("1.2.3.7") == ["1.2.3.7"]
    _append(path, "1.2.3.8")
    reader.begin()
    assert await reader.until("1.2.3.8") == ["1.2.3.8"]
    assert reader.skipped == [2]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_truncated_log_that_begins_as_before_is_read_from_its_start(tmp_path: Path, restarts: bool) -> None:
    path = tmp_path / "fail2ban.log"
    header = "# a header that is longer than what is looked at of a beginning " + "-" * 300 + "\n"
    path.write_text(header)
    _append(path, "1.2.3.4", "1.2.3.5")
    reader = Reader(path)
    await reader.until("1.2.3.5")
    with path.open("r+") as file:
        file.truncate()
        file.write(header)
    _append(path, "1.2.3.6", "1.2.3.7", "1.2.3.8")
    if restarts:
        reader.begin()
    assert await reader.until("1.2.3.8") == ["1.2.3.6", "1.2.3.7", "1.2.3.8"]


def test_a_followed_file_that_stays_away_is_said(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n")
    follower = Follower(path, None)
    assert follower.next() is not None
    path.unlink()
    assert [follower.next() for _ in range(30)] == [None] * 30
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        follower.next()
    follower.close()


async def test_a_large_log_that_was_truncated_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "fail2ban.log"
    _append(path, *["1.2.3.4"] * 5_000)
    reader = Reader(path)
    await reader.until("1.2.3.4")
    at = f'"at":{path.stat().st_size},'
    while at not in reader.position.decode():
        await reader.until("1.2.3.4")
    with path.open("r+") as file:
        file.truncate()
    _append(path, "1.2.3.6")
    await reader.until("1.2.3.6")
    _append(path, "1.2.3.7")
    assert await reader.until("1.2.3.7") == ["1.2.3.7"]
