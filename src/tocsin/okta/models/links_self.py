"""The links of an object that links to itself."""

from tocsin.okta.models.href_object_self_link import HrefObjectSelfLink
from tocsin.okta.models.model import Model, as_model, field

__all__ = ["LinksSelf"]


class LinksSelf(Model):
    """The links of an object, in the form of the JSON Hypertext Application Language."""

    var_self: HrefObjectSelfLink | None = field(
        "HrefObjectSelfLink", default=None, read=as_model(HrefObjectSelfLink), wire="self", notes="[optional]"
    )
