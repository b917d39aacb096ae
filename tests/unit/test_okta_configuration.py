"""Configuration: hosts, credentials, copies, and no secret in anything printed."""

import copy
import logging

import pytest

from tocsin import okta

SECRET = "00aVeryLongSecret"  # not one


def test_the_default_host_is_the_one_of_the_page() -> None:
    assert okta.Configuration().host == "https://subdomain.okta.com"
    assert okta.Configuration(host="https://org.example").host == "https://org.example"


def test_hosts_are_chosen_and_filled_from_the_settings() -> None:
    configuration = okta.Configuration(server_variables={"yourOktaDomain": "acme.okta.com"})
    assert configuration.host == "https://acme.okta.com"
    configuration.host = "https://org.example"
    assert configuration.host == "https://org.example"
    configuration.server_operation_index = {"RiskEventApi.send_risk_events": 0}
    assert configuration.host_for("RiskEventApi.send_risk_events") == "https://acme.okta.com"
    assert configuration.host_for("RiskProviderApi.list_risk_providers") == "https://org.example"
    with pytest.raises(okta.ApiValueError, match="no host setting 7"):
        configuration.get_host_from_settings(7)


def test_a_variable_with_listed_values_takes_no_other() -> None:
    servers = [{"url": "https://{cell}.example", "variables": {"cell": {"default_value": "eu", "enum_values": ["eu"]}}}]
    assert okta.Configuration().get_host_from_settings(0, servers=servers) == "https://eu.example"
    with pytest.raises(okta.ApiValueError, match="'us' is not allowed for cell"):
        okta.Configuration().get_host_from_settings(0, {"cell": "us"}, servers)


def test_an_api_token_has_the_prefix_ssws_unless_another_is_set() -> None:
    configuration = okta.Configuration(api_key={"apiToken": "t"})
    assert configuration.get_api_key_with_prefix("apiToken") == "SSWS t"
    configuration.api_key_prefix["apiToken"] = "Bearer"
    assert configuration.get_api_key_with_prefix("apiToken") == "Bearer t"
    assert configuration.get_api_key_with_prefix("other") is None
    assert configuration.get_api_key_with_prefix("other", alias="apiToken") == "t"


def test_the_hook_may_change_a_key_before_it_is_read() -> None:
    configuration = okta.Configuration()
    configuration.refresh_api_key_hook = lambda c: c.api_key.update(apiToken="fresh")
    assert configuration.auth_settings()["apiToken"]["value"] == "SSWS fresh"


def test_nothing_printed_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    configuration = okta.Configuration(
        api_key={"apiToken": SECRET},
        access_token=SECRET,
        password=SECRET,
        proxy=f"http://user:{SECRET}@proxy.example:3128",
        proxy_headers={"Proxy-Authorization": SECRET},
    )
    assert SECRET not in repr(configuration) + configuration.to_debug_report()
    assert "proxy.example:3128" in repr(configuration)
    configuration.host = f"https://user:{SECRET}@org.example"
    assert SECRET not in repr(configuration)


def test_a_deep_copy_is_its_own() -> None:
    source = _Source()
    first = okta.Configuration(api_key={"apiToken": "a"}, token_source=source, debug=False)
    second = copy.deepcopy(first)
    second.api_key["apiToken"] = "b"
    assert first.api_key == {"apiToken": "a"}
    assert second.token_source is source


def test_the_default_instance_can_be_set() -> None:
    mine = okta.Configuration(host="https://org.example")
    try:
        okta.Configuration.set_default(mine)
        assert okta.Configuration.get_default() is mine
        assert okta.ApiClient().configuration is mine
    finally:
        okta.Configuration.set_default(None)
    assert okta.Configuration.get_default_copy() is okta.Configuration.get_default()
    okta.Configuration.set_default(None)


def test_debug_turns_the_logger_on_and_off() -> None:
    logger = logging.getLogger("tocsin.okta")
    configuration = okta.Configuration(debug=True)
    assert logger.isEnabledFor(logging.DEBUG)
    configuration.debug = False
    assert not logger.isEnabledFor(logging.DEBUG)


class _Source:
    def token(self, *, renew: bool = False) -> str:
        return "t"
