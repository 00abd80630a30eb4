"""What is made of a run's cells when they are there: records, findings, outcomes of expectations, and the reports."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.analysis.registry import ANALYSES
from harness.comparison.evaluate import evaluate
from harness.comparison.outcome import undecided
from harness.errors import UserError, no_room, unexpected
from harness.execution.worker_log import WORKER_LOG, WorkerLog
from harness.plugins import is_loaded
from harness.report.environment import warnings
from harness.report.html import write_html
from harness.report.making import of_run
from harness.report.markdown import write_markdown
from harness.report.report import Report
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.held_folder import no_room_is_told
from harness.results.journal import Journal
from harness.results.run import Run
from harness.results.run_folder import EXPECTATIONS, FINDINGS, HTML, MANIFEST, MARKDOWN, RECORDS
from harness.suite.load import parse_suite
from harness.suite.schema import Suite


@dataclass(frozen=True)
class Concluded:
    """A run with what was said of it."""

    run: Run
    report: Report | None
    """As it was written; None where it could not be made, which the run's manifest tells."""


def report_again(run: Run) -> Run:
    """Analyze, judge and report a run folder again from its cells; nothing is measured. Raises UserError where the
    manifest or the cells can't be read; the reports that are there stay."""
    run.cells  # noqa: B018 - read here for the first time
    journal = Journal(run.folder)
    with no_room_is_told(run.folder):
        suite = None if run.manifest.imported else suite_of(run)
        return conclude(journal, run, suite).run


def suite_of(run: Run) -> Suite:
    """The suite that a run ran. Raises UserError where its manifest holds none, and where a plugin is not here."""
    lacking = [f"{name} (of {package})" for name, package in run.manifest.plugins.items() if not is_loaded(name)]
    if lacking:
        raise UserError(
            f"this run needs plugins that are not installed here, or can't be loaded: {', '.join(lacking)}; install "
            "them (`harness show` and `harness compare` read the run without)",
            place=str(run.folder),
        )
    return parse_suite(run.manifest.suite_text, str(run.folder / MANIFEST))


def conclude(journal: Journal, run: Run, suite: Suite | None) -> Concluded:
    """Records, findings, outcomes and reports from the cells that are there, which are read once. Returns the run with
    all of them. suite: None of files of another tool, which nothing is asked of."""
    log = WorkerLog(journal.folder / WORKER_LOG)
    problems: list[str] = []
    journal.without_reports()
    run = run.with_its_cells()
    try:
        journal.write_records(run)
    except Exception as error:
        problems.append(_went_wrong("writing records.parquet", error, log))
    findings = [] if suite is None else _findings(suite, run, log)
    outcomes = [] if suite is None else _outcomes(suite, run, findings, log)
    journal.write_findings(findings, outcomes)
    journal.with_reports((RECORDS, FINDINGS, EXPECTATIONS), problems)  # named in what is written next
    report = _report(run.with_its_cells(), findings, outcomes, problems, log)
    journal.with_reports((RECORDS, FINDINGS, EXPECTATIONS, MARKDOWN, HTML), problems)
    run = run.with_its_cells()
    if report is not None and problems:  # what could not be written is told of where the report is printed
        report = replace(report, warnings=tuple(warnings(run)))
    return Concluded(run, report)


def _findings(suite: Suite, run: Run, log: WorkerLog) -> list[Finding]:
    """What the suite's analyses find; of one that fails, a finding that says so."""
    findings: list[Finding] = []
    for entry in suite.analyse:
        name = entry.analysis  # type: ignore[attr-defined]
        try:
            findings += ANALYSES[name].run(run, entry.settings)  # type: ignore[attr-defined]
        except Exception as error:
            note = _went_wrong(f"running the analysis {name}", error, log)
            findings.append(Finding(analysis=name, name="failed", note=note, failed=True))
    return findings


def _outcomes(suite: Suite, run: Run, findings: list[Finding], log: WorkerLog) -> list[ExpectationOutcome]:
    """How the suite's expectations come out; one that can't be judged is undecided."""
    outcomes: list[ExpectationOutcome] = []
    for expectation in suite.expect:
        try:
            outcomes += evaluate([expectation], run, findings)
        except Exception as error:
            reason = _went_wrong(f"judging `{expectation.sentence}`", error, log)
            outcomes.append(undecided(expectation, {}, reason))
    return outcomes


def _report(
    run: Run, findings: list[Finding], outcomes: list[ExpectationOutcome], problems: list[str], log: WorkerLog
) -> Report | None:
    """The report, made once and written. What can't be made or written is added to the problems."""
    try:
        report = of_run(run, findings, outcomes)
    except Exception as error:
        problems.append(_went_wrong("making the report", error, log))
        return None
    for name, write in ((MARKDOWN, write_markdown), (HTML, write_html)):
        try:
            write(report, run.folder / name)
        except Exception as error:
            problems.append(_went_wrong(f"writing {name}", error, log))
    return report


def _went_wrong(what: str, error: Exception, log: WorkerLog) -> str:
    """The sentence that stands in place of what failed; the traceback goes to the log. Where there is no room for a
    file the error is raised again."""
    if no_room(error):
        raise error
    log.write_trace(what, error)
    return unexpected(what, error)
