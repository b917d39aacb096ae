"""The secret that all nodes of a fleet have, and what is made from it for each org.

The signing keys lie sealed in the journals. Whoever reads the streams can open none of them without this.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from tocsin.org.backing import SECRET_BYTES
from tocsin.org.errors import OrgError

_HINT = "copy it from another node, or from the folder that `tocsin fleet init` made"


class FleetSecret:
    """It is shown nowhere."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def read(cls, path: Path) -> "FleetSecret":
        """The one in the file at `path`. Raises OrgError."""
        try:
            text = path.read_text()
            secret = bytes.fromhex(text.strip())
        except OSError as error:
            raise OrgError(f"secret_file {path} cannot be read: {error.strerror}", hint=_HINT) from None
        except ValueError:
            secret = b""
        if len(secret) != SECRET_BYTES:
            raise OrgError(f"secret_file {path} holds no secret of a fleet", hint=_HINT)
        return cls(secret)

    @staticmethod
    def new_text() -> str:
        """What the file of a new one holds."""
        return secrets.token_hex(SECRET_BYTES) + "\n"

    @property
    def fingerprint(self) -> str:
        """Tells whether two are the same, and nothing else."""
        return self._made("fingerprint").hex()[:16]

    def of_org(self, name: str) -> bytes:
        """That of the org `name`."""
        return self._made(f"org {name}")

    def _made(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)
