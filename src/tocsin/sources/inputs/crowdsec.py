"""The live stream of a CrowdSec Local API: all decisions at first, then what is new and what is taken back.

The API remembers what each key has been told. So a source that begins, also after a restart, asks for everything
(`startup=true`): what the relay still holds and the API no longer says is let go then. Nothing is kept as a position.
Source: CrowdSec's Local API, `GET /v1/decisions/stream`.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec

from tocsin.signals import Batch, Retraction
from tocsin.sources.config import SourceConfig
from tocsin.sources.format import Format
from tocsin.sources.inputs.download import downloaded
from tocsin.sources.inputs.secrets import needed_key_of
from tocsin.sources.inputs.settings import reading_of
from tocsin.sources.inputs.whole import whole
from tocsin.sources.mapping.builtin import profile_format, profile_text
from tocsin.sources.mapping.profile import parse_profile
from tocsin.sources.read import Piece
from tocsin.sources.source import Clock

EVERY_S = 10.0  # what CrowdSec's own bouncers do
_A_MOMENT = timedelta(milliseconds=1)
_PROFILE = "crowdsec-stream"
_STREAM = "/v1/decisions/stream?startup="


class CrowdsecSource:
    """Reads one Local API."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.name = name
        self._config, self._clock = config, clock
        self._form = live_form()
        reading_of(name, config, now=clock())

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        startup = True
        while True:
            async for batch in self._ask(startup, position):
                yield batch
            startup = False
            await asyncio.sleep(self._config.every_s or EVERY_S)

    async def _ask(self, startup: bool, position: bytes) -> AsyncIterator[Batch]:
        url = f"{str(self._config.crowdsec).rstrip('/')}{_STREAM}{str(startup).lower()}"
        secrets = {"x-api-key": needed_key_of(self._config, "CrowdSec's Local API")}
        async with downloaded(url, self._config, secrets=secrets) as document:
            reading = reading_of(self.name, self._config, now=self._clock())
            async for batch in whole(
                document.path,
                self._form,
                reading,
                before=position,
                after=position,
                full_list=startup,
                change=retracted_first,
            ):
                yield batch


def live_form() -> Format:
    """
    The format of the stream, for one who listens to it.

    The API ends a decision that is taken back at that moment, so it looks like one that came to its own end. Whoever
    heard of it from the stream need not tell them apart: what has ended by itself holds no longer anyway.
    """
    profile = parse_profile(profile_text(_PROFILE) or "", name=_PROFILE)
    skip = tuple(rule for rule in profile.skip if "duration" not in rule.when)
    return profile_format(msgspec.structs.replace(profile, skip=skip))


def retracted_first(piece: Piece) -> Piece:
    """One decision about an address may be deleted while another, in the same answer, stands: the latter is later."""
    claims = [
        msgspec.structs.replace(claim, observed=claim.observed - _A_MOMENT) if isinstance(claim, Retraction) else claim
        for claim in piece.claims
    ]
    return piece._replace(claims=claims)
