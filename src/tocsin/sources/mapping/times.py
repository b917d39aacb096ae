"""Times and spans of time as tools write them. Every form a profile may name is in `FORMS`."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from operator import mul
from typing import Any

from tocsin.sources.errors import SourceError

_GO = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4}) [A-Z]{1,5}")
_SPAN_CHARS = 60  # twice the longest that Go writes; the search in a hostile text takes the square of its length
_SPAN_PART = re.compile(r"([0-9]*\.?[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_UNIT_S = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
    "w": 604800.0,
}  # fmt: skip
_SNORT = re.compile(r"(\d\d)/(\d\d)(?:/(\d{4}|\d\d))?-(\d\d:\d\d:\d\d(?:\.\d{1,6})?)")
_SYSLOG = re.compile(
    r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (?:(\d{4}) )?(\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: (UTC|GMT|Z|[+-]\d{4}))?"
)
_MONTHS = {name: f"{number:02}" for number, name in enumerate(
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
)}  # fmt: skip
_NO_YEAR = 1904  # strptime's own year for none is 1900, which had no 29th of February
_YEAR = re.compile(r"%[YyGcx]")
_MOST_S = 10**10  # some 300 years: beyond any time of a log, and within datetime

Parse = Callable[[Any], datetime]
_DAY = timedelta(days=1)


def in_latest_year(moment: datetime, now: datetime) -> datetime:
    """
    `moment`, whose year is not known, in the year that puts it latest and not more than a day after `now`.

    The 29th of February goes to the latest leap year.
    """
    for year in range(now.year + 1, now.year - 8, -1):
        try:
            found = moment.replace(year=year, tzinfo=moment.tzinfo or now.tzinfo)
        except ValueError:
            continue
        if found <= now + _DAY:
            return found
    raise ValueError(f"{moment:%d %B} is in no year near {now.year}")


def _iso(text: Any) -> datetime:
    """ISO 8601 and RFC 3339, with `T` or a blank, with an offset or without."""
    return datetime.fromisoformat(text)  # it cuts a fraction to microseconds


def _epoch(value: Any) -> datetime:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size; also as text."""
    number = float(value)
    if number != number or number < 0:
        raise ValueError
    for _ in range(3):
        if number < _MOST_S * 10:
            break
        number /= 1000
    return datetime.fromtimestamp(number, UTC)


def _go(text: Any) -> datetime:
    """Go's own: `2015-05-20 20:05:48 +0000 UTC`."""
    found = _GO.fullmatch(text)
    if found is None:
        raise ValueError
    return datetime.fromisoformat(found[1].replace(" ", "T", 1).replace(" ", ""))


def _us(text: Any) -> datetime:
    """Azure's: `8/22/2022 6:07:16 PM`."""
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p")  # noqa: DTZ007 - the profile's time zone is added


def _snort(text: Any) -> datetime:
    """Snort's and Suricata's: `01/05/2026-10:00:00.000000`, `01/05/26-...`, or without a year."""
    found = _SNORT.fullmatch(text)
    if found is None:
        raise ValueError
    month, day, year, rest = found.groups()
    number = _NO_YEAR if year is None else int(year) + (2000 if len(year) == 2 else 0)
    return datetime.fromisoformat(f"{number:04}-{month}-{day}T{rest}")


def _syslog(text: Any) -> datetime:
    """`Dec 10 06:55:46`; CEF adds a year and a zone: `Jan 05 2026 10:00:00 UTC`."""
    found = _SYSLOG.fullmatch(text)
    if found is None:
        raise ValueError
    month, day, year, clock, zone = found.groups()
    offset = "" if zone is None else "+0000" if zone.isalpha() else zone
    return datetime.fromisoformat(f"{year or _NO_YEAR}-{_MONTHS[month]}-{int(day):02}T{clock}{offset}")


def _clf(text: Any) -> datetime:
    """The common log format's: `10/Oct/2023:08:32:31 +0000`."""
    day, month, rest = text.split("/")
    return datetime.fromisoformat(f"{rest[:4]}-{_MONTHS[month]}-{day}T{rest[5:].replace(' ', '')}")


def _ctime(text: Any) -> datetime:
    """Apache's error log: `Sun Dec 04 04:47:44 2005`, with a fraction or without."""
    _, month, day, clock, year = text.split()
    return datetime.fromisoformat(f"{year}-{_MONTHS[month]}-{int(day):02}T{clock}")


def _nginx(text: Any) -> datetime:
    """nginx's error log: `2012/04/09 11:53:29`."""
    return datetime.fromisoformat(text.replace("/", "-"))


def _rfc5322(text: Any) -> datetime:
    """That of e-mails and HTTP: `Mon, 05 Jan 2026 10:00:00 +0000`."""
    return parsedate_to_datetime(text)


FORMS: dict[str, Parse] = {
    "iso8601": _iso,
    "epoch": _epoch,
    "go": _go,
    "us": _us,
    "snort": _snort,
    "syslog": _syslog,
    "clf": _clf,
    "ctime": _ctime,
    "nginx": _nginx,
    "rfc5322": _rfc5322,
}
"""What each means: the docstring of its function. Any other form is one of `datetime.strptime`, with a `%` in it."""

_DEFAULT = ("iso8601", "epoch", "go", "us")
_REFUSED = (ValueError, TypeError, OverflowError, AttributeError, KeyError)


def compile_time(forms: Sequence[str], timezone: tzinfo, now: datetime) -> Callable[[Any], datetime]:
    """
    A function from a value to an aware time, by the first of `forms` that fits.

    Args:
        timezone: of times that name no offset.
        now: where it finds the year of times that name none.

    The function raises ValueError, which quotes the value. Raises: SourceError, for a form that is none.
    """
    parses = [(_parse(form), _may_lack_year(form)) for form in forms or _DEFAULT]

    def moment(value: Any) -> datetime:
        for parse, may_lack_year in parses:
            try:
                found = parse(value)
            except _REFUSED:
                continue
            found = found if found.tzinfo is not None else found.replace(tzinfo=timezone)
            # Any other form that says 1904, or the year 1 for "never", means it.
            return _in_utc(in_latest_year(found, now) if may_lack_year and found.year == _NO_YEAR else found)
        raise ValueError(f"{str(value)[:60]!r} is no time in the form {' or '.join(forms or _DEFAULT)}")

    return moment


def _in_utc(moment: datetime) -> datetime:
    """The same moment: times of one zone are compared forty times as fast as those of two."""
    try:
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError:  # the first or the last day there is
        return moment


def _parse(form: str) -> Parse:
    if form in FORMS:
        return FORMS[form]
    if "%" not in form:
        raise SourceError(f"{form!r} is no form of time", hint=f"one of {', '.join(FORMS)}, or one with % signs")
    if _may_lack_year(form):
        form, year = f"{form} %Y", f" {_NO_YEAR}"
        return lambda text: datetime.strptime(text + year, form)  # noqa: DTZ007 - the profile's time zone is added
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007


def _may_lack_year(form: str) -> bool:
    """Whether its times are of `_NO_YEAR` where they name none."""
    return form in ("snort", "syslog") or ("%" in form and not _YEAR.search(form.replace("%%", "")))


def span(value: Any) -> timedelta:
    """
    A span of time: Go's `3h59m48.5s`, `-100h`, `7d`, or a number of seconds.

    Raises: ValueError, which quotes the value.
    """
    text = str(value).strip()
    # What stands between the parts is the sign and then nothing; else it is a number, or no span.
    parts = _SPAN_PART.split(text) if len(text) <= _SPAN_CHARS else [text]
    try:
        if len(parts) == 1 or any(parts[3::3]) or parts[0] not in ("", "+", "-"):
            return timedelta(0, float(text))
        seconds = sum(map(mul, map(float, parts[1::3]), map(_UNIT_S.__getitem__, parts[2::3])))
        return timedelta(0, -seconds if parts[0] == "-" else seconds)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:60]!r} is no span of time such as 3h59m48s") from None
