"""What another machine wrote, fit for a terminal."""


def printable(text: str) -> str:
    """`text`, quoted where it holds what a terminal would obey: escape sequences, line ends."""
    return text if text.isprintable() else repr(text)
