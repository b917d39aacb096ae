"""Bands: from a source's own score to a level. Each format keeps its bands as data."""

from typing import NamedTuple

from tocsin.signals import RiskLevel


class Band(NamedTuple):
    """Scores from `least` upwards, as far as the next band, have `level`."""

    least: float
    level: RiskLevel


def level_of(score: float, bands: tuple[Band, ...]) -> RiskLevel | None:
    """The level of the highest band that `score` reaches; None below all of them. `bands` start with the highest."""
    return next((band.level for band in bands if score >= band.least), None)
