"""The table of owners, as one worker follows it."""

import asyncio
from collections.abc import Callable

import msgspec

from tocsin.journal import JournalError, KeyValue
from tocsin.relay.errors import RelayError
from tocsin.relay.fleet.membership import Owner, key_of

AGAIN_AFTER_S = 2.0


class Ownership:
    """
    Who had what a moment ago.

    It is followed, and not read anew at each look: there are ten thousand entries, and where many move at once, others
    write faster than one reads. Whoever takes something names the revision that is known here, so being behind costs
    one look more, and nothing else.
    """

    def __init__(self, table: KeyValue) -> None:
        self._table = table
        self._known: dict[str, tuple[Owner, int]] = {}
        self.is_known = False
        """False until the whole table was read."""

    def of(self, item: str) -> tuple[Owner | None, int]:
        """Who has it, and by which revision; None and 0 when nobody ever had."""
        return self._known.get(key_of(item), (None, 0))

    def had_by(self, worker: str) -> dict[str, int]:
        """The items that `worker` has, each with the revision by which."""
        return {owner.item: revision for owner, revision in self._known.values() if owner.worker == worker}

    async def follow(self, *, warn: Callable[[str], object]) -> None:
        """For ever. Raises: RelayError, for a table that another version wrote."""
        while True:
            try:
                async for changed in self._table.watch():
                    for key, kept in changed.items():
                        if kept is None:
                            self._known.pop(key, None)
                        else:
                            self._known[key] = (msgspec.json.decode(kept.value, type=Owner), kept.revision)
                    self.is_known = True
            except JournalError as error:
                warn(error.summary)
            except msgspec.DecodeError as error:
                raise written_by_another(error) from None
            await asyncio.sleep(AGAIN_AFTER_S)


def written_by_another(error: msgspec.DecodeError) -> RelayError:
    """For a table that another version wrote."""
    text = f"a table of the fleet was written by another version: {error}"
    return RelayError(text, hint="run one version on all workers")
