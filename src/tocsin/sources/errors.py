"""What stops the reading of an input. A line that is merely wrong is a `Skipped`, and never an exception."""

from tocsin.errors import TocsinError


class SourceError(TocsinError):
    """An input cannot be read, or not to its end. Nothing of it was sent."""
