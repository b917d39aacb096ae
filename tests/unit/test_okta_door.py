"""The doors: what may be imported, from where, and what an import costs."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
import typing

import pytest

import okta
import tocsin.okta


def test_the_door_lists_exactly_what_is_public() -> None:
    public = {
        name for name, value in vars(tocsin.okta).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(tocsin.okta.__all__)


def test_import_okta_gives_the_same_objects() -> None:
    for name in tocsin.okta.__all__:
        assert getattr(okta, name) is getattr(tocsin.okta, name)
    modules = {name for name in okta.__all__ if inspect.ismodule(getattr(okta, name))}
    assert set(okta.__all__) - modules == set(tocsin.okta.__all__)


@pytest.mark.parametrize("module", [found.name for found in pkgutil.walk_packages(okta.__path__, "okta.")])
def test_each_module_of_the_page_is_the_one_behind_it(module: str) -> None:
    here, behind = importlib.import_module(module), importlib.import_module(f"tocsin.{module}")
    assert here.__all__ == behind.__all__
    assert all(getattr(here, name) is getattr(behind, name) for name in here.__all__)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("okta.rest", "ApiException"),
        ("okta.models.risk_event", "RiskEvent"),
        ("okta.models.risk_event_subject", "RiskEventSubject"),
        ("okta.models.risk_event_subject_risk_level", "RiskEventSubjectRiskLevel"),
        ("okta.models.risk_provider", "RiskProvider"),
        ("okta.models.risk_provider_action", "RiskProviderAction"),
        ("okta.models.links_self", "LinksSelf"),
        ("okta.models.href_object_self_link", "HrefObjectSelfLink"),
        ("okta.models.href_object_hints", "HrefObjectHints"),
        ("okta.models.http_method", "HttpMethod"),
        ("okta.configuration", "Configuration"),
        ("okta.api_client", "ApiClient"),
        ("okta.api_response", "ApiResponse"),
        ("okta.exceptions", "ServiceException"),
        ("okta.api.risk_event_api", "RiskEventApi"),
        ("okta.api.risk_provider_api", "RiskProviderApi"),
    ],
)
def test_the_paths_printed_on_the_pages_exist(module: str, name: str) -> None:
    assert inspect.isclass(getattr(importlib.import_module(module), name))


def test_importing_does_not_load_what_only_a_call_needs() -> None:
    late = ("httpx2", "ssl", "asyncio", "email", "joserfc", "yaml", "tocsin.okta.oauth.sources")
    code = f"import sys, tocsin.okta; print([m for m in {late} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_annotations_of_exceptions_hold_at_run_time() -> None:
    hints = typing.get_type_hints(tocsin.okta.ApiException.__init__)
    assert hints["http_resp"] == tocsin.okta.RESTResponse | None
