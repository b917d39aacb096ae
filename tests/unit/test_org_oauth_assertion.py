"""Every refusal of a client assertion, in its own words."""

import base64
import hmac
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.oauth import assertion, ec_key, jwk_of, rsa_key, sign
from tocsin.org.oauth.assertion import AUTHENTICATION_FAILED, Assertion, check_assertion, named_client
from tocsin.org.oauth.jose import Jwk, read_jwk
from tocsin.org.oauth.refusals import OAuthRefused

NOW = 1_770_000_000.0
URL = "https://org.example/oauth2/v1/token"
ME = "0oaMe"


class App(NamedTuple):
    auth_method: str
    keys: tuple[Jwk, ...]


APPS = {
    ME: App("private_key_jwt", (read_jwk(jwk_of(rsa_key(), kid="a")), read_jwk(jwk_of(ec_key(), kid="b")))),
    "0oaOne": App("private_key_jwt", (read_jwk(jwk_of(rsa_key())),)),
    "0oaAlg": App("private_key_jwt", (read_jwk(jwk_of(rsa_key(), alg="RS512")),)),
    "0oaEnc": App("private_key_jwt", (read_jwk(jwk_of(rsa_key(), use="enc")),)),
    "0oaKeyless": App("private_key_jwt", ()),
    "0oaSecret": App("client_secret_basic", (read_jwk(jwk_of(rsa_key())),)),
}


def check(text: str, *, now: float = NOW, skew_s: int = 0) -> Assertion:
    return check_assertion(text, APPS.get, audience=URL, now=now, skew_s=skew_s)


def made(client_id: str = ME, **claims: Any) -> str:
    key = claims.pop("key", rsa_key())
    if client_id == ME:
        claims.setdefault("kid", "a")
    if claims.get("kid", "") is None:
        del claims["kid"]
    return assertion(client_id, claims.pop("audience", URL), key, now=NOW, **claims)


def with_header(header: bytes) -> str:
    """A good assertion under another header."""
    return f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.{made().split('.', 1)[1]}"


def with_public_key_as_secret() -> str:
    """The old trick: HS256, and what everybody knows as its secret. joserfc would not do that, so by hand."""
    signed = with_header(b'{"alg":"HS256","kid":"a"}').rsplit(".", 1)[0]
    mac = hmac.digest(rsa_key().as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


PARSING = "The parsing of the client_assertion failed."
ALGORITHM = "The client_assertion JWT signature algorithm is invalid."
ISSUER = "The issuer claim for client_assertion is not a valid client_id."
SUBJECT = "The subject claim for client_assertion is not a valid client_id."
KID = "The client_assertion JWT kid is invalid."
SIGNATURE = "The client_assertion signature is invalid."
AUDIENCE = "The audience claim for client_assertion must be the endpoint invoked for the request."
EXP = "The client_assertion must contain the 'exp' claim as seconds since epoch."
EXPIRED = "The client_assertion token is expired."
TOO_FAR = "The client_assertion token has an expiration too far into the future."
EARLY = "The client_assertion token must be issued before the current time."
KEYLESS = "The client does not have a JWKSet configured, but the client_assertion requires one."
IN = int(NOW)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: "", PARSING),
        (lambda: "a.b.c", PARSING),
        (lambda: "é.e30.e30", PARSING),
        (lambda: "x" * 20_000, PARSING),
        (lambda: made().rsplit(".", 1)[0], PARSING),
        (lambda: sign({"alg": "RS256"}, b"[1]", rsa_key()), PARSING),
        (lambda: sign({"alg": "RS256"}, b"[" * 5_000, rsa_key()), PARSING),
        (lambda: made(jti=7), PARSING),
        (lambda: with_header(b'{"alg":"RS256","crit":["exp"],"exp":1}'), PARSING),
        (lambda: with_header(b'{"alg":"RS256","b64":false,"crit":["b64"]}'), PARSING),
        (lambda: with_header(b'{"kid":"a"}'), PARSING),
        (lambda: with_header(b"[" * 2_000), PARSING),
        (lambda: with_header(b'{"alg":"none","kid":"a"}').rsplit(".", 1)[0] + ".", ALGORITHM),
        (with_public_key_as_secret, ALGORITHM),
        (lambda: made(alg="PS256"), ALGORITHM),
        (lambda: made(kid="b"), ALGORITHM),
        (lambda: made(alg="ES256", key=ec_key(), kid="a"), ALGORITHM),
        (lambda: made("0oaAlg"), ALGORITHM),
        (lambda: made("0oaEnc"), ALGORITHM),
        (lambda: made("0oaNobody"), ISSUER),
        (lambda: made(iss=None), ISSUER),
        (lambda: made(iss=["0oaMe"]), ISSUER),
        (lambda: made(sub=None), SUBJECT),
        (lambda: made(sub="0oaOne"), SUBJECT),
        (lambda: made("0oaKeyless"), KEYLESS),
        (lambda: made("0oaSecret"), AUTHENTICATION_FAILED),
        (lambda: made(kid="z"), KID),
        (lambda: made(kid=None), KID),
        (lambda: made(key=rsa_key(1)), SIGNATURE),
        (lambda: made()[:-8] + "AAAAAAAA", SIGNATURE),
        (lambda: made(key=rsa_key(1), exp=IN - 1, audience="https://elsewhere"), SIGNATURE),
        (lambda: made(audience="https://org.example"), AUDIENCE),
        (lambda: made(aud=None), AUDIENCE),
        (lambda: made(aud=7), AUDIENCE),
        (lambda: made(exp=None), EXP),
        (lambda: made(exp=str(IN + 60)), EXP),
        (lambda: made(exp=NOW + 60.5), EXP),
        (lambda: made(exp=True), EXP),
        (lambda: made(exp=IN), EXPIRED),
        (lambda: made(exp=IN - 60), EXPIRED),
        (lambda: made(exp=IN + 3601), TOO_FAR),
        (lambda: made(exp=(IN + 60) * 1000), TOO_FAR),
        (lambda: made(iat=IN + 1), EARLY),
        (lambda: made(iat="now"), EARLY),
        (lambda: made(nbf=IN + 1), EARLY),
    ],
)
def test_what_is_refused_and_in_which_words(make: Callable[[], str], text: str) -> None:
    with pytest.raises(OAuthRefused) as caught:
        check(make())
    refused = caught.value
    assert (refused.status, refused.error, refused.description) == (401, "invalid_client", text)


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512"])
def test_what_is_taken(alg: str) -> None:
    found = check(made(alg=alg, exp=IN + 3600, jti="once"))
    assert (found.client_id, found.expires_s) == (ME, IN + 3600)
    assert found.jti_sha256 is not None
    assert found.jti_sha256 == check(made(jti="once")).jti_sha256 != check(made(jti="twice")).jti_sha256


def test_a_kid_may_be_left_out_where_there_is_one_key_and_a_jti_and_iat_always() -> None:
    assert check(made("0oaOne", jti=None, iat=None)).jti_sha256 is None
    assert check(made(alg="ES256", key=ec_key(), kid="b", aud=["https://other", URL])).client_id == ME


def test_a_skew_is_allowed_on_both_ends_and_no_more() -> None:
    for text in (made(exp=IN - 29), made(exp=IN + 3630), made(iat=IN + 30)):
        assert check(text, skew_s=30).client_id == ME
    for text in (made(exp=IN - 30), made(exp=IN + 3631), made(iat=IN + 31)):
        with pytest.raises(OAuthRefused):
            check(text, skew_s=30)


def test_whom_an_assertion_names_is_read_and_not_believed() -> None:
    assert named_client(made(key=rsa_key(1))) == ME
    assert named_client(made(iss=7)) is None
    assert named_client("nonsense") is None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_is_more_than_refused(text: str) -> None:
    with pytest.raises(OAuthRefused, match="parsing"):
        check(text)


@given(st.integers(0, 2), st.integers(0, 400), st.integers(0, 255))
def test_one_changed_character_opens_nothing(part: int, place: int, code: int) -> None:
    parts = made("0oaOne", jti="fixed").split(".")
    text = parts[part]
    place %= len(text) - 2  # the last character may hold bits that mean nothing
    if text[place] == chr(code):
        return
    parts[part] = text[:place] + chr(code) + text[place + 1 :]
    with pytest.raises(OAuthRefused):
        check(".".join(parts))
