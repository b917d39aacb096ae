"""Changes of tokens and providers: read, decide, append, and decide again when another writer was quicker.

What must be unique or bounded is so across processes and nodes, because an append names the last entry of its topic
that the decision knew.
"""

from collections.abc import Callable
from typing import TypeVar

from tocsin.journal import Journal, JournalConflict
from tocsin.org.directory import Directory, Provider
from tocsin.org.errors import OrgError
from tocsin.org.ids import new_id, new_token, token_hash
from tocsin.org.projector import Projector
from tocsin.org.records import (
    PROVIDER_TOPIC,
    TOKEN_TOPIC,
    DirectoryRecord,
    ProviderCreated,
    ProviderDeleted,
    ProviderReplaced,
    Role,
    TokenCreated,
    encode_record,
)
from tocsin.signals import RiskProvider, RiskProviderAction
from tocsin.signals.limits import NAME_CHARS, PROVIDERS_PER_ORG

DEFAULT_PROVIDER_NAME = "Default"
_Record = TypeVar("_Record", bound=DirectoryRecord)


class NameTaken(OrgError):
    """Another one has this name. Nothing was changed."""


class TooManyProviders(OrgError):
    """The org has as many providers as it may. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            f"the org has {PROVIDERS_PER_ORG} risk providers, and no more are allowed", hint="delete one of them first"
        )


class ProviderUnknown(OrgError):
    """There is no such provider. Nothing was changed."""

    def __init__(self, provider_id: str) -> None:
        self.provider_id = provider_id
        super().__init__(f"there is no risk provider {provider_id}", hint="list the providers to see their ids")


class Registry:
    """Changes the directory of one journal. All methods raise JournalError when it cannot be read or written."""

    def __init__(self, journal: Journal, directory: Directory, projector: Projector) -> None:
        """`directory` is the first projection of `projector`."""
        self._journal = journal
        self._directory = directory
        self._projector = projector

    async def create_token(self, name: str, role: Role, *, at_ms: int) -> str:
        """A new token. It is told once, here. Raises NameTaken, or OrgError for a name that cannot be one."""
        if not name.strip() or not name.isprintable() or len(name) > NAME_CHARS:
            raise OrgError(f"a token's name has 1 to {NAME_CHARS} printable characters, not {name[:60]!r}")
        token = new_token()

        def decide() -> TokenCreated:
            if self._directory.token_named(name) is not None:
                raise NameTaken(f"there is a token named {name!r} already", hint="choose another name")
            return TokenCreated(at_ms, new_id("00T"), name, token_hash(token), role)

        await self._append(TOKEN_TOPIC, decide)
        return token

    async def create_provider(self, wanted: RiskProvider, principal: str, *, at_ms: int) -> Provider:
        """A new provider. Raises NameTaken or TooManyProviders."""

        def decide() -> ProviderCreated:
            if len(self._directory.providers()) >= PROVIDERS_PER_ORG:
                raise TooManyProviders
            self._refuse_name(wanted.name, of=None)
            given = (wanted.name, wanted.client_id, wanted.action)
            return ProviderCreated(at_ms, principal, new_id("rkp"), *given, is_default=False)

        created = await self._append(PROVIDER_TOPIC, decide)
        return self._now_there(created.id)

    async def replace_provider(self, provider_id: str, wanted: RiskProvider, principal: str, *, at_ms: int) -> Provider:
        """The provider with new name, client id and action. Raises NameTaken or ProviderUnknown."""

        def decide() -> ProviderReplaced:
            self._refuse_unknown(provider_id)
            self._refuse_name(wanted.name, of=provider_id)
            return ProviderReplaced(at_ms, principal, provider_id, wanted.name, wanted.client_id, wanted.action)

        await self._append(PROVIDER_TOPIC, decide)
        return self._now_there(provider_id)

    async def delete_provider(self, provider_id: str, principal: str, *, at_ms: int) -> None:
        """Delete a provider; what it asserted no longer counts. Raises ProviderUnknown."""

        def decide() -> ProviderDeleted:
            self._refuse_unknown(provider_id)
            return ProviderDeleted(at_ms, principal, provider_id)

        await self._append(PROVIDER_TOPIC, decide)

    async def make_default_provider(self, *, at_ms: int) -> None:
        """Make the provider an org starts with, unless there has ever been one."""
        given = (new_id("rkp"), DEFAULT_PROVIDER_NAME, None, RiskProviderAction.LOG_ONLY)
        body = encode_record(ProviderCreated(at_ms, None, *given, is_default=True))
        try:
            await self._journal.append(PROVIDER_TOPIC, body, expect_last=0)
        except JournalConflict:
            return  # made at an earlier start, or by another node just now

    async def _append(self, topic: str, decide: Callable[[], _Record]) -> _Record:
        """Append what `decide` makes of the directory as it is, and return when it is applied."""
        while True:
            last = await self._journal.last(topic)
            await self._projector.catch_up_first()
            record = decide()
            try:
                await self._journal.append(topic, encode_record(record), expect_last=last)
            except JournalConflict:
                continue
            await self._projector.catch_up_first()
            return record

    def _now_there(self, provider_id: str) -> Provider:
        provider = self._directory.provider(provider_id)
        if provider is None:  # deleted by another writer between our append and this look
            raise ProviderUnknown(provider_id)
        return provider

    def _refuse_unknown(self, provider_id: str) -> None:
        if self._directory.provider(provider_id) is None:
            raise ProviderUnknown(provider_id)

    def _refuse_name(self, name: str, *, of: str | None) -> None:
        if any(provider.name == name and provider.id != of for provider in self._directory.providers()):
            raise NameTaken(f"there is a risk provider named {name!r} already", hint="choose another name")
