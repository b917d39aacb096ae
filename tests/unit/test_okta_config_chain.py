"""Settings from okta.yaml and the environment: which wins, what goes together, and how a mistake is named."""

import re
from pathlib import Path
from typing import Any

import pytest

from tocsin import okta
from tocsin.okta.config_chain import chained_settings
from tocsin.okta.config_keys import KEYS

ORG = {"OKTA_CLIENT_ORGURL": "https://org.example"}
APP = {"OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_SCOPES": "a, b", "OKTA_CLIENT_PRIVATEKEY": "key.pem"}
TOKEN = {"OKTA_CLIENT_TOKEN": "t0ken"}


class Places:
    """A home and a current directory, and what is found from there."""

    def __init__(self, folder: Path) -> None:
        self.home, self.directory = folder / "home", folder / "project"
        (self.home / ".okta").mkdir(parents=True)
        self.directory.mkdir()

    def write(self, where: str, text: str) -> None:
        path = self.directory / "okta.yaml" if where == "project" else self.home / ".okta" / "okta.yaml"
        path.write_text(text)

    def find(self, environment: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
        return chained_settings(given, environment=environment or {}, home=self.home, directory=self.directory)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def client_yaml(*lines: str) -> str:
    return "okta:\n  client:\n" + "".join(f"    {line}\n" for line in lines)


# -- which wins


def test_the_nearer_place_wins_key_by_key(places: Places) -> None:
    places.write(
        "home", client_yaml("orgUrl: https://home.example", "connectionTimeout: 1", "rateLimit: {maxRetries: 1}")
    )
    places.write("project", client_yaml("orgUrl: https://project.example", "connectionTimeout: 2"))
    environment = ORG | TOKEN
    assert places.find(environment) == {
        "host": "https://org.example", "api_key": {"apiToken": "t0ken"}, "timeout_s": (2.0, 60.0), "retries": 1,
    }  # fmt: skip
    mine = {"host": "https://given.example", "access_token": "mine"}
    assert places.find(environment, **mine) == {"timeout_s": (2.0, 60.0), "retries": 1} | mine
    assert places.find(environment, retries=7)["retries"] == 7
    assert places.find(TOKEN)["host"] == "https://project.example"
    (places.directory / "okta.yaml").unlink()
    assert places.find(TOKEN)["host"] == "https://home.example"


def test_every_key_is_read_from_both(places: Places) -> None:
    texts = {
        "orgUrl": "https://org.example", "authorizationMode": "privatekey", "token": "unused", "clientId": "0oa1",
        "scopes": "a,b c", "privateKey": "key.pem", "kid": "k-1", "dpopEnabled": "true", "connectionTimeout": "3",
        "requestTimeout": "4.5", "rateLimit.maxRetries": "5", "rateLimit.maxRequestSeconds": "6",
        "proxy.host": "proxy.example", "proxy.port": "3128", "proxy.username": "u", "proxy.password": "p/w",
    }  # fmt: skip
    expected = {
        "host": "https://org.example", "client_id": "0oa1", "scopes": ["a", "b", "c"], "private_key": "key.pem",
        "private_key_id": "k-1", "dpop": True, "timeout_s": (3.0, 4.5), "retries": 5, "max_retry_wait_s": 6.0,
        "proxy": "http://u:p%2Fw@proxy.example:3128",
    }  # fmt: skip
    assert set(texts) == {key.path for key in KEYS}
    assert places.find({key.variable: texts[key.path] for key in KEYS}) == expected
    nested = "okta:\n  client:\n    scopes: [a, b, c]\n    rateLimit: {maxRetries: 5, maxRequestSeconds: 6}\n"
    nested += "    proxy: {host: proxy.example, port: 3128, username: u, password: p/w}\n"
    flat = {name: text for name, text in texts.items() if "." not in name and name != "scopes"}
    places.write("home", nested + "".join(f"    {name}: {text}\n" for name, text in flat.items()))
    assert places.find() == expected


@pytest.mark.parametrize(
    "other",
    [
        {"OKTA_CLIENT_RATE_LIMIT_MAX_RETRIES": "3", "OKTA_CLIENT_PRIVATEKEYID": "k"},
        {"OKTA_CLIENT_RATELIMIT_MAXRETRIES": "3", "OKTA_CLIENT_KEY_ID": "k"},
    ],
)
def test_the_spellings_of_other_sdks_are_read(places: Places, other: dict[str, str]) -> None:
    found = places.find(ORG | APP | other)
    assert (found["retries"], found["private_key_id"]) == (3, "k")


def test_a_jwk_may_stand_in_the_file(places: Places) -> None:
    places.write("project", client_yaml("privateKey: {kty: RSA, kid: k-1}", "clientId: 0oa1", "scopes: a"))
    assert places.find(ORG)["private_key"] == {"kty": "RSA", "kid": "k-1"}


def test_what_is_for_other_sdks_is_passed_over(places: Places) -> None:
    places.write("project", client_yaml("cache: {enabled: true}", "userAgent: x") + "  idx: {issuer: y}\nother: 1\n")
    places.write("home", "")
    assert places.find(ORG | TOKEN | {"OKTA_CLIENT_USERAGENT": "x", "OKTA_CLIENT_PROXY_HOST": ""}) == {
        "host": "https://org.example", "api_key": {"apiToken": "t0ken"},
    }  # fmt: skip


# -- which credential


@pytest.mark.parametrize(
    ("environment", "project", "names"),
    [
        (TOKEN | APP, [], {"api_key"}),
        (TOKEN | APP | {"OKTA_CLIENT_AUTHORIZATIONMODE": "PrivateKey"}, [], {"client_id", "private_key", "scopes"}),
        (TOKEN | {"OKTA_CLIENT_AUTHORIZATIONMODE": "Bearer"}, [], {"access_token"}),
        (APP, ["token: t"], {"client_id", "private_key", "scopes"}),
        (TOKEN, ["clientId: 0oa1", "scopes: a", "privateKey: k"], {"api_key"}),
        ({"OKTA_CLIENT_PRIVATEKEY": "k"}, ["clientId: 0oa1", "scopes: a"], {"client_id", "private_key", "scopes"}),
        (TOKEN | APP, ["authorizationMode: PrivateKey"], {"client_id", "private_key", "scopes"}),
    ],
)
def test_one_credential_is_chosen(
    places: Places, environment: dict[str, str], project: list[str], names: set[str]
) -> None:
    places.write("project", client_yaml(*project) if project else "")
    assert set(places.find(ORG | environment)) - {"host"} == names


@pytest.mark.parametrize("given", [{"api_key": {"apiToken": "mine"}}, {"access_token": "mine"}, {"client_id": "0oa1"}])
def test_a_credential_among_the_arguments_is_never_mixed_with_another(places: Places, given: dict[str, Any]) -> None:
    assert places.find(ORG | TOKEN | APP, **given, host=None) == {"host": "https://org.example"} | given


@pytest.mark.parametrize("given", [{"host": "https://other.example"}, {}])
def test_the_credential_of_one_org_is_not_sent_to_another(places: Places, given: dict[str, Any]) -> None:
    places.write("home", client_yaml("orgUrl: https://home.example", "token: s3cret"))
    environment = {} if given else {"OKTA_CLIENT_ORGURL": "https://other.example"}
    with pytest.raises(okta.ApiValueError, match=r"token in ~/\.okta/okta\.yaml is for the org beside it") as caught:
        places.find(environment, **given)
    assert "https://home.example, and the host is https://other.example" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert places.find({"OKTA_CLIENT_ORGURL": "https://home.example/"})["api_key"] == {"apiToken": "s3cret"}


# -- mistakes


@pytest.mark.parametrize(
    ("environment", "match", "hint"),
    [
        (TOKEN, "no org is named", r"OKTA_CLIENT_ORGURL \(or orgUrl in okta.yaml\)"),
        (ORG, "no credential is named", "OKTA_CLIENT_TOKEN .* or OKTA_CLIENT_PRIVATEKEY"),
        (ORG | TOKEN | {"OKTA_CLIENT_AUTHORIZATIONMODE": "PrivateKey"},
         "OKTA_CLIENT_AUTHORIZATIONMODE is PrivateKey, and there is no clientId", "OKTA_CLIENT_CLIENTID"),
        (ORG | APP | {"OKTA_CLIENT_AUTHORIZATIONMODE": "SSWS"}, "is SSWS, and there is no token", "OKTA_CLIENT_TOKEN"),
        (ORG | TOKEN | {"OKTA_CLIENT_AUTHORIZATIONMODE": "password"},
         "OKTA_CLIENT_AUTHORIZATIONMODE cannot be used: one of SSWS, Bearer, PrivateKey is expected", "table"),
        (ORG | TOKEN | {"OKTA_CLIENT_CONNECTIONTIMEOUT": "s3cret"}, "TIMEOUT cannot be used: a number", "table"),
        (ORG | TOKEN | {"OKTA_CLIENT_REQUESTTIMEOUT": "inf"}, "a number from 0 on is expected", "table"),
        (ORG | TOKEN | {"OKTA_CLIENT_RATELIMIT_MAXRETRIES": "1.5"}, "a whole number is expected", "table"),
        (ORG | APP | {"OKTA_CLIENT_DPOPENABLED": "maybe"}, "true or false is expected", "table"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_in_the_environment_is_named(
    places: Places, environment: dict[str, str], match: str, hint: str
) -> None:
    with pytest.raises(okta.ApiValueError, match=match) as caught:
        places.find(environment)
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint is not None
    assert re.search(hint, caught.value.hint)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("okta:\n  [", r"okta\.yaml, line 2: "),
        ("okta:\n  client:\n    token: 'x\n    s3cret: y", r"okta\.yaml, line 4: "),
        (client_yaml("token: !s3cret"), r"okta\.yaml, line 3: could not determine a constructor"),
        (client_yaml("token: *s3cret"), r"okta\.yaml, line 3: found undefined alias$"),
        ("okta: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("\0", "is not YAML"),
        ("[]", "has no mapping around `okta`"),
        ("okta: []", "has no mapping around `client`"),
        ("okta: {client: 7}", "`client` is no mapping"),
        (client_yaml("token: [s3cret]"), r"token in okta\.yaml cannot be used: a text is expected"),
        (
            client_yaml("scopes: {a: b}", "token: t", "authorizationMode: PrivateKey", "clientId: 0oa1"),
            "a list of scopes",
        ),
        ("#" * 65537, "larger than 64 KiB"),
        ("okta: {a: &a [x, *a]}", "no credential"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(places: Places, text: str, match: str) -> None:
    places.write("project", text)
    with pytest.raises(okta.ApiValueError, match=match) as caught:
        places.find(ORG)
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_named(places: Places) -> None:
    (places.directory / "okta.yaml").mkdir()
    with pytest.raises(okta.ApiValueError, match=r"okta\.yaml cannot be read: Is a directory"):
        places.find(ORG)


# -- the door


def test_only_who_asks_for_it_gets_it(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.write("home", client_yaml("connectionTimeout: 4"))
    places.write("project", client_yaml("orgUrl: https://project.example"))
    monkeypatch.chdir(places.directory)
    monkeypatch.setenv("HOME", str(places.home))
    monkeypatch.setenv("OKTA_CLIENT_TOKEN", "t0ken")
    found = okta.Configuration.from_environment(retries=5)
    assert (found.host, found.api_key, found.retries) == ("https://project.example", {"apiToken": "t0ken"}, 5)
    assert found.timeout_s == (4.0, 60.0)
    plain = okta.Configuration()
    assert (plain.host, plain.api_key) == ("https://subdomain.okta.com", {})
