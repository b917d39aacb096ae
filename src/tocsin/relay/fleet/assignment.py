"""Which worker shall have what: rendezvous hashing. Pure.

Each item goes to the worker for which the hash of both is greatest. So whoever knows the live workers knows the
answer, nobody has to write it down, and when a worker comes or goes only what it gains or leaves behind moves.
"""

from collections.abc import Collection, Iterable
from hashlib import blake2b


def owner_of(item: str, workers: Iterable[str]) -> str | None:
    """The one of `workers` that shall have `item`; None when there is none. The order of `workers` does not matter."""
    return max(workers, key=lambda worker: (_weight(item, worker), worker), default=None)


def share_of(worker: str, items: Iterable[str], workers: Collection[str]) -> set[str]:
    """What of `items` that worker shall have, which need not be one of `workers` (then it is nothing)."""
    return {item for item in items if owner_of(item, workers) == worker}


def _weight(item: str, worker: str) -> bytes:
    # The key keeps ("ab", "c") apart from ("a", "bc").
    key = blake2b(worker.encode(), digest_size=32).digest()
    return blake2b(item.encode(), digest_size=8, key=key).digest()
