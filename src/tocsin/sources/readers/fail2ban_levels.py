"""What a ban of fail2ban says, wherever it is read."""

import re
from datetime import timedelta

from tocsin.signals import RiskLevel
from tocsin.sources.reading import Reading

LIFE = timedelta(hours=24)
"""Where the record does not tell when the ban ends."""
_REPEATED = 3
_RECIDIVE = "recidive"  # the jail for those whom other jails banned again and again


HOST_DETAIL = "names a host, and host names are not looked up"
_NO_HEX = re.compile(r"[g-zG-Z]")


def is_host(name: str) -> bool:
    """Whether a ban is of a host by its name, as fail2ban allows (`usedns = no`)."""
    return _NO_HEX.search(name) is not None


def ban_level(jail: str, count: int, reading: Reading) -> RiskLevel:
    """The level of the `count`-th ban of an address by `jail`; the configuration may name jails."""
    said = reading.levels.get("*") or reading.levels.get(jail)
    return said or (RiskLevel.HIGH if jail == _RECIDIVE or count >= _REPEATED else RiskLevel.MEDIUM)
