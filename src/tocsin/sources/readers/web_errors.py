"""Error logs of Apache and nginx: what was refused a client, one point a line, on the scale of the access logs.

Only lines that name a client say anything; a rule of ModSecurity that denied access is worth ten. Apache's client
stands before its message. nginx's stands after it, and what a client sent may imitate it: a line that names two is
left.
"""

import re

from tocsin.signals import Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.sources.format import Format
from tocsin.sources.readers.counted import CountedReader, Event
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.readers.web_access import WEB_RULE
from tocsin.sources.reading import Reading, skipped
from tocsin.sources.sample import Sample

_APACHE = re.compile(
    r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \d{4})\] "
    r"\[(?:\w*:)?(?P<severity>\w+)\](?P<pid> \[pid [^\]]*\])?(?: \[tid [^\]]*\])?"
    r"(?P<remote> \[remote [^\]]*\])? (?P<said>.*)"
)
_APACHE_CLIENT = re.compile(r"(?:\(\d+\)[^\[]*: )?\[client (?P<client>[0-9a-fA-F.:]+)\](?P<what>.*)")
_NGINX = re.compile(
    r"(?:\S+ nginx\[\d+\]: (?:\S+ nginx: )?)?(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<severity>\w+)\] \d+#\d+: "
    r"(?P<said>.*)"
)
_NGINX_CLIENT = re.compile(r", client: (?P<client>[0-9a-fA-F.:]+), server: ")
_COUNTED = {"error", "warn", "crit"}
_DENIED = "ModSecurity: Access denied"
_DENIED_POINTS = 10


class _ErrorsReader(CountedReader):
    rule = WEB_RULE
    line: re.Pattern[str]
    time_form: str

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._time = LogTimes((self.time_form,), reading)

    def client(self, line: re.Match[str]) -> str | None:
        """Of whom a line speaks; None when of nobody."""
        raise NotImplementedError

    def event(self, number: int, text: str) -> Event | Skipped | None:
        """See `CountedReader`."""
        line = self.line.fullmatch(text)
        if line is None:
            if not text.strip():
                return None
            return skipped(number, text, SkipReason.NOT_A_RECORD, "is no line of an error log")
        said = line["said"]
        client = self.client(line) if line["severity"] in _COUNTED else None
        if client is None:
            return Skipped(SkipReason.NO_CLAIM, number, "speaks of no client that was refused", text[:EXCERPT_CHARS])
        return Event(client, self._time(line["time"]), _DENIED_POINTS if _DENIED in said else 1)


class ApacheErrorsReader(_ErrorsReader):
    """Apache's."""

    line, time_form = _APACHE, "ctime"

    def client(self, line: re.Match[str]) -> str | None:
        """See `_ErrorsReader`."""
        found = _APACHE_CLIENT.fullmatch(line["said"])
        if found is None:
            return None
        # Since 2.4 there is always a port, also after an IPv6 address without brackets: `::1:37752`.
        return found["client"].rpartition(":")[0] if line["pid"] and not line["remote"] else found["client"]


class NginxErrorsReader(_ErrorsReader):
    """nginx's."""

    line, time_form = _NGINX, "nginx"

    def client(self, line: re.Match[str]) -> str | None:
        """See `_ErrorsReader`."""
        said = line["said"]
        found = _NGINX_CLIENT.search(said) if said.count("client: ") == 1 else None
        return found[1] if found else None


def _is_apache(sample: Sample) -> bool:
    return any(_APACHE.fullmatch(text) for text in sample.lines[:20])


def _is_nginx(sample: Sample) -> bool:
    return any(_NGINX.fullmatch(text) for text in sample.lines[:20])


FORMATS = (
    Format(
        name="apache-errors",
        title="Apache's error log, with ModSecurity: points as for the access logs (20: LOW, 100: MEDIUM, 1,000: HIGH)",
        group="Host logs",
        usual="/var/log/apache2/error.log",
        example="\n".join(
            f"[Mon Jan 05 10:00:0{n}.000001 2026] [authz_core:error] [pid 1{n}] [client 203.0.113.9:4{n}711] "
            "ModSecurity: Access denied with code 403 (phase 2)."
            for n in range(2)
        ),
        recognises=_is_apache,
        reader=ApacheErrorsReader,
        grows=True,
    ),
    Format(
        name="nginx-errors",
        title="nginx's error log: points as for the access logs (20: LOW, 100: MEDIUM, 1,000: HIGH)",
        group="Host logs",
        usual="/var/log/nginx/error.log",
        example="\n".join(
            f'2026/01/05 10:00:{n:02} [error] 2865#0: *6{n} user "x": password mismatch, client: 203.0.113.9, '
            'server: www.example.com, request: "GET / HTTP/1.1", host: "www.example.com"'
            for n in range(20)
        ),
        recognises=_is_nginx,
        reader=NginxErrorsReader,
        grows=True,
    ),
)
