"""How refusals look, and which there are."""

from msgspec import Struct


class ErrorCause(Struct, rename="camel"):
    """One thing that is wrong."""

    error_summary: str


class Error(Struct, rename="camel"):
    """A refusal."""

    error_code: str
    """`E` and seven digits: what to branch on."""
    error_summary: str
    error_link: str
    error_id: str
    error_causes: list[ErrorCause]
