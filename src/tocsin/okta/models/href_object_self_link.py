"""A link to the object itself."""

from tocsin.okta.models.href_object_hints import HrefObjectHints
from tocsin.okta.models.model import Model, as_model, field

__all__ = ["HrefObjectSelfLink"]


class HrefObjectSelfLink(Model):
    """A link to the object itself."""

    hints: HrefObjectHints | None = field(
        "HrefObjectHints", default=None, read=as_model(HrefObjectHints), notes="[optional]"
    )
    href: str | None = field("str", default=None, description="The URI of the object")
    name: str | None = field("str", default=None, description="A name for the link", notes="[optional]")
    type: str | None = field(
        "str",
        default=None,
        description="The media type of the target, `application/json` when absent",
        notes="[optional]",
    )
    templated: bool | None = field(
        "bool", default=None, description="Whether `href` is a URI template", notes="[optional]"
    )
