"""GET and PUT /risk/v1/policy: what the org does about each level, and who said so."""

import msgspec
from msgspec import Struct

from tocsin.org.http.errors import validation_failed
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.views import time_text
from tocsin.org.org import Org
from tocsin.org.policies import StandingPolicy
from tocsin.org.policy import Policy
from tocsin.org.records import AuthorKind

POLICY_PATH = "/risk/v1/policy"


class AuthorView(Struct, frozen=True):
    """Who set it; `org` for what the configuration says."""

    kind: AuthorKind
    id: str
    name: str


class PolicyView(Struct, frozen=True, rename="camel"):
    """The policy that holds. Author and time are null for the default, which nobody set."""

    policy: Policy
    set_by: AuthorView | None
    set_at: str | None
    seq: int
    """The journal entry it came with; 0 for the default."""


async def tell_policy(org: Org, exchange: Exchange) -> None:
    """200 with the policy that holds."""
    await exchange.answer(200, msgspec.json.encode(_view(org.policy.standing)))


async def replace_policy(org: Org, exchange: Exchange) -> None:
    """200 with the new policy, once it is durable and holds. Raises Refusal (400), which names what is wrong."""
    body = await exchange.json_body()
    try:
        policy = msgspec.json.decode(body, type=Policy)
    except msgspec.MsgspecError as error:
        raise validation_failed("policy", [str(error)]) from None
    await exchange.answer(200, msgspec.json.encode(_view(await org.policy.replace(policy, deed=exchange.deed()))))


def _view(standing: StandingPolicy) -> PolicyView:
    author = standing.author
    return PolicyView(
        policy=standing.policy,
        set_by=None if author is None else AuthorView(author.kind, author.id, author.name),
        set_at=None if standing.at_ms is None else time_text(standing.at_ms),
        seq=standing.seq,
    )
