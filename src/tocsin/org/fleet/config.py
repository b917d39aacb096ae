"""What `tocsin serve --config` reads: an org's settings, and whose fleet it is a part of."""

from msgspec import Struct

from tocsin.org.config import OrgConfig
from tocsin.org.fleet.settings import NodeSettings


class ServedConfig(OrgConfig, frozen=True, forbid_unknown_fields=True):
    """All of one file."""

    journal: NodeSettings | None = None
    """None for an org that one machine serves: its journal is a file."""


class JournalFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that says nothing else."""

    journal: NodeSettings
