"""What stands in the two tables of a fleet, and who may take what by it. Pure.

The table of workers says who is there; an entry ends by itself when it is not renewed. The table of owners says who
has which target and source; it is written only when one moves, and the revision of an entry is the fencing token.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from hashlib import blake2b

import msgspec
from msgspec import Struct

from tocsin.journal import Kept
from tocsin.relay.fleet.names import word


class Presence(Struct, frozen=True):
    """One worker that is there."""

    worker: str
    run: str
    """Another one for each start of it."""
    serves: str
    """A digest of what its configuration names: only workers that name the same share it out among them."""


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


def may_take(owner: Owner | None, *, worker: str, live: AbstractSet[str]) -> bool:
    """
    Whether `worker`, which does not act for the item now, may make it its own: nobody else may act for it any more.

    Args:
        live: the workers whose presence stands in the table.
    """
    return owner is None or owner.worker in ("", worker) or owner.worker not in live
