"""Records of the policy."""

from msgspec import Struct

from tocsin.org.policy import Policy
from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed

POLICY_TOPIC = DIRECTORY_BRANCH + "policy"


class PolicyReplaced(Struct, frozen=True, tag_field="t", tag="policy.replaced"):
    """From now on this is the policy."""

    deed: Deed
    policy: Policy


PolicyRecord = PolicyReplaced
