"""The charts of a report: those of a run's records, and those that the analyses of its findings declare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from harness.analysis.registry import ANALYSES
from harness.charts.answers import ANSWERS
from harness.charts.speed import SPEED
from harness.charts.tradeoff import TRADEOFF
from harness.results.finding import Finding
from harness.results.run import Run

RUN_CHARTS = (TRADEOFF, SPEED, ANSWERS)
"""Of records. A new one is one file and one word here; one of findings is declared by its analysis."""

Draw = Callable[[], Any]
"""Makes the chart; None where there is nothing to draw."""


def charts_of_run(run: Run) -> dict[str, tuple[Draw, str]]:
    """Name -> (how it is drawn, what it shows) of every chart that there may be of a run."""
    of_records = {chart.name: (partial(chart.draw, run), chart.about) for chart in RUN_CHARTS}
    return {**of_records, **charts_of_findings(run.findings)}


def charts_of_findings(findings: Sequence[Finding]) -> dict[str, tuple[Draw, str]]:
    """The same of findings alone: the charts of their analyses, each given what is its analysis's."""
    of: dict[str, list[Finding]] = {}
    for finding in findings:
        of.setdefault(finding.analysis, []).append(finding)
    return {
        chart.name: (partial(chart.draw, mine), chart.about)
        for name, mine in of.items()
        if name in ANALYSES
        for chart in ANALYSES[name].charts
    }


def names_of_charts() -> list[str]:
    """Every chart that there is."""
    of_findings = [chart.name for analysis in ANALYSES.values() for chart in analysis.charts]
    return [*(chart.name for chart in RUN_CHARTS), *of_findings]
