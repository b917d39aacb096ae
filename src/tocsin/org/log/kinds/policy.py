"""Changes of the policy in the System Log. Source of the event type: Okta's catalogue."""

import msgspec

from tocsin.org.log.draft import Draft, drafted
from tocsin.org.log.event import Target
from tocsin.org.records import PolicyReplaced

POLICY_ID = "policy"
"""An org has one."""


def policy_replaced(record: PolicyReplaced) -> Draft:
    """From now on another policy holds; the target says which."""
    detail = {"policyType": "OktaSignOn", **msgspec.to_builtins(record.policy)}
    target = Target(POLICY_ID, "PolicyEntity", "unknown", "Risk policy", detail)
    return drafted(record.deed, "policy.lifecycle.update", "Update policy", target)
