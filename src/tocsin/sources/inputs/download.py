"""One document out of the network, as a file for as long as it is read."""

from collections.abc import AsyncIterator, Container, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

from tocsin.okta.fetching import Fetched, FetchFailed, fetch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError

MOST_BYTES = 512 * 1024 * 1024
WITHIN_S = 300.0
_NOTHING_LOST = "nothing is lost; it is asked for again"


class Download(NamedTuple):
    """An answer of 200 or 304."""

    path: str
    """Of its body, named like the end of the URL: some lists are told by their names alone."""
    answer: Fetched


@asynccontextmanager
async def downloaded(
    url: str,
    config: SourceConfig,
    *,
    headers: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    statuses: Container[int] = (200, 304),
) -> AsyncIterator[Download]:
    """
    What is at `url` now.

    Args:
        statuses: of the answers that are handed over; there is a body only to 200.
    Raises: SourceError, when there is no answer or one of another status.
    """
    with ExitStack() as stack:
        try:
            path = Path(stack.enter_context(TemporaryDirectory(prefix="tocsin-"))) / _name(url)
            with path.open("wb") as file:
                answer = await fetch(
                    url,
                    file,
                    headers=headers,
                    secrets=secrets,
                    ca_file=config.ca_file,
                    most_bytes=MOST_BYTES,
                    within_s=WITHIN_S,
                )
        except FetchFailed as error:
            raise SourceError(str(error), hint=error.hint or _NOTHING_LOST) from None
        except OSError as error:
            text = f"what {_host(url)} sends cannot be written here: {error.strerror or error}"
            raise SourceError(text, hint="make room where temporary files are kept; it is asked for again") from None
        if answer.status not in statuses:
            raise SourceError(f"{_host(url)} answered {answer.status}", hint=_HINTS.get(answer.status, _NOTHING_LOST))
        yield Download(str(path), answer)


_HINTS = {
    401: "check the key: key_file or key_env",
    403: "check the key: key_file or key_env, and what it may read",
    404: "check the URL",
    429: "ask less often: every_s",
}


def _name(url: str) -> str:
    name = "".join(c for c in PurePosixPath(urlsplit(url).path).name if c.isalnum() or c in "._-")
    return name.lstrip(".")[-100:] or "answer"


def _host(url: str) -> str:
    return urlsplit(url).netloc
