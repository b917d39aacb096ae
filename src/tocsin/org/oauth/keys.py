"""The keys that the org signs access tokens with. Source: spec 4.4.

They are in the journal, so that every node that shares it, and whoever restores a backup of it, signs with the same
ones; and they are sealed with the secret of the data folder, which is not in the journal: a copy of the journal alone
signs nothing. Without that secret an org makes new keys, and clients fetch new tokens. Keys that another secret has
sealed then count for nothing: the one that was ahead would else end a key of ours that goes on signing.

There is always one key ahead: it is published for a whole period before it signs. A key that no longer signs is
published for another day, which is longer than what it signed lives.
"""

import asyncio
import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, RSAKey
from msgspec import Struct

from tocsin.org.changes import Changes
from tocsin.org.directory import Statement
from tocsin.org.oauth.jose import Jwk, PublicKey, public_key
from tocsin.org.records import KEY_TOPIC, DirectoryRecord, SigningKeyMade, org_deed

_BITS = 2048
_OVERLAP_MS = 24 * 3600 * 1000
_KID_BYTES = 32
_KEPT = 8
_SEAL = {"alg": "dir", "enc": "A256GCM"}
_ADD = "INSERT INTO signing_keys VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM signing_keys WHERE seq NOT IN (SELECT seq FROM signing_keys ORDER BY seq DESC LIMIT ?)"
_ALL = "SELECT kid, public, sealed, signs_from_ms FROM signing_keys ORDER BY signs_from_ms, seq"
_log = structlog.get_logger("tocsin.org")


class SigningKey(Struct, frozen=True):
    """A signing key, its private half sealed."""

    kid: str
    jwk: Jwk
    sealed: str
    signs_from_ms: int


def signer(keys: Sequence[SigningKey], now_ms: int) -> SigningKey | None:
    """
    Of `keys`, by when they sign from, the one that signs now; None when there are none.

    Before the first signs it does all the same: another node made it, whose clock is ahead by milliseconds.
    """
    return next((key for key in reversed(keys) if key.signs_from_ms <= now_ms), keys[0] if keys else None)


def due(keys: Sequence[SigningKey], now_ms: int, *, period_ms: int) -> int | None:
    """From when another key has to sign that is to be made now; None when there is one ahead."""
    if not keys:
        return now_ms
    newest = keys[-1].signs_from_ms
    return max(newest + period_ms, now_ms) if newest <= now_ms else None


def published(keys: Sequence[SigningKey], now_ms: int) -> list[SigningKey]:
    """Those that sign, will sign, or signed what may still be good."""
    ends = [following.signs_from_ms for following in keys[1:]]
    past = [key for key, end in zip(keys, ends, strict=False) if end + _OVERLAP_MS > now_ms]
    return [*past, *keys[-1:]]


class SigningKeyTable:
    """The signing keys' part of the directory."""

    tables = """
CREATE TABLE IF NOT EXISTS signing_keys (
    kid TEXT PRIMARY KEY, public BLOB NOT NULL, sealed TEXT NOT NULL, signs_from_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL
);
"""

    def __init__(self) -> None:
        self.keys: list[SigningKey] = []
        """By when they sign from."""

    def changes(self, record: DirectoryRecord, *, seq: int) -> Iterator[Statement]:
        """See `Part.changes`."""
        if isinstance(record, SigningKeyMade):
            yield _ADD, (record.kid, record.public, record.sealed, record.signs_from_ms, seq)
            yield _FORGET, (_KEPT,)

    def load(self, db: sqlite3.Connection) -> None:
        """See `Part.load`."""
        self.keys = [
            SigningKey(kid, msgspec.json.decode(public, type=Jwk), sealed, signs_from_ms)
            for kid, public, sealed, signs_from_ms in db.execute(_ALL)
        ]


class SigningKeys:
    """The signing keys of one org."""

    def __init__(self, table: SigningKeyTable, changes: Changes, *, secret: bytes, period_ms: int) -> None:
        """
        Args:
            secret: of the data folder.
            period_ms: how long a key signs.
        """
        self._table = table
        self._changes = changes
        self._seal = OctKey.import_key(hmac.digest(secret, b"signing keys", hashlib.sha256))
        self._period_ms = period_ms
        self._opened: dict[str, RSAKey | None] = {}
        self._turn = asyncio.Lock()

    def public(self, kid: str, now_ms: int) -> PublicKey | None:
        """The key that a token says it is signed with, or None when it is none of ours, or one of long ago."""
        return next((public_key(key.jwk) for key in published(self._mine(), now_ms) if key.kid == kid), None)

    def are_due(self, now_ms: int) -> bool:
        """Whether one has to be made."""
        return due(self._mine(), now_ms, period_ms=self._period_ms) is not None

    def published(self, now_ms: int) -> tuple[list[SigningKey], int]:
        """The keys that others may know, and for how many seconds that is all: not at all while one is due."""
        keys = published(self._mine(), now_ms)
        begins_ms = min((key.signs_from_ms for key in keys if key.signs_from_ms > now_ms), default=now_ms)
        return keys, (begins_ms - now_ms) // 1000

    async def signer(self, now_ms: int) -> tuple[str, RSAKey]:
        """The key that signs now, with its id. Raises JournalError."""
        await self.make(now_ms)
        mine = self._mine()
        signing = signer(mine, now_ms)
        assert signing is not None
        key = self._open(signing)
        assert key is not None
        return signing.kid, key

    async def make(self, now_ms: int) -> None:
        """Those that are due. Raises JournalError."""
        async with self._turn:
            while self.are_due(now_ms):
                key = await asyncio.to_thread(RSAKey.generate_key, _BITS)
                try:
                    await self._changes.append(KEY_TOPIC, partial(self._decide, key, now_ms))
                except _NotDue:
                    return

    def _decide(self, key: RSAKey, now_ms: int) -> SigningKeyMade:
        signs_from_ms = due(self._mine(), now_ms, period_ms=self._period_ms)
        if signs_from_ms is None:
            raise _NotDue  # another process was quicker
        kid = secrets.token_urlsafe(_KID_BYTES)
        public = msgspec.convert({**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": "RS256"}, Jwk)
        sealed = jwe.encrypt_compact(_SEAL, key.as_bytes(private=True), self._seal)
        return SigningKeyMade(org_deed(now_ms), kid, msgspec.json.encode(public), sealed, signs_from_ms)

    def _mine(self) -> list[SigningKey]:
        """Those that open, by when they sign from: each ends where the next of them begins."""
        return [key for key in self._table.keys if self._open(key) is not None]

    def _open(self, key: SigningKey) -> RSAKey | None:
        if key.kid not in self._opened:
            try:
                self._opened[key.kid] = _private_key(jwe.decrypt_compact(key.sealed, self._seal).plaintext or b"")
            except (JoseError, ValueError):
                remedy = (
                    "it was sealed with another secret: give the folder the file `secret` that belongs to its journal"
                )
                _log.warning("signing_key.closed", kid=key.kid, remedy=remedy)
                self._opened[key.kid] = None
        return self._opened[key.kid]


def _private_key(pem: bytes) -> RSAKey:
    """
    The key that we made and sealed.

    Not checked to be a good one, which holds up the event loop for 35 ms: the seal (AES-GCM) says that it is that one.
    """
    key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey)
    return RSAKey.import_key(key)


class _NotDue(Exception):
    """Nothing has to be made."""
