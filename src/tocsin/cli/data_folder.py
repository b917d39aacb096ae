"""Whether a command may make an org's data folder: a typo in its name must not make an org that nobody asks."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.options import DEFAULT_DATA
from tocsin.errors import TocsinError

NewOption = Annotated[bool, typer.Option("--new", help="Make the data folder when there is none yet.")]


class NoSuchOrg(TocsinError):
    """There is no org in the folder that was named. Nothing was made."""


def expect_org(data: Path, *, new: bool) -> None:
    """
    The default folder, and one that was made by hand, may become an org; any other only when `new` says so.

    Raises: NoSuchOrg, which names the folder beside it that may have been meant.
    """
    if new or data == DEFAULT_DATA or data.exists():
        return
    near = get_close_matches(data.name, _orgs_in(data.parent), n=1)
    meant = f"did you mean {data.with_name(near[0])}? " if near else "`tocsin serve` makes one; "
    raise NoSuchOrg(f"there is no org at {data}", hint=f"{meant}--new makes one here and now")


def _orgs_in(folder: Path) -> list[str]:
    from tocsin.org.folder import is_data_folder

    try:
        return [one.name for one in folder.iterdir() if is_data_folder(one)]
    except OSError:
        return []
