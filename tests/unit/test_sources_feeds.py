"""Feeds out of the network: asked for no more than needed, read whole, and nothing secret shown to anybody."""

import gzip
import io
import json
import re
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from support.web import Answer, Asked, web
from tocsin.okta.fetching import Fetched, FetchFailed, check_url, fetch
from tocsin.signals import Batch, Retraction, Signal
from tocsin.sources import Source, SourceConfig, SourceError, open_source
from tocsin.sources.inputs.feed import State
from tocsin.sources.inputs.secrets import key_of

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LIST = b"1.2.3.4\n1.2.3.5\n"


class Clock:
    """Stands still, unless a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def _source(clock: Callable[[], datetime] = Clock(), **config: Any) -> Source:  # noqa: B008 - it stands still
    source = open_source("feed", SourceConfig(**config), clock=clock)
    source._config = SourceConfig(**config, every_s=0.01)  # type: ignore[attr-defined]
    return source


async def _first(batches: AsyncIterator[Batch], count: int = 1) -> list[Batch]:
    return [await anext(batches) for _ in range(count)]


def _ips(batches: list[Batch]) -> list[str]:
    return [claim.ip for batch in batches for claim in batch.claims]


async def test_a_feed_is_read_whole_and_asked_for_only_if_it_changed() -> None:
    state = {"etag": '"1"', "body": LIST}

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == state["etag"]:
            return Answer(304)
        headers = {"etag": str(state["etag"]), "last-modified": "Mon, 05 Jan 2026 11:00:00 GMT"}
        return Answer(200, bytes(state["body"]), headers)  # type: ignore[arg-type]

    with web(answer) as far:
        batches = _source(url=f"{far.url}/lists/bad.txt").batches(b"")
        (first,) = await _first(batches)
        assert (_ips([first]), first.ends_list) == (["1.2.3.4", "1.2.3.5"], True)
        state |= {"etag": '"2"', "body": b"1.2.3.5\n"}
        (second,) = await _first(batches)
        assert _ips([second]) == ["1.2.3.5"]
        assert far.asked[1].headers["if-modified-since"] == "Mon, 05 Jan 2026 11:00:00 GMT"
        await batches.aclose()  # type: ignore[attr-defined]
        # After a restart nothing is read again, until it has changed.
        state |= {"etag": '"3"', "body": b"1.2.3.6\n"}
        (third,) = await _first(_source(url=f"{far.url}/lists/bad.txt").batches(second.position))
        assert far.asked[-1].headers["if-none-match"] == '"2"'
        assert _ips([third]) == ["1.2.3.6"]


def test_an_unchanged_list_is_read_again_before_what_it_says_runs_out() -> None:
    state = State('"1"', "", NOW.timestamp(), "abc")
    assert state.conditions(NOW + timedelta(hours=11), "abc") == {"if-none-match": '"1"'}
    assert state.conditions(NOW + timedelta(hours=13), "abc") == {}
    assert state.conditions(NOW, "other settings") == {}


async def test_a_feed_is_known_by_the_name_in_its_url_and_unpacked() -> None:
    with web(lambda _asked: Answer(200, gzip.compress(LIST))) as far:
        (batch,) = await _first(_source(url=f"{far.url}/torbulkexitlist?x=/../../y").batches(b""))
    assert {claim.message for claim in batch.claims if isinstance(claim, Signal)} == {"Tor exit"}


async def test_an_answer_that_is_none_is_said_with_what_to_do_and_loses_nothing() -> None:
    with web(lambda _asked: Answer(403)) as far, pytest.raises(SourceError, match="answered 403") as caught:
        await _first(_source(url=far.url).batches(b""))
    assert "check the key" in str(caught.value.hint)
    with pytest.raises(SourceError, match="refuses connections"):
        await _first(_source(url=far.url).batches(b""))


def _key(folder: Path, key: str = "s3cr3t") -> str:
    path = folder / "key"
    path.write_text(f"{key}\n")
    return str(path)


async def _fetched(url: str, secrets: dict[str, str] | None = None, most_bytes: int = 1000) -> tuple[Fetched, bytes]:
    into = io.BytesIO()
    return await fetch(url, into, secrets=secrets, most_bytes=most_bytes, within_s=5), into.getvalue()


async def test_redirects_are_followed_within_bounds_and_no_secret_leaves_its_origin() -> None:
    with web(lambda _asked: Answer(200, b"there")) as there:

        def answer(asked: Asked) -> Answer:
            target = {"/a": "/b", "/b": f"{there.url}/c", "/loop": "/loop"}[asked.path]
            return Answer(302, headers={"location": target})

        with web(answer) as here:
            assert (await _fetched(f"{here.url}/a"))[1] == b"there"
            assert there.asked[0].headers.get("x-api-key") is None
            with pytest.raises(FetchFailed, match="the secret is for the former"):
                await _fetched(f"{here.url}/a", {"x-api-key": "s3cr3t"})
            assert len(there.asked) == 1
            with pytest.raises(FetchFailed, match="more than 5 times"):
                await _fetched(f"{here.url}/loop")


async def test_an_endless_answer_is_left() -> None:
    with web(lambda _asked: Answer(200, b"x" * 1001)) as far, pytest.raises(FetchFailed, match="more than 1,000 bytes"):
        await _fetched(far.url)
    packed = gzip.compress(b"x" * 10_000_000)
    packs = {"content-encoding": "gzip"}
    with web(lambda _asked: Answer(200, packed, packs)) as far, pytest.raises(FetchFailed, match="20,000 bytes"):
        await _fetched(far.url, most_bytes=20_000)


async def test_a_certificate_is_verified_and_no_redirect_leads_out_of_tls(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with web(lambda _asked: Answer(200, LIST)) as clear:
        moved = {"location": f"{clear.url}/x"}
        with web(
            lambda asked: Answer(302, b"", moved) if asked.path == "/x" else Answer(200, LIST), tls=context
        ) as far:
            with pytest.raises(SourceError, match="is not trusted"):
                await _first(_source(url=far.url).batches(b""))
            known: dict[str, Any] = {"ca_file": str(tmp_path / "ca.pem"), "key_file": _key(tmp_path)}
            (batch,) = await _first(_source(url=far.url, **known).batches(b""))
            assert _ips([batch]) == ["1.2.3.4", "1.2.3.5"]
            with pytest.raises(SourceError, match="from TLS to clear text"):
                await _first(_source(url=f"{far.url}/x", ca_file=known["ca_file"]).batches(b""))
        assert clear.asked == []
    with pytest.raises(SourceError, match="ca_file"):
        await _first(_source(url="https://127.0.0.1:1", ca_file=str(tmp_path / "none")).batches(b""))


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("http://feed.example/x", True, "in clear text"),
        ("ftp://feed.example/x", False, "no http or https URL"),
        ("https://user:pass@feed.example/", False, "holds a user name"),
        ("https://feed.example:99999/", False, "no http or https URL"),
        ("//feed.example", False, "no http or https URL"),
        ("https://[feed", False, "no http or https URL"),
    ],
)
def test_urls_that_are_not_fetched(url: str, secret: bool, why: str) -> None:
    with pytest.raises(FetchFailed, match=why) as caught:
        check_url(url, secret=secret)
    assert "pass" not in str(caught.value)


def test_urls_that_are() -> None:
    for url in ("http://feed.example/x", "https://feed.example", "http://127.0.0.1:8080/"):
        check_url(url, secret=False)
    check_url("http://127.0.0.1:8080/", secret=True)


async def test_a_key_is_shown_as_a_bearer_or_as_a_password_and_a_missing_one_is_said(tmp_path: Path) -> None:
    with web(lambda _asked: Answer(200, LIST)) as far:
        await _first(_source(url=far.url, key_file=_key(tmp_path)).batches(b""))
        await _first(_source(url=far.url, key_file=_key(tmp_path), user="me").batches(b""))
        with pytest.raises(SourceError, match="NO_SUCH_KEY is empty"):
            await _first(_source(url=far.url, key_env="NO_SUCH_KEY").batches(b""))
    assert [one.headers["authorization"] for one in far.asked] == ["Bearer s3cr3t", "Basic bWU6czNjcjN0"]


def test_a_key_stands_alone_in_its_file_and_only_a_password_may_hold_a_blank(tmp_path: Path) -> None:
    blank = _key(tmp_path, "two words\n")
    assert key_of(SourceConfig(url="x", key_file=blank, user="me")) == "two words"
    for key, why in (("two words", "does not hold a token or key"), ("", "is empty"), ("kéy", "does not hold")):
        with pytest.raises(SourceError, match=why) as caught:
            key_of(SourceConfig(url="x", key_file=_key(tmp_path, key)))
        assert "words" not in str(caught.value)
    with pytest.raises(SourceError, match="Is a directory"):
        key_of(SourceConfig(url="x", key_file=str(tmp_path)))


def _decision(number: int, ip: str, duration: str = "3h59m48.5s") -> dict[str, object]:
    said = {"origin": "crowdsec", "scenario": "crowdsecurity/ssh-bf", "scope": "Ip", "type": "ban"}
    return {"id": number, "value": ip, "duration": duration, **said}


async def test_crowdsec_tells_everything_at_first_and_then_what_is_taken_back(tmp_path: Path) -> None:
    answers = iter(
        [
            {"new": [_decision(1, "1.2.3.4"), _decision(2, "1.2.3.5")], "deleted": None},
            # Ended by hand: the API says only that it is over. The second is still banned for something else.
            {
                "deleted": [_decision(1, "1.2.3.4", "-1.2s"), _decision(2, "1.2.3.5", "-1s")],
                "new": [_decision(3, "1.2.3.5")],
            },
        ]
    )
    with web(lambda _asked: Answer(200, json.dumps(next(answers)).encode())) as far:
        source = _source(crowdsec=far.url, key_file=_key(tmp_path))
        batches = source.batches(b"")
        (start, delta) = await _first(batches, 2)
        await batches.aclose()  # type: ignore[attr-defined]
    assert [one.path for one in far.asked] == [f"/v1/decisions/stream?startup={word}" for word in ("true", "false")]
    assert {one.headers["x-api-key"] for one in far.asked} == {"s3cr3t"}
    said = {claim.ip: claim for claim in start.claims if isinstance(claim, Signal)}
    assert set(said) == {"1.2.3.4", "1.2.3.5"}
    assert said["1.2.3.4"].expires == NOW + timedelta(hours=3, minutes=59, seconds=48.5)
    assert (start.ends_list, delta.ends_list) == (True, False)
    back = {claim.ip: claim.observed for claim in delta.claims if isinstance(claim, Retraction)}
    assert set(back) == {"1.2.3.4", "1.2.3.5"}
    (stands,) = (claim for claim in delta.claims if isinstance(claim, Signal))
    assert stands.ip == "1.2.3.5"
    assert stands.observed > back["1.2.3.5"], "what stands is said after what is taken back"


async def test_crowdsec_without_a_key_is_not_asked() -> None:
    with pytest.raises(SourceError, match="needs a key"):
        await _first(_source(crowdsec="http://127.0.0.1:1").batches(b""))


class Collection:
    """A TAXII server with two pages, whose objects were added in the same minute."""

    def __call__(self, asked: Asked) -> Answer:
        """See `Answer`."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}
        assert urlsplit(asked.path).path == "/api/collections/c/objects/"
        assert asked.headers["accept"] == "application/taxii+json;version=2.1"
        assert query["match[type]"] == "indicator"
        if "added_after" in query:
            return Answer(200, b"{}")
        first = "next" not in query
        ip, added = ("1.2.3.4", "2026-01-05T10:00:00Z") if first else ("1.2.3.5", "2026-01-05T10:00:01Z")
        envelope = {"more": first, "objects": [_indicator(ip)]} | ({"next": "2"} if first else {})
        return Answer(200, json.dumps(envelope).encode(), {"X-TAXII-Date-Added-Last": added})


async def test_taxii_is_read_page_by_page_and_goes_on_after_what_was_added_last() -> None:
    with web(Collection()) as far:
        source = _source(taxii=f"{far.url}/api/collections/c/")
        batches = source.batches(b"")
        pages = await _first(batches, 2)
        assert _ips(pages) == ["1.2.3.4", "1.2.3.5"]
        assert [page.position for page in pages] == [b"", b"2026-01-05T10:00:01Z"], "a crash between reads both again"
        (nothing,) = await _first(_source(taxii=f"{far.url}/api/collections/c/objects/").batches(pages[1].position))
        assert (nothing.claims, nothing.position) == ([], pages[1].position)
        assert "added_after=2026-01-05T10%3A00%3A01Z" in far.asked[-1].path


class Undated:
    """A TAXII server that does not say with its objects when they were added."""

    def __init__(self, *, manifest: bool) -> None:
        self.manifest, self.added = manifest, {"1.2.3.4": "2026-01-05T10:00:00Z", "1.2.3.5": "2026-01-05T10:00:00.5Z"}

    def __call__(self, asked: Asked) -> Answer:
        """See `Answer`."""
        place = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        assert query["match[type]"] == "indicator"
        wanted = {ip: at for ip, at in self.added.items() if _time(at) > _time(query.get("added_after", "1970-01-01"))}
        if place.path.endswith("/objects/"):
            return Answer(200, json.dumps({"more": False, "objects": [_indicator(ip) for ip in wanted]}).encode())
        if not self.manifest:
            return Answer(404, b"")
        # One record a page.
        at = int(query.get("next", 0))
        more = at + 1 < len(wanted)
        records = [{"id": f"indicator--{ip}", "date_added": wanted[ip]} for ip in [*wanted][at : at + 1]]
        envelope = {"more": more, "objects": records} | ({"next": str(at + 1)} if more else {})
        return Answer(200, json.dumps(envelope).encode())


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _indicator(ip: str) -> dict[str, object]:
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{ip}", "pattern_type": "stix",
        "pattern": f"[ipv4-addr:value = '{ip}']", "confidence": 80, "valid_from": "2026-01-05T09:00:00Z",
        "created": "2026-01-05T09:00:00Z", "modified": "2026-01-05T09:00:00Z",
    }  # fmt: skip


async def _polls(batches: AsyncIterator[Batch], server: Undated) -> list[list[str]]:
    """What each of four polls brings; one more is added before the last."""
    polls = []
    for number in range(4):
        if number == 3:
            server.added["1.2.3.9"] = "2026-01-05T11:00:00Z"
        polls.append(_ips(await _first(batches)))
    return polls


async def test_taxii_goes_on_by_the_manifest_where_objects_tell_no_dates() -> None:
    server = Undated(manifest=True)
    with web(server) as far:
        source = _source(taxii=f"{far.url}/api/collections/c/")
        both = ["1.2.3.4", "1.2.3.5"]
        # The second time the manifest is asked first, so that nothing is passed over.
        assert await _polls(source.batches(b""), server) == [both, both, [], ["1.2.3.9"]]


async def test_taxii_reads_everything_each_time_where_nothing_tells_dates() -> None:
    server = Undated(manifest=False)
    with web(server) as far:
        source = _source(taxii=f"{far.url}/api/collections/c/")
        both = ["1.2.3.4", "1.2.3.5"]
        assert await _polls(source.batches(b""), server) == [both, both, both, [*both, "1.2.3.9"]]


async def test_taxii_that_has_more_and_says_not_how_to_ask_for_it_is_said() -> None:
    envelope = json.dumps({"more": True, "objects": [_indicator("1.2.3.4")]}).encode()
    with web(lambda _asked: Answer(200, envelope)) as far:
        read, said = await _first(_source(taxii=far.url).batches(b""), 2)
    assert _ips([read]) == ["1.2.3.4"]
    assert [(str(one.reason), "there is more" in one.detail) for one in said.skipped] == [("cut_off", True)]


async def test_what_is_no_taxii_is_said() -> None:
    with web(lambda _asked: Answer(200, b"<html>")) as far, pytest.raises(SourceError, match="TAXII envelope"):
        await _first(_source(taxii=far.url).batches(b""))


def test_exactly_one_place_is_named() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "exactly one"),
        ({"path": "x", "url": "https://x"}, "exactly one"),
        ({"nats": "nats://x"}, "goes with"),
        ({"path": "x", "key_file": "a", "key_env": "B"}, "one place"),
    ]
    for config, why in wrong:
        with pytest.raises(ValueError, match=why):
            SourceConfig(**config)


async def test_no_room_for_an_answer_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    with pytest.raises(SourceError, match="cannot be written here: No such file"):
        await _first(_source(url="http://127.0.0.1:9/list").batches(b""))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"nats": "nats://bob:s3cr3t@bus.example:4222"}, "the NATS URL of bus.example holds a key"),
        ({"nats": "s3cr3t@bus.example"}, "the NATS URL of bus.example holds a key"),
        ({"nats": "nats://[s3cr3t"}, "is no URL"),
        ({"nats": "nats://bus.example", "key_env": "K"}, "not sent to bus.example in clear text"),
        ({"nats": "ws://bus.example", "key_env": "K"}, "not sent to bus.example in clear text"),
        ({"nats": "tls://bus.example", "key_env": "K"}, None),
        ({"nats": "127.0.0.1:4222", "key_env": "K"}, None),
        ({"nats": "bus.example:4222"}, None),
    ],
)
def test_a_key_of_nats_stands_in_no_url_and_goes_to_nobody_in_clear(settings: dict[str, str], why: str | None) -> None:
    config = SourceConfig(subject="alerts", **settings)  # type: ignore[arg-type]
    if why is None:
        open_source("bus", config)
        return
    with pytest.raises(SourceError, match=re.escape(why)) as refused:
        open_source("bus", config)
    assert "s3cr3t" not in str(refused.value)


async def test_the_ca_file_of_nats_is_used() -> None:
    config = SourceConfig(nats="tls://127.0.0.1:1", subject="alerts", ca_file="none.pem")
    with pytest.raises(SourceError, match=r"ca_file none\.pem cannot be used"):
        await anext(open_source("bus", config).batches(b""))
