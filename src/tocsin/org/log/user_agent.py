"""What can be told from a User-Agent header, in the words of the System Log. Pure; U: which words is not public."""

import re

_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone|iPad|iOS", "iOS"),
    ("Android", "Android"),
    ("Macintosh|Mac OS X|Darwin", "Mac OS X"),
    ("CrOS", "Chrome OS"),
    ("Linux", "Linux"),
)
# Each browser says that it is all the older ones too, so the newest name counts.
_BROWSERS = (
    ("Edge?/", "EDGE"),
    ("OPR/", "OPERA"),
    ("Firefox/", "FIREFOX"),
    ("Chrome/", "CHROME"),
    ("Version/.*Safari/", "SAFARI"),
)


def system_of(user_agent: str) -> str:
    """The operating system, `Unknown` when nothing is said."""
    return _first(_SYSTEMS, user_agent) or "Unknown"


def browser_of(user_agent: str) -> str:
    """The browser, `UNKNOWN` for what is none."""
    return _first(_BROWSERS, user_agent) or "UNKNOWN"


def device_of(user_agent: str) -> str:
    """`Computer` or `Mobile` of a browser, else `Unknown`."""
    if browser_of(user_agent) == "UNKNOWN":
        return "Unknown"
    return "Mobile" if system_of(user_agent) in ("iOS", "Android") else "Computer"


def _first(patterns: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((word for pattern, word in patterns if re.search(pattern, text)), None)
