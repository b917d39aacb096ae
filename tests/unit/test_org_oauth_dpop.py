"""Every refusal of a DPoP proof, in its own words; and nonces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from support.oauth import ec_key, hash_of, jwk_of, proof, rsa_key, sign
from tocsin.org.oauth.dpop import Proof, check_binding, check_proof, only_one
from tocsin.org.oauth.nonce import is_good, nonce_at
from tocsin.org.oauth.proofs import UsedProofs
from tocsin.org.oauth.refusals import OAuthRefused

NOW = 1_770_000_000.0
URL = "https://org.example/api/v1/risk/events/ip"
INVALID = "The DPoP proof JWT is invalid."


def made(**claims: Any) -> str:
    return proof(claims.pop("key", ec_key()), claims.pop("url", URL), now=NOW, **claims)


def check(text: str, *, skew_s: int = 0) -> Proof:
    return check_proof(text, method="POST", url=URL, now=NOW, skew_s=skew_s)


def claim(name: str) -> str:
    return f"'{name}' claim in the DPoP proof JWT is invalid."


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: "", INVALID),
        (lambda: "a.b.c", INVALID),
        (lambda: sign({"alg": "ES256", "typ": "dpop+jwt"}, {"htm": "POST"}, ec_key()), INVALID),
        (lambda: made(alg="HS256", key=OctKey.generate_key(), jwk=jwk_of(ec_key())), INVALID),
        (lambda: made(jwk=ec_key().as_dict(private=True)), INVALID),
        (lambda: made(jwk={"kty": "oct", "k": "AA"}), INVALID),
        (lambda: made(jwk={**jwk_of(ec_key()), "x": "AAAA"}), INVALID),
        (lambda: made(jwk=jwk_of(rsa_key())), INVALID),
        (lambda: made(key=ec_key(0, "P-384"), alg="ES384", jwk=jwk_of(ec_key())), INVALID),
        (lambda: made(typ="JWT"), "'typ' must be 'dpop+jwt' in the DPoP proof JWT."),
        (lambda: made(jwk=jwk_of(ec_key(1))), "The DPoP proof JWT signature is invalid."),
        (lambda: made(htm="GET"), claim("htm")),
        (lambda: made(htm=None), claim("htm")),
        (lambda: made(htm="post"), claim("htm")),
        (lambda: made(htu=None), claim("htu")),
        (lambda: made(url="https://org.example/api/v1/risk/events"), claim("htu")),
        (lambda: made(url="http://org.example/api/v1/risk/events/ip"), claim("htu")),
        (lambda: made(url="https://org.example:444/api/v1/risk/events/ip"), claim("htu")),
        (lambda: made(url="https://[/"), claim("htu")),
        (lambda: made(iat=None), claim("iat")),
        (lambda: made(iat="now"), claim("iat")),
        (lambda: made(iat=True), claim("iat")),
        (lambda: made(jti=None), claim("jti")),
        (lambda: made(jti=""), claim("jti")),
        (lambda: made(jti=7), claim("jti")),
        (lambda: made(iat=int(NOW) + 1), "The DPoP proof JWT is issued in the future."),
        (lambda: made(iat=int(NOW) - 301), "The DPoP proof JWT is issued more than five minutes in the past."),
    ],
)
def test_what_is_refused_and_in_which_words(make: Callable[[], str], text: str) -> None:
    with pytest.raises(OAuthRefused) as caught:
        check(make())
    refused = caught.value
    assert (refused.status, refused.error, refused.description) == (400, "invalid_dpop_proof", text)


@pytest.mark.parametrize(
    "claims",
    [
        {"key": rsa_key()},
        {"key": rsa_key(), "alg": "RS512"},
        {"key": ec_key(0, "P-384"), "alg": "ES384"},
        {"key": ec_key(0, "P-521"), "alg": "ES512"},
        {"url": "HTTPS://ORG.example:443/api/v1/risk/events/ip?a=b#c"},
        {"iat": int(NOW) - 300},
        {"iat": NOW - 0.5},
        {"typ": "DPOP+JWT"},
        {"other": {"deep": [1]}},
    ],
)
def test_what_is_taken(claims: dict[str, Any]) -> None:
    key = claims.get("key", ec_key())
    assert check(made(**claims)).thumbprint == key.thumbprint()


def test_a_clock_that_is_ahead_may_be_forgiven() -> None:
    assert check(made(iat=int(NOW) + 5), skew_s=5)
    with pytest.raises(OAuthRefused, match="future"):
        check(made(iat=int(NOW) + 6), skew_s=5)


def test_one_proof_in_one_header() -> None:
    assert only_one([]) is None
    assert only_one([" a.b.c "]) == "a.b.c"
    for headers in (["a", "b"], ["a,b"], ["a, b"]):
        with pytest.raises(OAuthRefused, match="Multiple DPoP proof JWT headers are not allowed"):
            only_one(headers)


def test_a_proof_goes_with_one_token_and_one_key() -> None:
    mine = ec_key().thumbprint()
    check_binding(check(made(ath=hash_of("t"))), access_token="t", thumbprint=mine)
    for ath in (None, hash_of("u"), 7, "é"):
        with pytest.raises(OAuthRefused, match="'ath' claim in the DPoP proof JWT does not match the presented access"):
            check_binding(check(made(ath=ath)), access_token="t", thumbprint=mine)
    with pytest.raises(OAuthRefused, match="The access_token is not bound to the provided DPoP proof"):
        check_binding(check(made(ath=hash_of("t"), key=ec_key(1))), access_token="t", thumbprint=mine)


def test_the_same_jti_of_another_key_is_another_proof() -> None:
    one, same, other = (check(made(jti="j", key=ec_key(number))) for number in (0, 0, 1))
    assert one.digest == same.digest != other.digest


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_is_more_than_refused(text: str) -> None:
    with pytest.raises(OAuthRefused) as caught:
        check(text)
    assert caught.value.description == INVALID


def test_a_nonce_is_renewed_each_day_and_works_three() -> None:
    secret, day = b"s" * 32, 24 * 3600.0
    nonce = nonce_at(secret, NOW)
    assert len(nonce) == 32
    midnight = NOW // day * day
    assert nonce_at(secret, midnight) == nonce != nonce_at(secret, midnight + day)
    assert is_good(secret, nonce, midnight)
    assert is_good(secret, nonce, midnight + 3 * day - 1)
    assert not is_good(secret, nonce, midnight + 3 * day)
    assert not is_good(secret, nonce, midnight - 1)
    assert not is_good(b"t" * 32, nonce, NOW)


async def used(path: Path, text: str, *, now: float = NOW, boot: str = "one") -> bool:
    boot_id = path.with_name("boot_id")
    boot_id.write_text(boot)
    store = UsedProofs(path, now=now, boot_id=boot_id)
    try:
        return not await store.use(check(text, skew_s=60), now=now)
    finally:
        store.close()


async def test_a_proof_works_once_also_when_the_store_was_closed_between(tmp_path: Path) -> None:
    path, text = tmp_path / "proofs.db", made()
    assert not await used(path, text)
    assert await used(path, text, now=NOW + 1)
    assert not await used(path, made(), now=NOW + 1)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_without_its_file_what_was_made_before_counts_as_used(tmp_path: Path) -> None:
    path = tmp_path / "proofs.db"
    assert not await used(path, made())
    path.unlink()
    assert await used(path, made(), now=NOW + 10)
    assert not await used(path, made(iat=int(NOW) + 10), now=NOW + 10)
    path.unlink()
    assert not await used(path, made(iat=int(NOW) + 20), now=NOW + 20.7)  # whole seconds, told in the one of the start


async def test_after_a_crash_of_the_machine_what_was_made_before_counts_as_used(tmp_path: Path) -> None:
    path = tmp_path / "proofs.db"
    assert not await used(path, made(iat=int(NOW) - 100), now=NOW - 100)
    assert not await used(path, made())
    path.with_suffix(".boot").write_text("one")  # as it is while the store is in use
    assert await used(path, made(), now=NOW + 10, boot="two")
    assert not await used(path, made(iat=int(NOW) + 11), now=NOW + 11, boot="two")


async def test_what_is_used_up_is_forgotten_once_it_is_not_good_any_more(tmp_path: Path) -> None:
    store = UsedProofs(tmp_path / "proofs.db", now=NOW - 10)
    for number in range(200):
        assert await store.use(Proof("k", f"{number}".encode(), NOW, None, None), now=NOW)
    for number in range(200, 456):
        later = NOW + 500 + number
        assert await store.use(Proof("k", f"{number}".encode(), later, None, None), now=later)
    assert len(store) <= 300
    store.close()
