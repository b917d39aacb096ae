from ipaddress import ip_address, ip_network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.org.policy import Action, Policy, Rules
from tocsin.signals import RiskLevel, ip_key

DEFAULT = Rules(Policy())
NETWORKS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).flatmap(
    lambda ip: st.integers(0, ip.max_prefixlen).map(lambda length: str(ip_network((ip, length), strict=False)))
)


def test_each_level_has_its_action_and_all_else_is_allowed() -> None:
    key = ip_key("203.0.113.9")
    assert [DEFAULT.rule_on(key, level).action for level in (*RiskLevel, None)] == [
        Action.DENY,
        Action.CHALLENGE,
        Action.ALLOW,
        Action.ALLOW,
    ]
    assert DEFAULT.rule_on(key, RiskLevel.HIGH).rule == "level HIGH"
    assert DEFAULT.rule_on(key, None).rule == "default"


def test_an_always_allowed_network_wins_over_any_level() -> None:
    rules = Rules(Policy(allowed=["203.0.113.0/24", "203.0.113.9", "2001:db8::/32"]))
    assert rules.rule_on(ip_key("203.0.113.9"), RiskLevel.HIGH).rule == "allowed 203.0.113.9"
    assert rules.rule_on(ip_key("203.0.113.10"), RiskLevel.HIGH).rule == "allowed 203.0.113.0/24"
    assert rules.rule_on(ip_key("2001:db8::7"), RiskLevel.HIGH).action is Action.ALLOW
    assert rules.rule_on(ip_key("203.0.114.1"), RiskLevel.HIGH).action is Action.DENY


@given(st.lists(NETWORKS, max_size=5), st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_allowed_networks_are_those_that_hold_the_address(networks: list[str], ip: object) -> None:
    text = str(ip)
    if text.lower().startswith("::ffff:"):
        return  # one address with two spellings: `signals.ip`
    inside = any(
        ip_address(text) in ip_network(n) for n in networks if ip_network(n).version == ip_address(text).version
    ) or (ip_address(text).version == 4 and any(ip_address("::ffff:" + text) in ip_network(n) for n in networks))
    assert (Rules(Policy(allowed=networks)).allowed_by(ip_key(text)) is not None) == inside


@pytest.mark.parametrize(
    "body",
    [
        '{"high":"block"}',
        '{"allowed":["203.0.113.9/24"]}',
        '{"allowed":["x"]}',
        '{"crowdsec":{"deny":"Ban it"}}',
        '{"hihg":"deny"}',
    ],
)
def test_what_is_no_policy(body: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=Policy)
