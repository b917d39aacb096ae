"""What stands in the two tables of a fleet, and who may take what by it. Pure.

The table of workers says who is there; an entry ends by itself when it is not renewed. The table of owners says who
has which target and source; it is written only when one moves, and the revision of an entry is the fencing token.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from hashlib import blake2b

import msgspec
from msgspec import Struct

from tocsin.journal import Kept
from tocsin.relay.fleet.assignment import owner_of
from tocsin.relay.fleet.faults import Failing
from tocsin.relay.fleet.names import word


class Presence(Struct, frozen=True):
    """One worker that is there."""

    worker: str
    run: str
    """Another one for each start of it."""
    serves: str
    """A digest of what its configuration names."""
    cannot: frozenset[str] = frozenset()
    """Items that it has failed to serve again and again: others shall try."""
    failing: list[Failing] = []
    """For people: no worker decides by it."""


class Owner(Struct, frozen=True):
    """Who has an item."""

    item: str
    worker: str
    """Empty when it was given back."""


def digest_of(items: Iterable[str]) -> str:
    """The same for the same items."""
    return blake2b("\n".join(sorted(items)).encode(), digest_size=8).hexdigest()


def key_of(name: str) -> str:
    """The key of a worker, or of an item such as `target.acme`, whose first word is its kind."""
    kind, dot, rest = name.partition(".")
    return f"{word(kind)}.{word(rest)}" if dot else word(kind)


def present(kept: Mapping[str, Kept]) -> list[Presence]:
    """The workers that are there, by name. Raises: msgspec.DecodeError, for what another version wrote."""
    found = [msgspec.json.decode(one.value, type=Presence) for one in kept.values()]
    return sorted(found, key=lambda one: one.worker)


def owned(kept: Mapping[str, Kept]) -> dict[str, tuple[Owner, int]]:
    """Item -> who has it, and by which revision. Raises: msgspec.DecodeError, for what another version wrote."""
    found = [(msgspec.json.decode(one.value, type=Owner), one.revision) for one in kept.values()]
    return {owner.item: (owner, revision) for owner, revision in found}


def falls_to(me: Presence, items: Iterable[str], live: Collection[Presence]) -> tuple[set[str], set[str]]:
    """
    What of `items` the worker `me` shall have; and what a worker shall have whose configuration names other things.

    That one may not know of it. So while a configuration is changed on one worker after the other, what runs is left
    where it is, and what stays free for a while is anyone's.
    """
    alike = {one.worker: one.serves == me.serves for one in live}
    mine, of_unlike = set[str](), set[str]()
    for item in items:
        able = [one.worker for one in live if item not in one.cannot]
        owner = owner_of(item, able or alike)
        if owner == me.worker:
            mine.add(item)
        elif owner is not None and not alike[owner]:
            of_unlike.add(item)
    return mine, of_unlike


def may_take(owner: Owner | None, worker: str, *, live: AbstractSet[str]) -> bool:
    """
    Whether `worker`, which does not act for the item now, may make it its own: nobody else may act for it any more.

    Args:
        live: the workers whose presence stands in the table, as its leader knows it.
    """
    return owner is None or owner.worker in ("", worker) or owner.worker not in live
