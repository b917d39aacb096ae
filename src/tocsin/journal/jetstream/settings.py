"""Which servers are asked, as whom, and how TLS is set up. Paths only: what is secret is read when it is used."""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from tocsin.journal.protocol import JournalError
from tocsin.loopback import is_loopback

EXTRA_HINT = "install it with the extra: tocsin[nats]"
_PORT = 4222
_SCHEMES = ("nats", "tls")


class JetStreamSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach the servers of a cluster. At most one of the three ways to say who is asking."""

    servers: tuple[str, ...]
    """`tls://HOST:PORT`, or `nats://HOST:PORT` on loopback."""
    ca_file: str | None = None
    """PEM; without one the system's authorities are trusted."""
    cert_file: str | None = None
    key_file: str | None = None
    """A certificate of the client's own, PEM, and its key."""
    credentials_file: str | None = None
    """A user's JWT and seed, as `nsc` writes them."""
    nkey_file: str | None = None
    """A user's nkey seed."""
    user: str | None = None
    password_file: str | None = None
    inbox_prefix: str = "_INBOX"
    """Where answers come in: words joined by dots. A user that may subscribe under its own alone reads no other's."""
    connect_s: float = 10.0
    """How long a connection may take to come about; one that has been lost for so long is made anew."""
    patience_s: float = 10.0
    """How long a question or an append is repeated while no quorum answers."""


def server_urls(text: str) -> tuple[str, ...]:
    """
    The servers in `nats://a,b:4223,c`, each with scheme and port.

    Raises: JournalError, for what is no list of servers.
    """
    scheme, found, hosts = text.partition("://")
    if not found:
        scheme, hosts = "nats", text
    urls = tuple(f"{scheme}://{host.strip().rpartition('://')[2]}" for host in hosts.split(",") if host.strip())
    if scheme not in _SCHEMES or not urls:
        raise JournalError("this names no NATS server", hint="write it as nats://HOST:PORT,HOST:PORT or tls://...")
    return tuple(_with_port(url) for url in urls)


def check_settings(settings: JetStreamSettings) -> None:
    """Raises JournalError, which quotes nothing secret, for what cannot work or would send something in clear text."""
    if not settings.servers:
        raise JournalError("no NATS server is named", hint="name at least one, such as nats://127.0.0.1:4222")
    for url in settings.servers:
        _check_url(url)
    ways = [settings.credentials_file, settings.nkey_file, settings.user]
    if sum(way is not None for way in ways) > 1:
        raise JournalError(
            "credentials_file, nkey_file and user exclude each other", hint="keep the one that the servers know"
        )
    if (settings.user is None) != (settings.password_file is None):
        raise JournalError("user and password_file belong together", hint="name both, or neither")
    if (settings.cert_file is None) != (settings.key_file is None):
        raise JournalError("cert_file and key_file belong together", hint="name both, or neither")


def credentials(settings: JetStreamSettings) -> dict[str, Any]:
    """What `nats.connect` is told about who asks. Raises: JournalError, when a file cannot be used."""
    if settings.credentials_file is not None:
        text = _read("credentials_file", settings.credentials_file)
        if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
            raise JournalError(
                f"credentials_file {settings.credentials_file} holds no JWT and seed of a user",
                hint="make one with `nsc generate creds`",
            )
        return {"user_credentials": settings.credentials_file}
    if settings.nkey_file is not None:
        return {"nkeys_seed": _nkey_file(settings.nkey_file)}
    if settings.password_file is not None:
        return {"user": settings.user, "password": _read("password_file", settings.password_file).strip()}
    return {}


def who_asks(settings: JetStreamSettings) -> str:
    """What says it, for messages."""
    if settings.credentials_file is not None:
        return f"credentials_file {settings.credentials_file}"
    if settings.nkey_file is not None:
        return f"nkey_file {settings.nkey_file}, which may be another fleet's"
    return (
        f"user and password_file {settings.password_file}" if settings.user is not None else "who asks: nothing says so"
    )


def tls(settings: JetStreamSettings) -> ssl.SSLContext | None:
    """The context for TLS, or None when all servers are plain. Raises: JournalError, when a file cannot be used."""
    if not any(url.startswith("tls://") for url in settings.servers):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise _unusable("ca_file", str(settings.ca_file), error, "it holds no certificate") from None
    if settings.cert_file is not None:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        except OSError as error:
            raise _unusable("cert_file", settings.cert_file, error, "it and key_file do not fit") from None
    return context


def _with_port(url: str) -> str:
    host = url.partition("://")[2]
    after_address = host.rpartition("]")[2]
    return url if ":" in after_address else f"{url}:{_PORT}"


def _check_url(url: str) -> None:
    hint = "write it as tls://HOST:PORT, or nats://HOST:PORT on loopback"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise JournalError("a server is not named by a URL", hint=hint) from None
    if parts.scheme not in _SCHEMES or not host or port is None or parts.path or parts.query:
        raise JournalError("a server is not named by a URL", hint=hint)
    if parts.username is not None or parts.password is not None:
        raise JournalError(
            f"the URL of {host} holds a user or a secret",
            hint="name a file: credentials_file, nkey_file, password_file",
        )
    if parts.scheme != "tls" and not is_loopback(host):
        raise JournalError(
            f"{host} is not asked in clear text", hint="write tls:// in its URL; nats:// is for loopback"
        )


def _nkey_file(path: str) -> str:
    try:
        import nkeys
    except ImportError:
        raise JournalError("nkeys, which signs for a user, is not installed", hint=EXTRA_HINT) from None
    try:
        pair = nkeys.from_seed(bytearray(_read("nkey_file", path).strip().encode()))
        is_users = pair.public_key.startswith(b"U")
        pair.wipe()
    except (nkeys.NkeysError, ValueError):
        is_users = False
    if not is_users:
        raise JournalError(f"nkey_file {path} holds no seed of a user", hint="it is one line that begins with SU")
    return path


def _read(what: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, ValueError) as error:
        raise _unusable(what, path, error, "it is no text") from None


def _unusable(what: str, path: str, error: Exception, otherwise: str) -> JournalError:
    why = getattr(error, "strerror", None) or otherwise
    return JournalError(f"{what} {path} cannot be used: {why}", hint="check the path, and who may read it")
