"""What an analysis is: the records of many cells become findings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from harness.charts.chart import Chart
from harness.results.finding import Finding
from harness.results.run import Run
from harness.strict_models import Written


class AnalysisSettings(Written):
    """Base of an analysis's settings: frozen, unknown keys refused."""


@dataclass(frozen=True)
class Analysis:
    """One analysis: what it is called, what it asks for, and the function that does it."""

    name: str
    about: str
    settings: type[BaseModel]
    run: Callable[[Run, Any], list[Finding]]
    """(run, settings) -> findings. Reads the run folder only; never raises for a cell that failed."""
    charts: tuple[Chart, ...] = ()
    """Drawn of its findings, below their table in a report."""
