"""What an analysis is: the records of many cells become findings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.charts.chart import Chart
from harness.results.finding import Finding
from harness.results.run import Run
from harness.strict_models import Written


class AnalysisSettings(Written):
    """Base of an analysis's settings: frozen, unknown keys refused."""


@dataclass(frozen=True)
class Pivot:
    """How findings are shown that compare cells with a base: a row per subject, a column per name."""

    caption: str
    """What the numbers are."""
    unit: str = "ratio"
    """Of the findings that compare; what has another unit stands as it was measured. A column's header leaves it out of
    the finding's name. Without any finding of this unit there is nothing to compare, and all are shown as a list."""
    explained: Mapping[str, str] = field(default_factory=dict)
    """By name of a finding what the caption says besides where there is one."""


@dataclass(frozen=True)
class Analysis:
    """One analysis: what it is called, what it asks for, and the function that does it."""

    name: str
    about: str
    settings: type[AnalysisSettings]
    run: Callable[[Run, Any], list[Finding]]
    """(run, settings) -> findings. Reads the run folder only; never raises for a cell that failed."""
    charts: tuple[Chart, ...] = ()
    """Drawn of its findings, below their table in a report."""
    pivot: Pivot | None = None
    """How its findings are shown where a list would be long; None: as a list."""
