"""Access logs of nginx and Apache: requests that were refused or found nothing, counted by address.

One line says little: everybody meets a 404. What counts is one point for a request that was refused (400, 401, 403,
404, 405, 429, 444) and ten for one whose path no visitor asks for, such as `/.env`, whatever the answer was. It takes
20 points within ten minutes to say LOW, 100 for MEDIUM, 1,000 for HIGH: who looks for holes in a site seldom signs in
next, so the scale is a careful one. Detection is the trade of others; where CrowdSec or fail2ban reads the log, read
them instead.
"""

import re
from datetime import timedelta

from tocsin.signals import RiskLevel, Skipped, SkipReason, ip_key
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.sources.framing.carriers import CARRIED
from tocsin.sources.readers.counted import Event, Rule
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.reading import Reading, skipped
from tocsin.sources.vetting import client_behind

WEB_RULE = Rule(
    "points for refused or scanning web requests", timedelta(minutes=10),
    ((20, RiskLevel.LOW), (100, RiskLevel.MEDIUM), (1_000, RiskLevel.HIGH)),
)  # fmt: skip
WEB_STEPS = ", ".join(f"{points:,}: {level}" for points, level in WEB_RULE.steps)
"""For people: from how many points on it is which level."""
# `client, proxy - user [time] "request" status bytes ...`, perhaps with the name of the site before it. Possessive
# where it can be: what stands in quotes is the client's own word.
_LINE = re.compile(
    CARRIED + r'(?:(?P<site>[^\s":,]+(?::\d+)?) (?=[0-9a-fA-F.:]+,? \S+ \S))?(?P<who>[^\s,"]++(?:, ?[^\s,"]++)*+) '
    r"(?P<user>\S+ .*?) ?\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<request>[^"\\]*+(?:\\.[^"\\]*+)*+)" (?P<status>\d{3}|-) (?P<rest>.*)'
)
# To the end where one does not end, so that hostile input costs linear time.
_QUOTED = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?$)')
# A chain of proxies with a blank in it, which a client may send, begins with a word of the client's and goes on here.
_GOES_ON = re.compile(r", ?(?=[0-9a-fA-F]*[.:])[0-9a-fA-F.:]+ ")
_REFUSED = {"400", "401", "403", "404", "405", "429", "444"}
_SCANNED = (
    "/.env", "/.git/", "/.aws/", "/.ssh/", "/etc/passwd", "../..", "%2e%2e/", "${jndi:", "/phpunit/", "/boaform/",
    "/wp-config.php",
)  # fmt: skip
_SCAN_POINTS = 10
ADDRESS = re.compile(r"[0-9.]++|[0-9a-fA-F.]*+:[0-9a-fA-F:.]*+")


class AccessLines:
    """What a line of an access log tells."""

    line = _LINE

    def __init__(self, reading: Reading) -> None:
        self._time = LogTimes(("clf",), reading)
        self._reading = reading

    def event(self, number: int, text: str, line: re.Match[str]) -> Event | Skipped:
        """Raises: ValueError, for a time that is none."""
        _, _, who, user, time, request, status, rest = line.groups()
        points = points_of(request, status)
        if not points:
            return Skipped(SkipReason.NO_CLAIM, number, "a request like others", text[:EXCERPT_CHARS])
        if "," in user and _GOES_ON.search(user):
            detail = "two addresses fit, and one of them is made up"
            return Skipped(SkipReason.NO_ADDRESS, number, detail, text[:EXCERPT_CHARS])
        # Where X-Forwarded-For stands in place of the peer, its last entry is the nearest.
        chain, _, peer = who.rpartition(",")
        address = peer.strip()
        if address.count(":") == 1:  # with its port
            address = address.partition(":")[0]
        if not ADDRESS.fullmatch(address):
            return skipped(number, text, SkipReason.NO_ADDRESS, "names a host, and host names are not looked up")
        if self._reading.guard.proxies:
            address = client_of(address, chain or _forwarded(rest), self._reading)
        return Event(address, self._time(time), points)


def client_of(peer: str, chain: str, reading: Reading) -> str:
    """Whom to count: `peer`, or who is behind it where it is one of our proxies."""
    try:
        key = ip_key(peer)
    except ValueError:
        return peer
    return (client_behind(chain, reading) if reading.guard.proxies.word(key) else None) or peer


def points_of(request: str, status: str) -> int:
    """What a request counts for; 0 for one like others."""
    asked = request.lower()
    for scanned in _SCANNED:
        if scanned in asked:
            return _SCAN_POINTS
    return 1 if status in _REFUSED else 0


def _forwarded(rest: str) -> str:
    """The last quoted field after referer and agent, as nginx's `main` format has it."""
    fields = _QUOTED.findall(rest)
    return fields[-1] if len(fields) >= 3 else ""
