"""POST /risk/v1/sign-ins: evaluates one sign-in by the policy, logs it, and says what to do."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tocsin.org.http.errors import not_well_formed, validation_failed
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.views import time_text
from tocsin.org.org import Org
from tocsin.org.policy import Action
from tocsin.org.records import SignInUser
from tocsin.org.sign_ins import SignIn
from tocsin.signals import RiskLevel, ip_key, ip_text
from tocsin.signals.events import AnyIp

SIGN_INS_PATH = "/risk/v1/sign-ins"

_Text = Annotated[str, Meta(min_length=1, max_length=255)]


class AskedUser(Struct, frozen=True):
    """Who signs in."""

    login: _Text
    id: _Text | None = None
    """As the asking system keeps it; the login when it has none."""
    name: _Text | None = None
    """To show to people; the login when there is none."""


class AskedSignIn(Struct, frozen=True, rename="camel"):
    """A sign-in that is to be evaluated."""

    ip: AnyIp
    user: AskedUser
    user_agent: Annotated[str, Meta(max_length=1024)] = ""
    success: bool = True
    """Whether the asking system's own checks, such as that of a password, were passed."""


class SignInView(Struct, frozen=True, rename="camel"):
    """What to do, and why."""

    id: str
    """Of the evaluation, to find it in the log."""
    ip: str
    action: Action
    rule: str
    effective_level: RiskLevel | None
    until: str | None
    reasons: list[str]
    """What the enforcing providers said, most dangerous first."""
    seq: int
    """The journal entry that logs it."""


async def evaluate_sign_in(org: Org, exchange: Exchange) -> None:
    """200 once it is logged durably. Raises Refusal (400)."""
    asked, key = _asked(await exchange.json_body())
    user = SignInUser(asked.user.id or asked.user.login, asked.user.login, asked.user.name or asked.user.login)
    sign_in = SignIn(user=user, key=key, user_agent=asked.user_agent, success=asked.success)
    evaluated, verdict, seq = await org.sign_ins.evaluate(sign_in, deed=exchange.deed())
    view = SignInView(
        id=evaluated.id,
        ip=ip_text(key),
        action=evaluated.action,
        rule=evaluated.rule,
        effective_level=evaluated.effective_level,
        until=None if verdict.until_ms is None else time_text(verdict.until_ms),
        reasons=[word.message for word in evaluated.partners if word.message],
        seq=seq,
    )
    await exchange.answer(200, msgspec.json.encode(view))


def _asked(body: bytes) -> tuple[AskedSignIn, bytes]:
    try:
        asked = msgspec.json.decode(body, type=AskedSignIn)
    except msgspec.ValidationError as error:
        raise validation_failed("signIn", [str(error)]) from None
    except msgspec.MsgspecError:
        raise not_well_formed() from None
    try:
        return asked, ip_key(asked.ip)
    except ValueError as error:
        raise validation_failed("ip", [f"ip: {error}"]) from None
