"""Records of bouncers, which ask over the CrowdSec API."""

from msgspec import Struct

from tocsin.org.records.branches import DIRECTORY_BRANCH
from tocsin.org.records.deed import Deed

BOUNCER_TOPIC = DIRECTORY_BRANCH + "bouncer"


class BouncerCreated(Struct, frozen=True, tag_field="t", tag="bouncer.created"):
    """A bouncer may ask from now on. Its key is nowhere kept, only the key's hash."""

    deed: Deed
    id: str
    name: str
    sha256: bytes


class BouncerDeleted(Struct, frozen=True, tag_field="t", tag="bouncer.deleted"):
    """Its key opens nothing any more. Its name may be given again."""

    deed: Deed
    id: str


BouncerRecord = BouncerCreated | BouncerDeleted
