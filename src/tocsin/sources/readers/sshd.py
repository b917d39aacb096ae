"""sshd's part of auth.log: sign-ins that were refused, counted by address.

A line counts when it tells of a user who was refused; that someone connected, or spoke no SSH, is no sign-in. One
attempt is often told by several lines of one process (an invalid user, the password, the end), and counts once.
`pam_unix` does not count beside them: where users are kept elsewhere it fails for each of them before another module
lets them in.
The user name is the attacker's own word and may read `x from 198.51.100.1 port 22 ssh2`, so the last address that fits
is taken. Host names are never looked up.
"""

import re
from datetime import timedelta

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.sources.format import Format
from tocsin.sources.readers.counted import CountedReader, Event, Rule
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.reading import Reading, skipped
from tocsin.sources.sample import Sample

_LINE = re.compile(
    r"(?:<\d{1,3}>)?(?:1 |[A-Z][a-z]{2} (?=\d{4}-))?"
    r"(?P<time>[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,6})?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)(?: [A-Z]{3,5})? "
    r"(?:<[\w.]+> )?(?:[^\s\[]+ )?"  # BSD's syslog -v tells facility and level
    r"\[?sshd(?:-session|-auth|\(pam_unix\))?(?:\[(?P<pid>\d+)\]:?|\]:?| (?P<pid5424>\d+|-) \S+ (?:-|\[.*?\])|:) "
    r"\ufeff?(?:\[ID \d+ [\w.]+\] )?(?P<said>.*)"
)
_AT = r"(?P<ip>\S+)(?: port \d+)?"
_NAMED = r"(?:authenticating|invalid) user (?P<user>.*) (?P<ip>\S+) port \d+"
_END = r"(?: ssh2?)?(?: \[preauth\])?\s*"
_REPEATED = re.compile(r"message repeated (?P<times>\d+) times: \[ (?P<said>.*)\]\s*")
_FAILED = re.compile(
    rf"Failed (?P<how>\S+) for (?P<invalid>(?:invalid|illegal) user )?(?P<user>.*) from {_AT}"
    r"(?: ssh2?)?(?:: [A-Z0-9-]+ \S+)?\s*"
)
# What followed a user in some versions was the client's word too, so here neither the first nor the last is sure.
_ENDED = re.compile(r" from \S+ port \d+ ssh\d?: ")
# Told beside a failure, or alone: where passwords are off, these are all that is told.
_TOLD = {
    "Invalid": rf"Invalid user (?P<user>.*) from {_AT}{_END}",
    "Illegal": rf"Illegal user (?P<user>.*) from {_AT}{_END}",
    "PAM:": rf"PAM: .* for (?:illegal user )?(?P<user>.*) from {_AT}(?: via \S+)?{_END}",
    "maximum": rf"maximum authentication attempts exceeded for (?:invalid user )?(?P<user>.*) from {_AT}{_END}",
    "User": r"User (?P<user>.*) from (?P<ip>\S+) not allowed because [^:]*",
    "ROOT": rf"ROOT LOGIN REFUSED FROM {_AT}{_END}",
    "Connection": rf"Connection (?:closed|reset) by {_NAMED}{_END}",
    # Of old, PAM spoke under a name of its own, in a log where sshd said nothing.
    "authentication": (
        r"authentication failure; logname=\S* uid=\d+ euid=\d+ tty=\S* ruser=\S* rhost=(?P<ip>\S+)\s*"
        r"(?:user=(?P<user>.*))?"
    ),
    "Disconnected": rf"Disconnected from {_NAMED}{_END}",
    "Disconnecting": rf"Disconnecting {_NAMED}: Too many authentication failures{_END}",
}
_TELLING = {word: re.compile(pattern) for word, pattern in _TOLD.items()}
_ADDRESS = re.compile(r"[0-9.]++|[0-9a-fA-F.]*+:[0-9a-fA-F:.]*+(?:%\w+)?")
_MOST_PROCESSES = 4096
_MOST_REPEATED = 1000


class SshdReader(CountedReader):
    """Reads one log."""

    rule = Rule(
        "refused SSH sign-ins", timedelta(hours=1), ((3, RiskLevel.LOW), (10, RiskLevel.MEDIUM), (100, RiskLevel.HIGH)),
        most_kinds=20, kinds="user names tried over SSH",
    )  # fmt: skip

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._time = LogTimes(("syslog", "iso8601"), reading)
        self._told: dict[str, bool] = reading.memory.setdefault("sshd processes", {})

    def event(self, number: int, text: str) -> Event | Skipped | None:
        """See `CountedReader`."""
        line = _LINE.fullmatch(text)
        if line is None:
            return _no_line_of_sshd(number, text)
        time, pid, pid5424, said = line.groups()
        times = 1
        if said.startswith("message repeated") and (repeated := _REPEATED.fullmatch(said)):
            said, times = repeated["said"], min(int(repeated["times"]), _MOST_REPEATED)
        said = said.removeprefix("error: ").removeprefix("fatal: ")
        word = said.partition(" ")[0]
        failed = _FAILED.fullmatch(said) if word == "Failed" else None
        found = failed or ((telling := _TELLING.get(word)) and telling.fullmatch(said))
        if not found:
            return Skipped(SkipReason.NO_CLAIM, number, "tells of no refused sign-in", text[:EXCERPT_CHARS])
        # Clients ask for "none" first, and offer keys one after another, before they are asked for anything.
        if failed and (failed["how"] == "none" or (failed["how"] == "publickey" and not failed["invalid"])):
            return Skipped(
                SkipReason.NO_CLAIM, number, "a client that is still asking how to sign in", text[:EXCERPT_CHARS]
            )
        address, user = found["ip"], found.groupdict().get("user")
        if user and _ENDED.search(user):
            detail = "two addresses fit, and one of them is made up"
            return Skipped(SkipReason.NO_ADDRESS, number, detail, text[:EXCERPT_CHARS])
        if not _ADDRESS.fullmatch(address):
            detail = "names a host, and host names are not looked up"
            return skipped(number, text, SkipReason.NO_ADDRESS, detail)
        times -= self._already_told(f"{pid or pid5424} {address}", failed is not None)
        return Event(address, self._time(time), times, user)

    def _already_told(self, process: str, failed: bool) -> int:
        """1 when what a line tells was counted by a line before it."""
        told = self._told
        if process not in told:
            if len(told) >= _MOST_PROCESSES:
                del told[next(iter(told))]
            told[process] = failed
            return 0
        if not failed:
            return 1
        before, told[process] = told[process], True
        return 0 if before else 1


def _no_line_of_sshd(number: int, text: str) -> Skipped | None:
    if not text.strip():
        return None
    if _SYSLOG.match(text):
        return Skipped(SkipReason.NO_CLAIM, number, "is of another program than sshd", text[:EXCERPT_CHARS])
    return skipped(number, text, SkipReason.NOT_A_RECORD, "is no line of syslog")


_IN_SYSLOG = re.compile(rb" sshd(?:-session|\(pam_unix\))?\[\d+\]: ")
_SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d"
    r"|(?:1 |[A-Z][a-z]{2} )?\d{4}-\d\d-\d\d[T ])"
)


def _recognises(sample: Sample) -> bool:
    if any(_LINE.fullmatch(text) for text in sample.lines):
        return True
    # Other programs may have filled the first lines of the file.
    return (
        bool(sample.lines) and _SYSLOG.match(sample.lines[0]) is not None and _IN_SYSLOG.search(sample.head) is not None
    )


FORMATS = (
    Format(
        name="sshd",
        title=(
            "sshd in auth.log or secure: refused sign-ins of an address within an hour "
            "(3: LOW, 10: MEDIUM, 100 or 20 user names: HIGH; 24 h, HIGH 72 h)"
        ),
        group="Host logs",
        usual="/var/log/auth.log",
        example="\n".join(
            f"Jan  5 10:00:0{n} host sshd[{4000 + n}]: Failed password for invalid user admin from 203.0.113.9 "
            f"port {51_000 + n} ssh2"
            for n in range(3)
        ),
        recognises=_recognises,
        reader=SshdReader,
        grows=True,
    ),
)
