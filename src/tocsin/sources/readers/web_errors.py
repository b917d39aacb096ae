"""Error logs of Apache and nginx: what was refused a client, one point a line, on the scale of the access logs.

Only lines that name a client say anything; a rule of ModSecurity that denied access is worth ten. Apache's client
stands before its message. nginx's stands after it, and what a client sent may imitate it: a line that names two is
left, and so is one as long as nginx writes any, whose own client may have been cut off.
"""

import re

from tocsin.signals import Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.sources.framing.carriers import CARRIED, carried_by
from tocsin.sources.readers.counted import Event
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.reading import Reading

_APACHE_SAID = (
    r"\[(?:\w*:)?(?P<severity>\w+)\](?P<pid> \[pid [^\]]*\])?(?: \[tid [^\]]*\])?"
    r"(?P<remote> \[remote [^\]]*\])? (?P<said>.*)"
)
_APACHE_TIME = r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \d{4})\] "
_APACHE_CLIENT = re.compile(r"(?:\(\d+\)[^\[]*: )?\[client (?P<client>[0-9a-fA-F.:]+)\](?P<what>.*)")
_NGINX = (
    CARRIED
    + r"(?:\S+ nginx\[\d+\]: )?(?:\S+ nginx: )?"
    + r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<severity>\w+)\] \d+#\d+: (?P<said>.*)"
)
_NGINX_CLIENT = re.compile(r", client: (?P<client>[0-9a-fA-F.:]+), server: ")
_NGINX_MOST_BYTES = 2047  # of NGX_MAX_ERROR_STR, without the end of the line
_COUNTED = {"error", "warn", "crit"}
_DENIED = "ModSecurity: Access denied"
_DENIED_POINTS = 10


class _ErrorLines:
    line: re.Pattern[str]
    time_form: str
    time_group = "time"

    def __init__(self, reading: Reading) -> None:
        self._time = LogTimes((self.time_form, "syslog", "iso8601"), reading)

    def client(self, line: re.Match[str]) -> str | None:
        """Of whom a line speaks; None when of nobody."""
        raise NotImplementedError

    def event(self, number: int, text: str, line: re.Match[str]) -> Event | Skipped:
        """Raises: ValueError, for a time that is none."""
        said = line["said"]
        client = self.client(line) if line["severity"] in _COUNTED else None
        if client is None:
            return Skipped(SkipReason.NO_CLAIM, number, "speaks of no client that was refused", text[:EXCERPT_CHARS])
        return Event(client, self._time(line[self.time_group]), _DENIED_POINTS if _DENIED in said else 1)


class ApacheErrorLines(_ErrorLines):
    """What a line of Apache's error log tells."""

    line, time_form = re.compile(CARRIED + _APACHE_TIME + _APACHE_SAID), "ctime"

    def client(self, line: re.Match[str]) -> str | None:
        """See `_ErrorLines`."""
        found = _APACHE_CLIENT.fullmatch(line["said"])
        if found is None:
            return None
        # Since 2.4 there is a port, also after an IPv6 address without brackets: `::1:37752`; 2.3 had none.
        client: str = found["client"]
        return client.rpartition(":")[0] or client if line["pid"] and not line["remote"] else client


class ApacheSyslogLines(ApacheErrorLines):
    """The same, as Apache sends it to syslog: without its own time."""

    line = re.compile(carried_by(r"(?:httpd|apache2?)[^][ :]*") + _APACHE_SAID)
    time_group = "carried"


class NginxErrorLines(_ErrorLines):
    """What a line of nginx's error log tells."""

    line, time_form = re.compile(_NGINX), "nginx"

    def client(self, line: re.Match[str]) -> str | None:
        """See `_ErrorLines`."""
        said = line["said"]
        # As long as a line was written, what is no UTF-8 counts for no less.
        if len(line.string.encode(errors="replace")) - line.start("time") >= _NGINX_MOST_BYTES:
            return None
        found = _NGINX_CLIENT.search(said) if said.count("client: ") == 1 else None
        return found[1] if found else None
