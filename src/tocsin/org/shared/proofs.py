"""The DPoP proofs that a fleet has seen: each works once, at whichever node. Source: RFC 9449, 11.1."""

import structlog

from tocsin.journal import JournalConflict, JournalError, KeyValue
from tocsin.org.oauth.dpop import Proof
from tocsin.org.oauth.proofs import KEPT_S
from tocsin.org.shared.within import within_time

LIFE_S = float(KEPT_S)
_log = structlog.get_logger("tocsin.org")


class SharedProofs:
    """See `Proofs`: those of one org of a fleet. The node that makes a proof's key has used it."""

    def __init__(self, table: KeyValue, org: str) -> None:
        """`table` keeps an entry for `LIFE_S`."""
        self._table, self._org = table, org

    async def use(self, proof: Proof, *, now: float) -> bool:  # noqa: ARG002 - of the protocol
        """See `Proofs.use`."""
        try:
            await within_time("a DPoP proof", self._table.put(self._key(proof), b"", revision=0))
        except JournalConflict:
            return False
        return True

    async def take_back(self, proof: Proof) -> None:
        """See `Proofs.take_back`. When that cannot be, the client has to make a new one; the log says so."""
        try:
            await within_time("a DPoP proof", self._table.delete(self._key(proof)))
        except JournalError as error:
            _log.warning("proof.not_taken_back", error=str(error), remedy=error.hint)

    def _key(self, proof: Proof) -> str:
        return f"{self._org}.{proof.digest.hex()}"
