"""The pages under docs/sdk are what the code says."""

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from tocsin import okta
from tocsin.okta.operations import OPERATIONS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_pages", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_up_to_date(generate: ModuleType) -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "sdk").glob("*.md")}
    stale = [name for name in generate.pages().keys() | found.keys() if generate.pages().get(name) != found.get(name)]
    assert stale == [], "run `make docs`"


def test_every_operation_is_a_method_with_the_documented_arguments(generate: ModuleType) -> None:
    for operation in OPERATIONS:
        method = getattr(getattr(okta, operation.api), operation.name)
        own = [name for name in inspect.signature(method).parameters if name not in ("self", "per_call")]
        assert own == [name for name, *_ in generate.parameters(operation)]


def test_links_between_pages_lead_somewhere() -> None:
    names = {path.name for path in (DOCS / "sdk").glob("*.md")}
    for path in (DOCS / "sdk").glob("*.md"):
        targets = set(re.findall(r"\]\((\w+\.md)", path.read_text(encoding="utf-8")))
        assert targets <= names, path.name


def test_every_setting_is_explained(generate: ModuleType) -> None:
    for name in inspect.signature(okta.Configuration).parameters:
        assert re.search(rf"\*\*[^|]*\b{name}\b[^|]*\*\* \|", generate.settings()), name
