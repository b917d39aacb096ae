"""Bouncers in the System Log. Okta has none: the names follow what its catalogue has for API tokens."""

from tocsin.org.log.draft import UNKNOWN, Draft, Known, drafted
from tocsin.org.log.event import Target
from tocsin.org.records import BouncerCreated, BouncerDeleted


def bouncer_created(record: BouncerCreated) -> Draft:
    """A new bouncer; what its key is stands nowhere."""
    return drafted(record.deed, "system.bouncer.create", "Create bouncer", _bouncer(record.id, record.name))


def bouncer_deleted(record: BouncerDeleted, known: Known) -> Draft:
    """Its key opens nothing any more."""
    target = _bouncer(record.id, (known(record.id) or UNKNOWN).name)
    return drafted(record.deed, "system.bouncer.delete", "Delete bouncer", target)


def _bouncer(bouncer_id: str, name: str) -> Target:
    return Target(bouncer_id, "Bouncer", "unknown", name)
