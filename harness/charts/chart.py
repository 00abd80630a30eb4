"""What a chart is: a name, what it shows, and the function that draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.results.finding import Finding
from harness.results.run import Run


@dataclass(frozen=True)
class Chart:
    """A chart of an analysis's findings, which declares it: see `Analysis.charts`."""

    name: str
    """Its file's name as a picture, and its place on a page: letters, digits and underscores."""
    about: str
    """What it shows and how to read it; one or a few sentences, for the reader of a report."""
    draw: Callable[[Sequence[Finding]], Any]
    """(findings of the analysis) -> an altair chart, or None where they have nothing for it."""


@dataclass(frozen=True)
class RunChart:
    """A chart of a run's records."""

    name: str
    about: str
    draw: Callable[[Run], Any]
    """(run) -> an altair chart, or None where the run has nothing for it."""
    measure: str | None = None
    """The measure whose table it stands below; None: it is about several, and stands first on a page."""
