"""How long a fit would take: said before it begins, and refused where nobody waits for it.

Everything is linear in the runs, but for the draws of BCa, which leave each unit out once. A law has tens to thousands
of runs; a table of millions is one of something else (steps of trainings, say).
"""

from __future__ import annotations

from harness.analysis.scaling.suite.settings import FitSettings
from harness.errors import UserError

LONGEST = 300.0
"""Seconds on one core."""
MOST_COMPARED = 10_000
"""Runs for which several laws, or several approaches, are compared: each is fitted dozens of times."""
_START, _REPLICATE, _PROFILES = 2.2e-4, 8e-7, 1.5e-3
"""Seconds of one core for each run: of the fit from 100 starts, of one replicate, of the profiles of five parameters.
Measured with 10,000 runs of Hoffmann et al.'s law."""


def check_work(runs: int, settings: FitSettings) -> None:
    """Raises UserError where a fit of so many runs would take too long, with what to leave out."""
    parts = {"the fit": _START * runs, f"{settings.replicates:,} replicates": _REPLICATE * runs * settings.replicates}
    if settings.profiles:
        parts["profiles"] = _PROFILES * runs
    if settings.interval == "bca" and settings.replicates:
        parts["leaving each run out for BCa"] = _REPLICATE * runs * runs
    if sum(parts.values()) > LONGEST:
        told = ", ".join(f"{name} {_minutes(seconds)}" for name, seconds in parts.items() if seconds)
        raise UserError(
            f"{runs:,} runs would take too long ({told}, on one core); give fewer rows (one per trained model), or do "
            "without replicates, profiles (--no-profiles) and BCa"
        )


def check_compared(runs: int, what: str) -> None:
    """Raises UserError where there are too many runs for `what`, which fits them again and again."""
    if runs > MOST_COMPARED:
        raise UserError(f"{what} takes {MOST_COMPARED:,} runs at most, and there are {runs:,}; give fewer rows")


def _minutes(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:,.0f} min" if minutes < 600 else f"{minutes / 60:,.0f} h"
