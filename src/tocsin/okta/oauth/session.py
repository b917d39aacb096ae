"""What a client keeps of its talk with an org: its DPoP key, the nonces it was given, how far its clock is off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from tocsin.okta.oauth import dpop
from tocsin.okta.rate_limit import http_date
from tocsin.okta.rest_response import RESTResponse

Server = Literal["authorization", "resource"]
"""Each has nonces of its own (RFC 9449, 9)."""

_PROOF_AGE_S = 60  # an answer that old is nothing to mend: proofs are good for five minutes


class Session:
    """Threads and tasks share it; each of its facts is one assignment, and an older one does no harm."""

    def __init__(self, *, uses_dpop: bool) -> None:
        from joserfc.jwk import ECKey

        self.uses_dpop = uses_dpop
        self._key = ECKey.generate_key("P-256")  # lives as long as the client, and only in memory
        self._nonces: dict[Server, str] = {}
        self._skew = timedelta()

    def org_time(self, now: datetime) -> datetime:
        """The org's clock when ours shows `now`, as its last answer to a token request told it."""
        return now + self._skew

    def proof(self, server: Server, method: str, url: str, *, now: datetime, jti: str, token: str | None = None) -> str:
        """A DPoP proof for one request to one of the org's servers."""
        at, nonce = self.org_time(now), self._nonces.get(server)
        return dpop.proof(self._key, method, url, now=at, jti=jti, nonce=nonce, access_token=token)

    def learn_nonce(self, server: Server, answer: RESTResponse) -> bool:
        """Whether the answer brought a nonce that is new; it goes into every later proof for that server."""
        nonce = answer.getheader("DPoP-Nonce")
        if not nonce or nonce == self._nonces.get(server):
            return False
        self._nonces[server] = nonce
        return True

    def learn_clock(self, answer: RESTResponse, *, sent_at: datetime, now: datetime) -> bool:
        """
        Whether the org's Date shows that a request stamped at `sent_at` was stamped wrong.

        Date is cut to whole seconds and on its way for a while, so that what is learned never runs ahead of the org.
        """
        date = http_date(answer.getheader("Date", "") or "")
        if date is None:
            return False
        age_s = int(date.timestamp()) - int(self.org_time(sent_at).timestamp())
        self._skew = date - now
        return not 0 <= age_s <= _PROOF_AGE_S
