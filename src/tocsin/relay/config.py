"""What a relay is told to do. The types carry the limits; a typo stops the start."""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from tocsin.okta.secret_places import NoToken, secret_in_file, secret_in_variable
from tocsin.relay.credentials import Credential, ServiceApp, Token
from tocsin.signals import RiskLevel, ip_span
from tocsin.signals.special_addresses import special_use

EVENTS_SCOPE = "okta.riskEvents.manage"
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class BudgetConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be used of what a target grants."""

    requests_per_window: Annotated[int, Meta(ge=1)] | None = None
    """At most so many requests a minute, and never more than the target grants; all of that when absent."""


class TargetConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One org that is told, with exactly one of a token in one of four places and a service app."""

    url: Annotated[str, Meta(min_length=1)]
    """Such as `https://acme.okta.com`."""
    token_file: str | None = None
    """A file that holds an API token (SSWS) alone."""
    token_env: str | None = None
    """Name of a variable of the environment that holds one."""
    access_token_file: str | None = None
    """A file that holds an OAuth 2.0 access token alone; something else keeps it fresh."""
    access_token_env: str | None = None
    client_id: str | None = None
    """Id of a service app, whose access tokens are fetched and renewed with its key."""
    private_key_file: str | None = None
    """Its key, RSA or EC, as PEM or JWK."""
    private_key_id: str | None = None
    """The `kid` under which the org knows the key; that of the JWK when absent."""
    scopes: tuple[str, ...] = (EVENTS_SCOPE,)
    dpop: bool = False
    """True to have tokens bound to a key of this relay (DPoP), whether the org asks for it or not."""
    minimum_level: RiskLevel = RiskLevel.LOW
    """What is less dangerous is not told."""
    sources: list[Name] | None = None
    """Only what these say counts; all when absent."""
    never_send: list[str] = []
    """Networks that are never told about, such as your own; `203.0.113.0/24` or one address."""
    allow_non_global: bool = False
    """True to tell about private, reserved and documentation addresses too."""
    longest_life_s: Annotated[int, Meta(ge=60)] | None = None
    """No telling holds longer than this; it is refreshed while it is claimed. As long as claimed when absent."""
    refresh_before_s: Annotated[int, Meta(ge=10)] = 3600
    """How long before it ends a telling is refreshed."""
    budget: BudgetConfig = BudgetConfig()

    def __post_init__(self) -> None:
        tokens = [self.token_file, self.token_env, self.access_token_file, self.access_token_env]
        if sum(place is not None for place in (*tokens, self.client_id)) != 1:
            kinds = "token_file, token_env, access_token_file, access_token_env and client_id"
            raise ValueError(f"exactly one of {kinds} is needed")
        if (self.client_id is None) != (self.private_key_file is None):
            alone = "private_key_file" if self.client_id is None else "client_id"
            raise ValueError(f"{alone}: client_id and private_key_file go together")
        for network in self.never_send:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"never_send: {error}") from None

    def credential(self) -> Credential:
        """What to show the org; nothing is read yet."""
        if self.client_id is not None:
            key_file = Path(self.private_key_file or "")
            return ServiceApp(self.client_id, key_file, key_id=self.private_key_id, scopes=self.scopes, dpop=self.dpop)
        bearer = self.access_token_file is not None or self.access_token_env is not None
        return Token(self._fetch(), bearer=bearer)

    def excludes(self) -> Callable[[bytes], bool]:
        """Says of an IP key whether the org is never told about it."""
        spans = [ip_span(network) for network in self.never_send]
        special = not self.allow_non_global
        return lambda key: (special and special_use(key) is not None) or any(a <= key <= b for a, b in spans)

    def secret_files(self) -> dict[str, Path]:
        """The files that a secret is in, by the keys that name them."""
        files = {
            "token_file": self.token_file,
            "access_token_file": self.access_token_file,
            "private_key_file": self.private_key_file,
        }
        return {key: Path(file).absolute() for key, file in files.items() if file}

    def _fetch(self) -> Callable[[], str]:
        if files := self.secret_files():
            ((key, file),) = files.items()
            return partial(_named, key, partial(secret_in_file, file))
        key = "token_env" if self.token_env else "access_token_env"
        return partial(_named, key, partial(secret_in_variable, self.token_env or self.access_token_env or ""))


def _named(key: str, fetch: Callable[[], str]) -> str:
    try:
        return fetch()
    except NoToken as error:
        raise NoToken(f"{key}: {error.summary}", hint=error.hint) from None


class RelayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One relay."""

    state: str
    """The folder of its outbox; made on first use, with room only for one relay."""
    targets: Annotated[dict[Name, TargetConfig], Meta(min_length=1)]
    """The orgs to tell, by the names to call them."""
