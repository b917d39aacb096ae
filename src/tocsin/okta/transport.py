"""The one place that knows httpx2: opens connections as configured, moves bytes, and puts failures in plain words.

Clients use httpx2's transports and not its clients: cookies, environment proxies, `.netrc` and redirects, which a
client would add by itself, must not touch a request that carries a credential. It also halves the cost of a call.
"""

import socket
import ssl
from functools import lru_cache
from urllib.parse import urlsplit

import httpx2

from tocsin.okta.configuration import Configuration
from tocsin.okta.exceptions import (
    ApiValueError,
    ConnectionException,
    ConnectionLostException,
    TimeoutException,
    TlsException,
)
from tocsin.okta.headers import Headers
from tocsin.okta.request import Request
from tocsin.okta.rest import RESTResponse

_MOST_BYTES = 4 * 1024 * 1024  # of a decoded answer: a full list of providers is a few KiB
_KEEP_ALIVE_S = 30.0  # a caller at the limit of 30 a minute keeps its connection


def open_transport(configuration: Configuration) -> httpx2.HTTPTransport:
    """A pool of connections. Raises ApiValueError for a TLS file or proxy that cannot be used."""
    return httpx2.HTTPTransport(
        verify=_ssl_context(configuration), trust_env=False, limits=_limits(configuration), proxy=_proxy(configuration)
    )


def open_async_transport(configuration: Configuration) -> httpx2.AsyncHTTPTransport:
    """Like `open_transport`, for an event loop."""
    return httpx2.AsyncHTTPTransport(
        verify=_ssl_context(configuration), trust_env=False, limits=_limits(configuration), proxy=_proxy(configuration)
    )


def send(
    transport: httpx2.BaseTransport, request: Request, configuration: Configuration
) -> RESTResponse | ConnectionException:
    """The whole answer, or why there is none. Raises ApiValueError when it cannot be sent at all."""
    try:
        response = transport.handle_request(_outgoing(request, configuration))
        try:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    return _too_long(request)
        finally:
            response.close()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return _failure(error, request)
    return _answer(response, body, request)


async def send_async(
    transport: httpx2.AsyncBaseTransport, request: Request, configuration: Configuration
) -> RESTResponse | ConnectionException:
    """Like `send`, awaited."""
    try:
        response = await transport.handle_async_request(_outgoing(request, configuration))
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    return _too_long(request)
        finally:
            await response.aclose()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return _failure(error, request)
    return _answer(response, body, request)


def _outgoing(request: Request, configuration: Configuration) -> httpx2.Request:
    connect_s, read_s = request.timeout_s
    extensions: dict[str, object] = {
        "timeout": {"connect": connect_s, "read": read_s, "write": read_s, "pool": connect_s}
    }
    expected = configuration.tls_server_name or configuration.assert_hostname
    if isinstance(expected, str):
        extensions["sni_hostname"] = expected
    headers = list(request.headers.values())
    url = _parsed(request.url)
    return httpx2.Request(request.method, url, headers=headers, content=request.body, extensions=extensions)


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx2.URL:
    # A client calls a handful of URLs for ever, and parsing one is a tenth of the cost of a call.
    return httpx2.URL(url)


def _answer(response: httpx2.Response, body: bytearray, request: Request) -> RESTResponse:
    headers = Headers(response.headers.multi_items())
    return RESTResponse(response.status_code, response.reason_phrase, headers, bytes(body), url=request.url)


def _too_long(request: Request) -> ConnectionException:
    # Not a lost connection: sending again would bring the same answer.
    text = f"{urlsplit(request.url).netloc} answers with more than {_MOST_BYTES // 2**20} MiB, which was not read"
    return ConnectionException(text, hint="check that the host is an org, and that no proxy answers in its place")


def _ssl_context(configuration: Configuration) -> ssl.SSLContext:
    if configuration.host.startswith("http:") and not configuration.proxy:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and costs nothing to make
    context = _trusting(configuration)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.assert_hostname is False:
        context.check_hostname = False
    if configuration.cert_file:
        try:
            # A password callback keeps OpenSSL from asking on the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password=lambda: "")
        except (OSError, ValueError) as error:
            raise _bad_file("cert_file or key_file", configuration.cert_file, error) from None
    return context


def _trusting(configuration: Configuration) -> ssl.SSLContext:
    if configuration.ssl_ca_cert is None:
        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    except (OSError, ValueError) as error:
        raise _bad_file("ssl_ca_cert", configuration.ssl_ca_cert, error) from None


def _bad_file(setting: str, path: object, error: Exception) -> ApiValueError:
    why = getattr(error, "strerror", None) or str(error)
    return ApiValueError(f"{setting} {path} cannot be used: {why}", hint="give a readable file in PEM form")


def _limits(configuration: Configuration) -> httpx2.Limits:
    most = configuration.connection_pool_maxsize
    return httpx2.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=_KEEP_ALIVE_S)


def _proxy(configuration: Configuration) -> httpx2.Proxy | None:
    if not configuration.proxy:
        return None
    try:
        return httpx2.Proxy(configuration.proxy, headers=configuration.proxy_headers)
    except (ValueError, httpx2.InvalidURL):
        # Not quoted back: a password may stand in it.
        hint = "write it like http://proxy.example:3128"
        raise ApiValueError("the proxy is not a URL that can be used", hint=hint) from None


def _failure(error: Exception, request: Request) -> ConnectionException:
    host = urlsplit(request.url).netloc
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = f"the certificate of {host} is not trusted: {cause.verify_message}"
            return TlsException(text, hint="set ssl_ca_cert to the CA that signed it, and check the host")
        if isinstance(cause, ssl.SSLError):
            text = f"no TLS connection to {host}: {cause.reason or cause}"
            return TlsException(text, hint="check that the port speaks TLS and the client certificate, if one is asked")
        if isinstance(cause, socket.gaierror):
            return ConnectionException(f"the host {host} is not known", hint="check its spelling and the network")
        if isinstance(cause, ConnectionRefusedError):
            return ConnectionException(f"{host} refuses connections", hint="check the port, and that the org runs")
    return _by_kind(error, host, request.timeout_s)


def _by_kind(error: Exception, host: str, timeout_s: tuple[float, float]) -> ConnectionException:
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            text = f"no connection to {host} within {timeout_s[0]:g} s"
            return TimeoutException(text, hint="check the host and the network, or allow more time with timeout_s")
        case httpx2.TimeoutException():
            text = f"{host} did not answer within {timeout_s[1]:g} s"
            return TimeoutException(text, hint="try again, or allow more time with timeout_s")
        case httpx2.ProxyError():
            return ConnectionException(f"the proxy gave no way to {host}", hint="check proxy and proxy_headers")
        case httpx2.ReadError() | httpx2.WriteError() | httpx2.CloseError() | httpx2.RemoteProtocolError():
            text = f"{host} broke the connection before its answer was complete"
            return ConnectionLostException(text, hint="try again; sending risk events twice does no harm")
        case _:
            # The text of other errors is left out: it may quote headers.
            text = f"no connection to {host} ({type(error).__name__})"
            return ConnectionException(text, hint="check the host, the proxy and the network")


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
