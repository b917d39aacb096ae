"""How a cluster is reached: what may stand in the settings, and what is never sent in clear text or printed."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tocsin.journal import JournalError
from tocsin.journal.jetstream import JetStreamSettings, server_urls
from tocsin.journal.jetstream.settings import check_settings, credentials, tls

HERE = ("nats://127.0.0.1:4222",)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("nats://a,b:5,[::1],[::1]:7", ("nats://a:4222", "nats://b:5", "nats://[::1]:4222", "nats://[::1]:7")),
        ("tls://a, tls://b", ("tls://a:4222", "tls://b:4222")),
        ("localhost", ("nats://localhost:4222",)),
    ],
)
def test_servers_are_listed_with_one_scheme(text: str, urls: tuple[str, ...]) -> None:
    assert server_urls(text) == urls


@pytest.mark.parametrize("text", ["", "nats://", "http://a", "nats://,"])
def test_what_names_no_server_is_told(text: str) -> None:
    with pytest.raises(JournalError, match="names no NATS server"):
        server_urls(text)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (JetStreamSettings(servers=()), "no NATS server is named"),
        (JetStreamSettings(servers=("nats://10.0.0.1:4222",)), "10.0.0.1 is not asked in clear text"),
        (JetStreamSettings(servers=(*HERE, "nats://example.com:4222")), "example.com is not asked in clear text"),
        (JetStreamSettings(servers=("tls://me:s3cr3t@example.com:4222",)), "holds a user or a secret"),
        (JetStreamSettings(servers=("tls://example.com",)), "not named by a URL"),
        (JetStreamSettings(servers=("ws://127.0.0.1:80",)), "not named by a URL"),
        (JetStreamSettings(servers=("nats://127.0.0.1:x",)), "not named by a URL"),
        (JetStreamSettings(servers=HERE, nkey_file="a", credentials_file="b"), "exclude each other"),
        (JetStreamSettings(servers=HERE, user="a"), "belong together"),
        (JetStreamSettings(servers=HERE, cert_file="a"), "belong together"),
    ],
)
def test_settings_that_cannot_be_are_told_in_a_line(settings: JetStreamSettings, told: str) -> None:
    with pytest.raises(JournalError, match=told) as caught:
        check_settings(settings)
    assert caught.value.hint
    assert "s3cr3t" not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize("server", ["tls://example.com:4222", "nats://localhost:4222", "nats://[::1]:4222"])
def test_tls_or_loopback_is_good(server: str) -> None:
    check_settings(JetStreamSettings(servers=(server,)))


@pytest.mark.parametrize("what", ["credentials_file", "nkey_file", "password_file", "ca_file", "cert_file"])
def test_a_file_that_is_not_there_or_something_else_is_named(tmp_path: Path, what: str) -> None:
    wrong = tmp_path / "wrong"
    for content in (None, "SUnothing", "\x00"):
        if content is not None:
            wrong.write_text(content)
        given = {what: str(wrong)} | ({"user": "u"} if what == "password_file" else {})
        given |= {"key_file": str(wrong)} if what == "cert_file" else {}
        settings = msgspec.convert({"servers": ["tls://example.com:4222"], **given}, JetStreamSettings)
        if what == "password_file" and content is not None:
            continue  # whatever is in there may be a password
        with pytest.raises(JournalError, match=what) as caught:
            _ = credentials(settings), tls(settings)
        assert str(wrong) in str(caught.value)
        assert "SUnothing" not in str(caught.value)


def test_settings_tell_no_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cr3t\n")
    settings = JetStreamSettings(servers=HERE, user="me", password_file=str(tmp_path / "password"))
    assert credentials(settings) == {"user": "me", "password": "s3cr3t"}
    assert "s3cr3t" not in repr(settings)


def test_who_does_not_use_it_needs_no_extra() -> None:
    code = (
        "import asyncio, sys\n"
        "import tocsin.journal.jetstream as js\n"
        "assert not {'nats', 'nkeys'} & set(sys.modules)\n"
        "sys.modules['nats'] = None\n"
        "try:\n"
        "    asyncio.run(js.JetStreamConnection.open(js.JetStreamSettings(servers=('nats://127.0.0.1:4222',))))\n"
        "except js.connection.JournalError as error:\n"
        "    print(error, '|', error.hint)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "nats-py, which speaks to NATS, is not installed | install it with the extra: tocsin[nats]\n"
