"""Tocsin: both ends of the IP risk-event pipe. See docs/architecture.md for the map."""

__version__ = "0.1.0"
