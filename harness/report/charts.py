"""The charts of a report: those of a run's records, and those that the analyses of its findings declare."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.analysis.registry import ANALYSES
from harness.charts.alignment import CURVES
from harness.charts.answers import ANSWERS
from harness.charts.speed import SPEED
from harness.charts.tradeoff import TRADEOFF
from harness.report.report import Figure
from harness.results.finding import Finding
from harness.results.run import Run

RUN_CHARTS = (TRADEOFF, SPEED, ANSWERS, CURVES)
"""Of records. A new one is one file and one word here; one of findings is declared by its analysis."""


def figures_of_run(run: Run, findings: Sequence[Finding]) -> tuple[Figure, ...]:
    """Every chart that there may be of a run and its findings."""
    of_records = (Figure(chart.name, chart.about, partial(chart.draw, run)) for chart in RUN_CHARTS)
    return (*of_records, *figures_of_findings(findings))


def figures_of_findings(findings: Sequence[Finding]) -> tuple[Figure, ...]:
    """The same of findings alone: the charts of their analyses, each given what is its analysis's."""
    of: dict[str, list[Finding]] = {}
    for finding in findings:
        of.setdefault(finding.analysis, []).append(finding)
    return tuple(
        Figure(chart.name, chart.about, partial(chart.draw, mine))
        for name, mine in of.items()
        if name in ANALYSES
        for chart in ANALYSES[name].charts
    )


def names_of_charts() -> list[str]:
    """Every chart that there is."""
    of_findings = [chart.name for analysis in ANALYSES.values() for chart in analysis.charts]
    return [*(chart.name for chart in RUN_CHARTS), *of_findings]
