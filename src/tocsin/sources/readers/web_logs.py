"""Logs of web servers, of requests and of errors: where both go to one place, as out of a container, both count."""

import re
from collections.abc import Callable
from functools import partial
from typing import Protocol

from tocsin.signals import Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.sources.format import Format
from tocsin.sources.framing.carriers import REST_OF_A_LINE, RUNTIME
from tocsin.sources.readers.counted import CountedReader, Event
from tocsin.sources.readers.web_access import WEB_RULE, WEB_STEPS, AccessLines
from tocsin.sources.readers.web_errors import ApacheErrorLines, ApacheSyslogLines, NginxErrorLines
from tocsin.sources.reading import Reading, skipped
from tocsin.sources.sample import Sample


class _Lines(Protocol):
    line: re.Pattern[str]

    def __init__(self, reading: Reading) -> None: ...

    def event(self, number: int, text: str, line: re.Match[str]) -> Event | Skipped: ...


_Kinds = tuple[type[_Lines], ...]
_ACCESS: _Kinds = (AccessLines,)
_APACHE: _Kinds = (ApacheErrorLines, ApacheSyslogLines)
_NGINX: _Kinds = (NginxErrorLines,)


class WebLogReader(CountedReader):
    """Reads one log."""

    rule = WEB_RULE

    def __init__(self, reading: Reading, kinds: _Kinds) -> None:
        """`kinds` are those of lines that it is mostly of, which are tried first."""
        super().__init__(reading)
        known = dict.fromkeys((*kinds, *_ACCESS, *_NGINX, *_APACHE))
        self._going_on: set[str] = reading.memory.setdefault("lines going on", set())
        self._kinds = [(kind.line.fullmatch, kind(reading).event) for kind in known]

    def event(self, number: int, text: str) -> Event | Skipped | None:
        """See `CountedReader`."""
        if (runtime := RUNTIME.match(text)) and self._is_rest(runtime):
            return Skipped(SkipReason.NO_CLAIM, number, REST_OF_A_LINE, text[:EXCERPT_CHARS])
        for matches, event in self._kinds:
            if (line := matches(text)) is not None:
                return event(number, text, line)
        if not text.strip():
            return None
        return skipped(number, text, SkipReason.NOT_A_RECORD, "is no line of a web server's log")

    def _is_rest(self, runtime: re.Match[str]) -> bool:
        """Whether a line is the rest of one: a client chooses how long its own is, and what that begins with."""
        stream, going_on = runtime["stream"], self._going_on
        is_rest = stream in going_on
        (going_on.add if runtime["tag"] == "P" else going_on.discard)(stream)
        return is_rest


def _mostly(kinds: _Kinds) -> Callable[[Sample], bool]:
    """Whether the first lines are of these more than of any others of a web server."""

    def recognises(sample: Sample) -> bool:
        here = _count(sample, kinds)
        return bool(here) and all(here >= _count(sample, others) for others in (_ACCESS, _APACHE, _NGINX))

    return recognises


def _count(sample: Sample, kinds: _Kinds) -> int:
    return sum(any(kind.line.fullmatch(text) for kind in kinds) for text in sample.lines[:20])


FORMATS = (
    Format(
        name="apache-errors",
        title=f"Apache's error log, with ModSecurity: points as for the access logs ({WEB_STEPS})",
        group="Host logs",
        usual="/var/log/apache2/error.log",
        example="\n".join(
            f"[Mon Jan 05 10:00:0{n}.000001 2026] [authz_core:error] [pid 1{n}] [client 203.0.113.9:4{n}711] "
            "ModSecurity: Access denied with code 403 (phase 2)."
            for n in range(2)
        ),
        recognises=_mostly(_APACHE),
        reader=partial(WebLogReader, kinds=_APACHE),
        grows=True,
    ),
    Format(
        name="nginx-errors",
        title=f"nginx's error log: points as for the access logs ({WEB_STEPS})",
        group="Host logs",
        usual="/var/log/nginx/error.log",
        example="\n".join(
            f'2026/01/05 10:00:{n:02} [error] 2865#0: *6{n} user "x": password mismatch, client: 203.0.113.9, '
            'server: www.example.com, request: "GET / HTTP/1.1", host: "www.example.com"'
            for n in range(20)
        ),
        recognises=_mostly(_NGINX),
        reader=partial(WebLogReader, kinds=_NGINX),
        grows=True,
    ),
    Format(
        name="web-access",
        title=(
            "access logs of nginx and Apache: points for refused and scanning requests within ten minutes "
            f"({WEB_STEPS}; 24 h, HIGH 72 h)"
        ),
        group="Host logs",
        usual="/var/log/nginx/access.log",
        example="\n".join(
            f'203.0.113.9 - - [05/Jan/2026:10:00:0{n} +0000] "GET {path} HTTP/1.1" 404 153 "-" "curl/8.5"'
            for n, path in enumerate(("/.env", "/.git/config"))
        ),
        recognises=_mostly(_ACCESS),
        reader=partial(WebLogReader, kinds=_ACCESS),
        grows=True,
    ),
)
