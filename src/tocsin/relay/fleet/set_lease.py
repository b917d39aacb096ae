"""The lease that a fleet is set up for: the life of the entries in its bucket of workers. One for all its workers."""

from math import isclose
from typing import Any

from tocsin.journal.jetstream import JetStreamConnection
from tocsin.journal.jetstream.declared import NS, change, info_of, stream_of
from tocsin.relay.errors import RelayError
from tocsin.relay.fleet.declared import WORKERS_BUCKET, bucket_of_workers
from tocsin.relay.fleet.lease import Timing

_STREAM = stream_of(WORKERS_BUCKET)


async def lease_of(connection: JetStreamConnection) -> float | None:
    """In seconds; None where the bucket has not been made. Raises JournalError."""
    info = await info_of(connection, _STREAM)
    return None if info is None else _lease_in(info)


async def check_lease(connection: JetStreamConnection, lease_s: float) -> None:
    """Raises: RelayError, when the fleet is set up for another one; JournalError."""
    there_s = await lease_of(connection)
    if there_s is not None and not _same(there_s, lease_s):
        raise RelayError(
            f"fleet.lease_s is {lease_s:g} s, and the fleet is set up for {there_s:g} s",
            hint=f"write lease_s = {there_s:g} into [fleet]; or stop all workers and change the fleet:"
            " `tocsin fleet init DIR --config relay.toml`",
        )


async def set_lease(connection: JetStreamConnection, lease_s: float) -> bool:
    """
    Set the fleet up for another one, where the bucket has been made.

    Returns: whether it was another one.
    Raises: RelayError, while workers run, which count on the one that is there: nothing was changed. JournalError.
    """
    info = await info_of(connection, _STREAM, subjects=True)
    if info is None or _same(there_s := _lease_in(info), lease_s):
        return False
    if workers := [key.rpartition(".")[2] for key in info["state"].get("subjects") or ()]:
        raise RelayError(
            f"workers run, or did a moment ago, with a lease of {there_s:g} s: {', '.join(sorted(workers))};"
            " nothing was changed",
            hint=f"stop them all, wait {Timing(there_s).life_s:g} s for their entries to end, and run it again",
        )
    await change(connection, bucket_of_workers(lease_s, replicas=info["config"]["num_replicas"]))
    return True


def _lease_in(info: dict[str, Any]) -> float:
    return Timing.with_life(info["config"]["max_age"] / NS).lease_s


def _same(one_s: float, other_s: float) -> bool:
    return isclose(one_s, other_s, abs_tol=1e-6)  # servers keep nanoseconds
