"""Risk providers on the wire, levels and actions."""

import msgspec
import pytest

from tocsin.signals import InvalidSignals, RiskLevel, RiskProvider, RiskProviderAction, decode_provider

PROVIDER = {"name": "edge-sensor", "clientId": "0oa4k2Yq8VfWn6Rsd0g7", "action": "enforce_and_log"}


def test_a_provider_is_read_and_read_only_fields_are_dropped() -> None:
    body = msgspec.json.encode(PROVIDER | {"id": "rkpX", "created": "never", "_links": 7, "unknown": True})
    assert decode_provider(body) == RiskProvider(
        name="edge-sensor", client_id="0oa4k2Yq8VfWn6Rsd0g7", action=RiskProviderAction.ENFORCE_AND_LOG
    )


def test_an_absent_action_is_log_only() -> None:
    assert decode_provider(b'{"name":"a","clientId":"b"}').action is RiskProviderAction.LOG_ONLY


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": None}, "name: is missing"),
        ({"name": " "}, "name: is missing"),
        ({"name": 7}, "name: is not a string"),
        ({"name": "x" * 51}, "name: 51 characters: at most 50 are allowed"),
        ({"name": "\x1b]0;pwn\x07"}, "name: holds a character that cannot be printed"),
        ({"clientId": ""}, "clientId: is missing"),
        ({"clientId": "x" * 256}, "clientId: 256 characters: at most 255 are allowed"),
        ({"action": "ENFORCE"}, "action: 'ENFORCE' is not none, log_only or enforce_and_log"),
    ],
)
def test_a_broken_provider_is_refused_with_the_place(change: dict[str, object], text: str) -> None:
    with pytest.raises(InvalidSignals) as caught:
        decode_provider(msgspec.json.encode(PROVIDER | change))
    assert [str(problem) for problem in caught.value.problems] == [text]


def test_a_list_is_no_provider() -> None:
    with pytest.raises(InvalidSignals, match="is not a risk provider"):
        decode_provider(b"[]")


def test_levels_compare_by_severity() -> None:
    assert max(RiskLevel, key=lambda level: level.severity) is RiskLevel.HIGH
    assert [RiskLevel.of_severity(level.severity) for level in RiskLevel] == list(RiskLevel)
    with pytest.raises(ValueError, match="0 is not the severity"):
        RiskLevel.of_severity(0)
