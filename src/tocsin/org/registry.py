"""The directory's parts put together: the one list of what an org keeps besides what is asserted."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tocsin.journal import Journal
from tocsin.org.bouncers import Bouncers, BouncerTable
from tocsin.org.changes import Changes
from tocsin.org.directory import Directory, Part
from tocsin.org.oauth.clients import Clients, ClientTable
from tocsin.org.oauth.grants import Grants, GrantTable
from tocsin.org.oauth.issued import Issued, IssuedTable
from tocsin.org.oauth.keys import SigningKeyTable
from tocsin.org.policies import Policies, PolicyTable
from tocsin.org.projector import Projection, Projector
from tocsin.org.providers import Providers, ProviderTable
from tocsin.org.tokens import Tokens, TokenTable
from tocsin.org.trimmed import Trimmed, TrimmedTable


class Registry:
    """What the directory holds, each kind with what may be asked of it and how it is changed."""

    def __init__(
        self,
        journal: Journal,
        path: Path,
        others: Sequence[Projection] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            path: of the directory's file.
            others: projections of the same journal, kept up after the directory.
            clock: epoch seconds.
        Raises: OrgError, when the file cannot be used.
        """
        self.journal = journal
        providers, tokens, policy, bouncers = ProviderTable(), TokenTable(), PolicyTable(), BouncerTable()
        clients, grants, issued, self.signing_key_table = ClientTable(), GrantTable(), IssuedTable(), SigningKeyTable()
        trimmed = TrimmedTable()
        parts: list[Part] = [
            providers,
            tokens,
            policy,
            bouncers,
            clients,
            grants,
            issued,
            self.signing_key_table,
            trimmed,
        ]
        self.directory = Directory(path, parts)
        self.projector = Projector(journal, [self.directory, *others])
        self.changes = changes = Changes(journal, self.projector)
        self.providers = Providers(providers, changes)
        self.tokens = Tokens(tokens, changes)
        self.clients = Clients(clients, changes)
        self.grants = Grants(grants, self.clients, changes)
        self.issued = Issued(issued, self.directory, changes)
        self.policy = Policies(policy, changes)
        self.bouncers = Bouncers(bouncers, changes)
        self.trimmed = Trimmed(trimmed, changes)
        self._clock = clock

    @property
    def now_ms(self) -> int:
        """Epoch milliseconds, by the org's clock."""
        return int(self._clock() * 1000)

    async def close(self) -> None:
        """Let what is being applied finish, and let go of the file."""
        await self.projector.close()
        self.directory.close()
