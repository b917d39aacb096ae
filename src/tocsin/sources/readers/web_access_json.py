"""Access logs that nginx writes as JSON: a `log_format` with `escape=json`, whose names are those of its variables."""

from collections.abc import Sequence
from typing import Any

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.framing import json_values
from tocsin.sources.readers.counted import CountedReader, Event
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.readers.web_access import ADDRESS, WEB_RULE, WEB_STEPS, client_of, points_of
from tocsin.sources.reading import Reading, skipped
from tocsin.sources.sample import Sample

# The variables of nginx, and what people mostly call them.
_PEER = ("remote_addr", "remote_ip", "client_ip", "clientip")
_TIME = ("time_iso8601", "time_local", "msec", "@timestamp", "timestamp", "time")
_STATUS = ("status", "response", "status_code", "response_code")
_URI = ("request_uri", "uri", "path", "url")
_FORWARDED = ("http_x_forwarded_for", "x_forwarded_for")


class WebAccessJsonReader(CountedReader):
    """Reads one log, and counts as those of lines are."""

    rule = WEB_RULE

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._time = LogTimes(("iso8601", "clf", "epoch"), reading)

    def event(self, number: int, record: Any) -> Event | Skipped | None:
        """See `CountedReader`."""
        peer, request, status = _request(record)
        if not request or not status:
            return skipped(number, record, SkipReason.NOT_A_RECORD, "tells of no request and its status")
        points = points_of(request, status)
        if not points:
            return skipped(number, record, SkipReason.NO_CLAIM, "a request like others")
        if not ADDRESS.fullmatch(peer):  # such as a socket of this machine
            return skipped(number, record, SkipReason.NO_ADDRESS, f"no address at {', '.join(_PEER)}")
        client = client_of(peer, _first(record, _FORWARDED), self._reading)
        return Event(client, self._time(_first(record, _TIME)), points)


def _request(record: Any) -> tuple[str, str, str]:
    """Whose, what, and its status; empty where it is not told."""
    if not isinstance(record, dict):
        return "", "", ""
    status = _first(record, _STATUS)
    request = _first(record, ("request",)) or _first(record, _URI)
    return _first(record, _PEER), request, status if len(status) == 3 and status.isdecimal() else ""


def _first(record: dict[str, Any], names: Sequence[str]) -> str:
    for name in names:
        value = record.get(name)
        if value.__class__ in (str, int, float) and value != "":
            return str(value)
    return ""


def _recognises(sample: Sample) -> bool:
    return any(all(_request(value)) and _first(value, _TIME) for value in sample.values[:20])


FORMATS = (
    Format(
        name="web-access-json",
        title=f"access logs of nginx as JSON: points as for the access logs ({WEB_STEPS})",
        group="Host logs",
        usual="/var/log/nginx/access.json",
        example="\n".join(
            f'{{"time_iso8601":"2026-01-05T10:00:0{n}+00:00","remote_addr":"203.0.113.9",'
            f'"request":"GET {path} HTTP/1.1","status":"404","body_bytes_sent":"153","http_user_agent":"curl/8.5"}}'
            for n, path in enumerate(("/.env", "/.git/config"))
        ),
        recognises=_recognises,
        reader=WebAccessJsonReader,
        records=lambda opened: json_values(opened.chunks()),
        grows=True,
    ),
)
