"""Fetches a document over HTTP for those who read feeds: the SDK's transport, without anything of an org.

Here, because one place knows what a credential may travel over: with a secret header only to TLS or to this machine,
and along a redirect only within the same origin. A redirect never leads from TLS to clear text.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import IO, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx2

from tocsin.errors import TocsinError
from tocsin.loopback import PLAIN_HTTP_HINT, is_loopback
from tocsin.okta.headers import Headers
from tocsin.okta.settings import without_user_info

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CONNECT_S = 10.0


class FetchFailed(TocsinError):
    """There is no answer, or none that is used."""


class Fetched(NamedTuple):
    """An answer; its body was written where it was wanted, decoded, when the status is 200."""

    status: int
    headers: Headers
    url: str
    """After redirects."""


async def fetch(
    url: str,
    into: IO[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    ca_file: str | None = None,
    most_bytes: int,
    within_s: float,
) -> Fetched:
    """
    GET `url` and write the body into `into`.

    Args:
        secrets: headers that let someone act as the caller.
        ca_file: of a private CA, in PEM; else those that come with the system.
        most_bytes: of the decoded body.
        within_s: for all of it.
    Raises: FetchFailed, which quotes neither secrets nor the user name in a URL.
    """
    try:
        async with asyncio.timeout(within_s):
            async with httpx2.AsyncHTTPTransport(verify=_context(ca_file), trust_env=False) as transport:
                return await _follow(transport, url, into, dict(headers or {}), dict(secrets or {}), most_bytes)
    except TimeoutError:
        raise FetchFailed(
            f"{_host(url)} did not send all of it within {within_s:g} s", hint="it is asked again"
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise FetchFailed(*_why(error, url)) from None


async def _follow(
    transport: httpx2.AsyncHTTPTransport,
    url: str,
    into: IO[bytes],
    headers: dict[str, str],
    secrets: dict[str, str],
    most_bytes: int,
) -> Fetched:
    check_url(url, secret=bool(secrets))
    for _ in range(_MOST_REDIRECTS + 1):
        timeout = {"connect": _CONNECT_S, "read": 60.0, "write": 60.0, "pool": _CONNECT_S}
        every = {"accept-encoding": "gzip", "user-agent": "tocsin", **headers, **secrets}
        request = httpx2.Request("GET", url, headers=every, extensions={"timeout": timeout})
        response = await transport.handle_async_request(request)
        try:
            location = response.headers.get("location") if response.status_code in _REDIRECTS else None
            if location is None:
                if response.status_code == 200:
                    await _write(response, into, most_bytes, url)
                return Fetched(response.status_code, Headers(response.headers.multi_items()), url)
        finally:
            await response.aclose()
        url = _next(url, location, secret=bool(secrets))
    raise FetchFailed(f"{_host(url)} redirects more than {_MOST_REDIRECTS} times", hint="give the URL it ends at")


async def _write(response: httpx2.Response, into: IO[bytes], most_bytes: int, url: str) -> None:
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > most_bytes:
            text = f"{_host(url)} sends more than {most_bytes:,} bytes, which were not used"
            raise FetchFailed(text, hint="check the URL")
        into.write(chunk)


def check_url(url: str, *, secret: bool) -> None:
    """Raises: FetchFailed, for what is no http(s) URL, or would carry a secret in clear text."""
    parts = _parts(url)
    if parts is None or not parts.hostname or parts.scheme not in ("http", "https"):
        raise FetchFailed(f"{without_user_info(url)[:100]!r} is no http or https URL", hint="write https://host/path")
    if parts.username is not None:
        text = f"the URL of {parts.hostname} holds a user name"
        raise FetchFailed(text, hint="name it under user, and the password in a file")
    if secret and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise FetchFailed(f"a secret is not sent to {parts.hostname} in clear text", hint=PLAIN_HTTP_HINT)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _next(url: str, location: str, *, secret: bool) -> str:
    following = urljoin(url, location)
    check_url(following, secret=secret)
    before, after = urlsplit(url), urlsplit(following)
    if before.scheme == "https" and after.scheme != "https":
        raise FetchFailed(
            f"{_host(url)} redirects from TLS to clear text, which was not followed", hint="check the URL"
        )
    if secret and (before.scheme, before.netloc) != (after.scheme, after.netloc):
        text = f"{_host(url)} redirects to {_host(following)}, and the secret is for the former"
        raise FetchFailed(text, hint="give the URL it ends at, if that is meant")
    return following


def _context(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FetchFailed(f"ca_file {ca_file} cannot be used: {why}", hint="give a readable file in PEM form") from None


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _why(error: BaseException, url: str) -> tuple[str]:
    host, cause = _host(url), error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:
        match cause:
            case ssl.SSLCertVerificationError():
                return (f"the certificate of {host} is not trusted: {cause.verify_message}",)
            case ssl.SSLError():
                return (f"no TLS connection to {host}: {cause.reason or cause}",)
            case socket.gaierror():
                return (f"the host {host} is not known",)
            case ConnectionRefusedError():
                return (f"{host} refuses connections",)
            case httpx2.TimeoutException():
                return (f"{host} did not answer in time",)
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    return (f"{host} gave no whole answer ({type(error).__name__})",)
