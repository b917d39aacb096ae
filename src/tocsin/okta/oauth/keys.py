"""The private key of a service app: PEM or JWK, as text, as a file, or as a dict."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tocsin.okta.exceptions import ApiTypeError, ApiValueError

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

PrivateKey = str | os.PathLike[str] | Mapping[str, Any]

_MOST_BYTES = 64 * 1024  # a 16384-bit RSA key in PEM form has 13 KiB
_SHORTEST_RSA_BITS = 2048  # what Okta registers
_ALGORITHMS = {"RSA": ("RS256", "RS384", "RS512"), "P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_HINT = "give the private key of the app: PEM text, a JWK, or a file with either"


class SigningKey(NamedTuple):
    """A key that can sign, and how."""

    jwk: RSAKey | ECKey
    alg: str
    kid: str | None

    def __repr__(self) -> str:
        return f"<SigningKey {self.alg} {self.kid}>"


def load_private_key(private_key: PrivateKey, private_key_id: str | None) -> SigningKey:
    """
    The key in `private_key`; a file is read anew each time, so that a new key can be put in its place.

    Args:
        private_key_id: the `kid` under which the org knows it; of a JWK its own when None.
    Raises: ApiValueError or ApiTypeError, for what is no private key that Okta takes. They never quote it.
    """
    value, where = _value(private_key)
    jwk = _imported(value, where)
    if not jwk.is_private:
        raise ApiValueError(f"{where} is a public key, and the private one is needed to sign", hint=_HINT)
    if jwk.key_type == "RSA" and jwk.public_key.key_size < _SHORTEST_RSA_BITS:
        raise _too_short(where)
    return SigningKey(jwk, _algorithm(jwk, where), private_key_id or jwk.kid)


def _algorithm(jwk: RSAKey | ECKey, where: str) -> str:
    """The one named in the key, else the first for its kind."""
    allowed = _ALGORITHMS.get("RSA" if jwk.key_type == "RSA" else str(jwk.get("crv")), ())
    if not allowed or (jwk.alg and jwk.alg not in allowed) or jwk.get("use", "sig") != "sig":
        hint = "use a signing key: RSA with RS256, RS384 or RS512, or EC on P-256, P-384 or P-521"
        raise ApiValueError(f"{where} is of a kind that Okta does not take", hint=hint)
    return jwk.alg or allowed[0]


def _value(private_key: PrivateKey) -> tuple[str | dict[str, Any], str]:
    """PEM text or the members of a JWK, and how to name where it came from."""
    if isinstance(private_key, Mapping):
        return dict(private_key), "private_key"
    if not isinstance(private_key, str | os.PathLike):
        raise ApiTypeError(f"private_key is text, a path or a dict, not {type(private_key).__name__}", hint=_HINT)
    text, where = os.fspath(private_key).strip(), "private_key"
    if not _is_key_text(text):
        text, where = _read(text), f"the private key in {text}"
    if text.startswith("{"):
        return _members(text, where), where
    # Environment files cannot hold line breaks, so a key in them often has them written out.
    return text.replace("\\n", "\n"), where


def _is_key_text(text: str) -> bool:
    return text.startswith(("-----", "{")) or "\n" in text


def _read(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        # The path may be a key whose head was lost, so only a short one is quoted.
        named = f"the file {path}" if len(path) <= 100 else "a file of that name"
        why = getattr(error, "strerror", None) or "it is no path"
        text = f"private_key is no PEM text and no JWK, and {named} cannot be read: {why}"
        raise ApiValueError(text, hint=_HINT) from None
    if len(content) > _MOST_BYTES:
        raise ApiValueError(f"the private key in {path} is larger than 64 KiB", hint=_HINT)
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise ApiValueError(f"the private key in {path} is not text: DER is not taken", hint=_HINT) from None


def _members(text: str, where: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ApiValueError(f"{where} begins like a JWK and is no JSON", hint=_HINT) from None


def _imported(value: str | dict[str, Any], where: str) -> RSAKey | ECKey:
    from joserfc.errors import InvalidKeyTypeError, SecurityWarning
    from joserfc.jwk import ECKey, RSAKey

    try:
        if isinstance(value, dict):
            return RSAKey.import_key(value) if value["kty"] == "RSA" else ECKey.import_key(value)
        try:
            return RSAKey.import_key(value)
        except InvalidKeyTypeError:
            return ECKey.import_key(value)
    except SecurityWarning:  # where warnings are errors
        raise _too_short(where) from None
    except Exception as error:  # what is raised for bytes that are no key is no documented list
        if "encrypted" in str(error) and isinstance(error, TypeError):
            hint = "decrypt it first: nobody is here to ask for its password"
            raise ApiValueError(f"{where} is encrypted", hint=hint) from None
        raise ApiValueError(f"{where} cannot be read as an RSA or EC key", hint=_HINT) from None


def _too_short(where: str) -> ApiValueError:
    return ApiValueError(f"{where} is RSA with less than 2048 bits, which Okta does not take", hint="make a longer key")
