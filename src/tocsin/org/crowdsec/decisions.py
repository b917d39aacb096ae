"""One decision as CrowdSec's Local API prints it. Pure. Source: answers recorded from CrowdSec 1.4.6.

There is one for each IP whose effective level the policy maps to something else than `allow`: it lasts as long as the
assertion that decides, and its scenario names who asserted it, and how dangerous they find it.
"""

import json
from functools import lru_cache
from typing import NamedTuple

from tocsin.org.assertions import Assertion
from tocsin.signals import RiskLevel, ip_text

ORIGIN = "tocsin"
SCOPE = "Ip"
_POSITIONS = 1 << 16  # the index has two bytes for one: what is carried forward fills more than a request does
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class Told(NamedTuple):
    """What bouncers are told about one IP."""

    key: bytes
    type: str
    scenario: str
    id: int
    """The journal entry and place of the assertion that decides: later ones have higher ids, as at CrowdSec."""
    until_ms: int

    def json(self, now_ms: int) -> str:
        """As it is printed, with what is left of it at `now_ms`; less than nothing for one that has ended."""
        return (
            f'{{"duration":"{go_duration(self.until_ms - now_ms)}","id":{self.id},"origin":"{ORIGIN}",'
            f'"scenario":{go_json(self.scenario)},"scope":"{SCOPE}","type":"{self.type}","value":"{ip_text(self.key)}"}}'
        )


def told(key: bytes, said: Assertion, *, kind: str, provider_name: str) -> Told:
    """The decision of type `kind` that `said` leads to."""
    scenario = f"{provider_name}/{RiskLevel.of_severity(said.severity).lower()}"
    return Told(key, kind, scenario, said.seq * _POSITIONS + said.position, said.expires_ms)


def go_duration(ms: int) -> str:
    """A duration as Go prints one: `23h59m59.774s`, `999ms`, `0s`, `-1m0.5s`. Source: Go's time.Duration.String."""
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    if ms < 1000:
        return f"{sign}{ms}ms" if ms else "0s"
    minutes, ms = divmod(ms, 60_000)
    seconds = f"{ms // 1000}.{ms % 1000:03d}".rstrip("0").rstrip(".") + "s"
    if minutes < 60:
        return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds
    return f"{sign}{minutes // 60}h{minutes % 60}m{seconds}"


@lru_cache(maxsize=256)
def go_json(text: str) -> str:
    """A JSON string as Go prints one: UTF-8 as it is, but nothing that HTML could take for a tag."""
    encoded = json.dumps(text, ensure_ascii=False)
    for sign, escaped in _ESCAPED.items():
        encoded = encoded.replace(sign, escaped)
    return encoded
