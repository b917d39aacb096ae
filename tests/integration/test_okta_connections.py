"""What goes wrong on real connections, each in one line with a hint."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from support.okta_org import EVENT, tiny_org
from tocsin import okta


def send(host: str, **settings: object) -> None:
    configuration = okta.Configuration(host=host, api_key={"apiToken": "s3cret"}, retries=0, **settings)  # type: ignore[arg-type]
    with okta.ApiClient(configuration) as client:
        okta.RiskEventApi(client).send_risk_events([EVENT])


async def send_async(host: str, **settings: object) -> None:
    configuration = okta.Configuration(host=host, api_key={"apiToken": "s3cret"}, retries=0, **settings)  # type: ignore[arg-type]
    async with okta.AsyncApiClient(configuration) as client:
        await okta.AsyncRiskEventApi(client).send_risk_events([EVENT])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_all(stream: socket.socket) -> bool:
    """Reads until the end of the list of events: hanging up on unread bytes would reset the connection."""
    taken = b""
    while not taken.endswith(b"]"):
        try:
            chunk = stream.recv(65536)
        except OSError:
            return False
        if not chunk:
            return False
        taken += chunk
        if not taken.startswith(b"POST"):
            return True  # not HTTP: a TLS hello at a plain port
    return True


@contextmanager
def listener(context: ssl.SSLContext | None = None, *, reply: bytes = b"") -> Iterator[int]:
    """A port that takes one connection, reads once, sends `reply` and hangs up; with no reply it stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            try:
                stream = context.wrap_socket(connection, server_side=True) if context else connection
            except OSError:  # the other side refused our certificate, or showed none: some tests are about that
                connection.close()
                return
            with stream:
                if read_all(stream):
                    stream.sendall(reply)
                if not reply:
                    done.wait(5)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(5)


def certificate(ca: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


def test_connections_are_kept_and_opened_again_after_close() -> None:
    with tiny_org() as (url, taken):
        client = okta.ApiClient(okta.Configuration(host=url, api_key={"apiToken": "t"}))
        api = okta.RiskEventApi(client)
        for _ in range(2):
            api.send_risk_events([EVENT])
        client.close()
        client.close()
        api.send_risk_events([EVENT])
        client.close()
    assert [path for path, *_ in taken] == ["/api/v1/risk/events/ip"] * 3


async def test_the_async_client_over_a_real_connection() -> None:
    with tiny_org() as (url, taken):
        await send_async(url)
    assert taken[0][1]["Authorization"] == "SSWS s3cret"


async def test_a_refused_connection() -> None:
    port = free_port()
    with pytest.raises(okta.ConnectionException, match=rf"^127\.0\.0\.1:{port} refuses connections$") as caught:
        send(f"http://127.0.0.1:{port}")
    assert caught.value.hint
    assert caught.value.status is None
    with pytest.raises(okta.ConnectionException, match=rf"^127\.0\.0\.1:{port} refuses connections$"):
        await send_async(f"http://127.0.0.1:{port}")


def test_an_unknown_host() -> None:
    with pytest.raises(okta.ConnectionException, match=r"the host no-such-host\.invalid is not known"):
        send("https://no-such-host.invalid")


def test_a_silent_host() -> None:
    with listener() as port, pytest.raises(okta.TimeoutException, match=r"did not answer within 0\.1 s"):
        send(f"http://127.0.0.1:{port}", timeout_s=0.1)


def test_a_host_that_does_not_speak_http() -> None:
    with listener(reply=b"SSH-2.0-x\r\n") as port, pytest.raises(okta.ConnectionLostException, match="broke the conn"):
        send(f"http://127.0.0.1:{port}")


def test_a_host_that_breaks_off_in_the_middle() -> None:
    half = b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\nhalf"
    with listener(reply=half) as port, pytest.raises(okta.ConnectionLostException, match="before its answer was compl"):
        send(f"http://127.0.0.1:{port}")


def test_a_host_that_does_not_speak_tls() -> None:
    with listener(reply=b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(okta.TlsException, match="no TLS"):
        send(f"https://127.0.0.1:{port}")


@pytest.mark.slow
def test_certificates(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusted: dict[str, object] = {"ssl_ca_cert": tmp_path / "ca.pem"}
    cases: list[tuple[str, dict[str, object], str | None]] = [
        ("127.0.0.1", trusted, None),
        ("127.0.0.1", {}, "is not trusted"),
        ("127.0.0.1", {"verify_ssl": False}, None),
        ("org.example", trusted, "is not trusted"),
        ("org.example", trusted | {"assert_hostname": False}, None),
        ("org.example", trusted | {"assert_hostname": "org.example"}, None),
        ("org.example", trusted | {"tls_server_name": "org.example"}, None),
    ]
    for name, settings, problem in cases:
        with listener(certificate(ca, name), reply=ACCEPTED) as port:
            if problem is None:
                send(f"https://127.0.0.1:{port}", **settings)
            else:
                with pytest.raises(okta.TlsException, match=problem):
                    send(f"https://127.0.0.1:{port}", **settings)


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ca.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    context = certificate(ca, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    with listener(context, reply=ACCEPTED) as port:
        send(f"https://127.0.0.1:{port}", ssl_ca_cert=tmp_path / "ca.pem", cert_file=tmp_path / "client.pem")
    with listener(context, reply=ACCEPTED) as port, pytest.raises(okta.ConnectionException):
        send(f"https://127.0.0.1:{port}", ssl_ca_cert=tmp_path / "ca.pem")


@pytest.mark.parametrize("setting", ["ssl_ca_cert", "cert_file"])
def test_a_tls_file_that_cannot_be_read(tmp_path: Path, setting: str) -> None:
    with pytest.raises(okta.ApiValueError, match="No such file"):
        send("https://127.0.0.1:1", **{setting: tmp_path / "missing.pem"})
    (tmp_path / "other.pem").write_text("not a certificate")
    with pytest.raises(okta.ApiValueError, match=f"{setting}.* cannot be used"):
        send("https://127.0.0.1:1", **{setting: tmp_path / "other.pem"})


def test_a_proxy_is_used_and_a_bad_one_named() -> None:
    with tiny_org() as (url, taken):
        send("http://org.example", proxy=url, allow_insecure_http=True)
    assert taken[0][0] == "http://org.example/api/v1/risk/events/ip"
    with pytest.raises(okta.ApiValueError, match="proxy is not a URL") as caught:
        send("https://org.example", proxy="gopher://u:s3cret@proxy")
    assert "s3cret" not in str(caught.value)


def test_the_environment_does_not_divert_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with tiny_org() as (url, taken):
        send(url)
    assert len(taken) == 1
