"""An operator, an account and a user of NATS by JWT, as `nsc` makes them: what a server and a user are given."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import nkeys
from nacl.utils import random as random_bytes


def made(prefix: int) -> tuple[Any, str, str]:
    """A new key: the pair, its public key and its seed."""
    seed = nkeys.encode_seed(random_bytes(32), prefix)
    pair = nkeys.from_seed(bytearray(seed))
    return pair, pair.public_key.decode(), seed.decode()


def operator_and_user(folder: Path) -> str:
    """
    Writes a user's credentials file, `folder`/user.creds.

    Returns: what the server's config says of the operator and the user's account, which has JetStream.
    """
    operator, operator_key, _ = made(nkeys.PREFIX_BYTE_OPERATOR)
    account, account_key, _ = made(nkeys.PREFIX_BYTE_ACCOUNT)
    _, system_key, _ = made(nkeys.PREFIX_BYTE_ACCOUNT)
    _, user_key, user_seed = made(nkeys.PREFIX_BYTE_USER)
    unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    unlimited |= {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1, "wildcards": True}
    operator_token = _signed(operator, operator_key, operator_key, {"type": "operator", "system_account": system_key})
    accounts = {
        account_key: _signed(operator, operator_key, account_key, {"type": "account", "limits": unlimited}),
        system_key: _signed(operator, operator_key, system_key, {"type": "account"}),
    }
    user_token = _signed(account, account_key, user_key, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    (folder / "user.creds").write_text(
        f"-----BEGIN NATS USER JWT-----\n{user_token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user_seed}\n------END USER NKEY SEED------\n"
    )
    preload = "\n".join(f"{key}: {token}" for key, token in accounts.items())
    return f"operator: {operator_token}\nresolver: MEMORY\nresolver_preload {{\n{preload}\n}}"


def _signed(pair: Any, issuer: str, subject: str, nats: dict[str, Any]) -> str:
    claims = {"jti": subject, "iat": int(time.time()), "iss": issuer, "sub": subject, "nats": {"version": 2, **nats}}
    head = _encoded({"typ": "JWT", "alg": "ed25519-nkey"})
    unsigned = f"{head}.{_encoded(claims)}"
    return f"{unsigned}.{base64.urlsafe_b64encode(pair.sign(unsigned.encode())).decode().rstrip('=')}"


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
