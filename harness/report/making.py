"""The one report of a run, or of findings without a run: everything that is said in it is put into words here."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.measures.registry import MEASURES, metrics_of
from harness.report.charts import RUN_CHARTS, figures_of_findings, figures_of_run
from harness.report.environment import machine, peaks, summary, warnings
from harness.report.findings import finding_tables
from harness.report.outcomes import expectation_table
from harness.report.report import Origin, Report
from harness.report.results import result_tables
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.record import Metric
from harness.results.run import Run


def of_run(
    run: Run, findings: Sequence[Finding] | None = None, outcomes: Sequence[ExpectationOutcome] | None = None
) -> Report:
    """The report of a run. findings, outcomes: those of its analyses and expectations, where they were just made; None:
    read from its folder. Raises UserError where the manifest or the cells can't be read."""
    manifest = run.manifest
    findings = run.findings if findings is None else findings
    outcomes = run.expectations if outcomes is None else outcomes
    return Report(
        title=manifest.suite,
        about=manifest.about,
        summary=summary(run),
        warnings=tuple(warnings(run)),
        results=tuple(result_tables(run)),
        findings=tuple(finding_tables(findings)),
        expectations=expectation_table(outcomes) if outcomes else None,
        figures=figures_of_run(run, findings),
        leading=tuple(chart.name for chart in RUN_CHARTS if chart.measure is None),
        definitions=_definitions(run),
        command=shlex.join(manifest.command),
        origin=_origin(run),
    )


def of_findings(title: str, about: str, findings: Sequence[Finding], warnings: Sequence[str], command: str) -> Report:
    """The report of findings alone: of data that were fitted on the command line."""
    return Report(
        title=title,
        about=about,
        summary="",
        warnings=tuple(warnings),
        results=(),
        findings=tuple(finding_tables(findings)),
        expectations=None,
        figures=figures_of_findings(findings),
        leading=(),
        definitions=(),
        command=command,
        origin=None,
    )


def _origin(run: Run) -> Origin:
    manifest = run.manifest
    return Origin(
        run=manifest.run,
        folder=run.folder,
        started=manifest.started,
        suite_source=manifest.suite_source,
        suite_hash=manifest.suite_hash,
        suite_text=manifest.suite_text,
        commit=str(manifest.git.get("commit") or ""),
        uncommitted=bool(manifest.git.get("dirty")),
        models=tuple(
            (name, ", ".join(f"{key} {value}" for key, value in facts.items() if not isinstance(value, dict | list)))
            for name, facts in manifest.models.items()
        ),
        machine=tuple(machine(run)),
        peaks=tuple(peaks(run)),
        fingerprint_class=manifest.fingerprint_class,
    )


def _definitions(run: Run) -> tuple[Metric, ...]:
    """Declarations of the metrics that the run has, in the order of the measures."""
    there = {(cell.measure, record.metric_id) for cell in run.cells for record in cell.records}
    measures = dict.fromkeys([*MEASURES, *(cell.measure for cell in run.cells)])
    return tuple(metric for name in measures for metric in metrics_of(name) if (name, metric.id) in there)
