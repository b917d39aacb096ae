"""Times of log lines. Lines of one second are many, so each text is parsed once."""

from collections.abc import Sequence
from datetime import datetime

from tocsin.sources.mapping.times import compile_time
from tocsin.sources.reading import Reading

_MOST_KNOWN = 4096


class LogTimes:
    """The times of one log, which mostly name no offset and sometimes no year."""

    def __init__(self, forms: Sequence[str], reading: Reading) -> None:
        self._parse = compile_time(forms, reading.timezone, reading.now)
        self._known = dict[str, datetime]()

    def __call__(self, text: str) -> datetime:
        """Raises: ValueError, which quotes the text."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[text] = self._parse(text)
        return found
