"""Who a request is authorized as, and what that allows. Pure."""

from msgspec import Struct

from tocsin.org.oauth.access_token import AccessToken
from tocsin.org.records import Author, AuthorKind, Role


class Principal(Struct, frozen=True):
    """A token's holder has a role, a service app has scopes; the one who has neither may do nothing."""

    author: Author
    role: Role | None = None
    scopes: frozenset[str] = frozenset()
    access_token: AccessToken | None = None
    """What a service app has shown; None at the authorization server itself."""

    @property
    def id(self) -> str:
        """Of the token or the client."""
        return self.author.id


class Need(Struct, frozen=True):
    """What a request asks of its principal."""

    scope: str | None
    """For a service app; None: no service app may."""
    roles: frozenset[Role]
    """Of a token, any of these."""


def may(principal: Principal, need: Need) -> bool:
    """Whether `principal` may make a request with that `need`."""
    if principal.author.kind is AuthorKind.CLIENT:
        return need.scope is not None and need.scope in principal.scopes
    return principal.role in need.roles
