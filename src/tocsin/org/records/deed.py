"""Who did what a record says, when, and with which request: every record begins with it."""

from enum import StrEnum

from msgspec import Struct


class AuthorKind(StrEnum):
    """What kind of caller did it."""

    TOKEN = "token"  # noqa: S105 - a kind, no token
    """The holder of an API token."""
    CLIENT = "client"
    """An OAuth 2.0 service app."""
    LOCAL = "local"
    """Somebody with access to the data folder: the command line."""
    ORG = "org"
    """The org itself."""


class Author(Struct, frozen=True, array_like=True):
    """Who did it. The name is that of then: what it is called later changes no log."""

    kind: AuthorKind
    id: str
    name: str


class Origin(Struct, frozen=True, array_like=True):
    """The HTTP request it was done with."""

    request_id: str
    ip: str
    """Of the client: the peer, or what a trusted proxy says."""
    user_agent: str
    path: str


class Deed(Struct, frozen=True, array_like=True):
    """When it was done, by whom, and with which request; None for no request."""

    at_ms: int
    author: Author
    origin: Origin | None = None


class Dated(Struct, frozen=True):
    """Any record, read only as far as to find when it was done."""

    deed: Deed


def org_deed(at_ms: int) -> Deed:
    """What the org does by itself."""
    return Deed(at_ms, Author(AuthorKind.ORG, "org", "Tocsin"))


def local_deed(at_ms: int) -> Deed:
    """What the command line does."""
    return Deed(at_ms, Author(AuthorKind.LOCAL, "local", "command line"))
