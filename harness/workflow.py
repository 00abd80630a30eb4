"""One run from start to end: plan, execute, analyze, judge, report. `harness.run` is this, and models side by side."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from harness.analysis.registry import ANALYSES
from harness.comparison.evaluate import evaluate
from harness.comparison.expected_run import why_no_stored_runs
from harness.comparison.outcome import undecided
from harness.errors import UserError, no_room, printable, unexpected
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.cell_cache import CellCache, NoCache
from harness.execution.cell_results import CellResults, Origin
from harness.execution.comparisons import comparisons
from harness.execution.events import CellEnded, OnEvent, Planned, unheard
from harness.execution.execute import execute
from harness.execution.executors.here import HereExecutor
from harness.execution.executors.local import LocalExecutor
from harness.execution.expected_time import expected_seconds
from harness.execution.plan import Plan
from harness.execution.preflight.checked_plan import checked_plan, checked_suite
from harness.execution.preflight.checked_plan import warnings as warnings_before
from harness.execution.worker_log import WORKER_LOG, WorkerLog
from harness.models.digest import hash_of
from harness.notice import notice
from harness.plugins import is_loaded, known_plugins
from harness.report.environment import warnings
from harness.report.html import write_html
from harness.report.making import of_run
from harness.report.markdown import write_markdown
from harness.report.report import Report
from harness.results.checkout import git_state
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.held_folder import alone, no_room_is_told, still_there
from harness.results.journal import Journal
from harness.results.manifest import Manifest
from harness.results.new_folder import going_on, new_folder
from harness.results.record import Status
from harness.results.run import Run
from harness.results.run_folder import EXPECTATIONS, FINDINGS, HTML, MANIFEST, MARKDOWN, RECORDS
from harness.results.unfinished import last_unfinished
from harness.suite.load import SuiteLike, multiplied_out, parse_suite, source_of, suite_text
from harness.suite.schema import Suite

RUNS = Path("results/runs")
"""Where runs go, below the working folder."""


@dataclass(frozen=True)
class Concluded:
    """A run with what was said of it."""

    run: Run
    report: Report | None
    """As it was written; None where it could not be made, which the run's manifest tells."""


def run(
    suite: SuiteLike,
    *,
    out: Path | str = RUNS,
    resume: bool = False,
    fresh: bool = False,
    cached: bool = True,
    allowed: Allowed = NOTHING_MORE,
    on_event: OnEvent = unheard,
) -> Run:
    """Run a suite (a path, a shipped suite's name, a mapping or a `Suite`, or with `resume` a run folder) and return
    the run.

    resume: go on with the last unfinished run of this suite below `out`, or with the run folder that is named; cells
    that ended well are kept, failed ones are tried again. fresh: measure cells again whose results are known from
    earlier runs; a run that began so goes on so when it is resumed. cached: False neither takes results of cells from
    the cache nor keeps them there, when it is resumed too (trained models and downloads stay). allowed: code that may
    run, and more folders of tasks. Raises UserError for bad input; a cell that fails is a record, not an error.
    """
    return run_and_report(
        suite, out=out, resume=resume, fresh=fresh, cached=cached, allowed=allowed, on_event=on_event
    ).run


def run_and_report(
    suite: SuiteLike,
    *,
    out: Path | str = RUNS,
    resume: bool = False,
    fresh: bool = False,
    cached: bool = True,
    allowed: Allowed = NOTHING_MORE,
    on_event: OnEvent = unheard,
) -> Concluded:
    """What `run` does, with the very report that it wrote, for who prints it."""
    with no_room_is_told(out):
        return _run(suite, Path(out), resume, fresh, cached, allowed, on_event)


def report_again(run: Run) -> Run:
    """Analyze, judge and report a run folder again from its cells; nothing is measured. Raises UserError where the
    manifest or the cells can't be read; the reports that are there stay."""
    run.cells  # noqa: B018 - read here for the first time
    journal = Journal(run.folder)
    with no_room_is_told(run.folder):
        suite = None if run.manifest.imported else _suite_of(run)
        return _conclude(journal, run, suite).run


def _suite_of(run: Run) -> Suite:
    """The suite that a run ran. Raises UserError where its manifest holds none, and where a plugin is not here."""
    lacking = [f"{name} (of {package})" for name, package in run.manifest.plugins.items() if not is_loaded(name)]
    if lacking:
        raise UserError(
            f"this run needs plugins that are not installed here, or can't be loaded: {', '.join(lacking)}; install "
            "them (`harness show` and `harness compare` read the run without)",
            place=str(run.folder),
        )
    return parse_suite(run.manifest.suite_text, str(run.folder / MANIFEST))


def _run(
    given: SuiteLike, out: Path, resume: bool, fresh: bool, cached: bool, allowed: Allowed, on_event: OnEvent
) -> Concluded:
    began, git = time.monotonic(), git_state()
    name = source_of(given)
    folder = Path(name) if resume and isinstance(given, str | Path) and (Path(name) / MANIFEST).is_file() else None
    if folder:
        loaded = multiplied_out(_suite_of(Run(folder)))
        plan = checked_plan(loaded, allowed)
    else:
        loaded, plan = checked_suite(given, allowed)
    suite = loaded.suite
    if not suite.measures and not suite.analyse:
        raise UserError("it has only `calls`, which `harness ci` compares with what they were", place=name)
    if resume:
        folder = folder or last_unfinished(out, suite.name, hash_of(suite_text(suite)))
        journal = Journal(folder)
        manifest = journal.manifest
        _same_cells(manifest, plan)
        fresh, cached = fresh or manifest.fresh, cached and manifest.cached
    else:
        journal = new_folder(out, _manifest(name, suite, plan, git))
        manifest = journal.manifest  # with the number that it got
    cache = CellCache() if cached else NoCache()
    for sentence in why_no_stored_runs(suite.expect, journal.folder.parent, manifest.suite_source):
        notice(sentence)
    if not cached:
        plan = replace(plan, cells=[replace(item, cached=False) for item in plan.cells])
    with alone(journal.folder), still_there(journal.folder):
        manifest = going_on(journal) if resume else manifest
        manifest = manifest.model_copy(update={"run": journal.folder.name, "fresh": fresh, "cached": cached})
        if fresh and not resume:
            for item in plan.cells:
                cache.forget(item.key)
        kept = _kept(journal, cached) if resume else set()
        results = CellResults(
            Origin(journal.folder.name, manifest.id, git),
            plan.fingerprint,
            cache,
            WorkerLog(journal.folder / WORKER_LOG),
        )
        _measure(journal, manifest, plan, kept, cache, results, on_event, began)
        return _conclude(journal, Run(journal.folder), suite)


def _kept(journal: Journal, cached: bool) -> set[str]:
    """The cells of a run that goes on which are not run again. What is damaged is told of and taken out. cached:
    whether what it took from the cache may stay."""
    run = Run(journal.folder)
    for sentence in run.damage:
        notice(sentence)
    journal.drop_damaged(run)
    ended = (cell for cell in run.cells if cell.whole or cell.status is Status.SKIPPED)
    return {cell.identity for cell in ended if cached or cell.source == "measured"}


def _measure(
    journal: Journal,
    manifest: Manifest,
    plan: Plan,
    kept: set[str],
    cache: CellCache,
    results: CellResults,
    on_event: OnEvent,
    began: float,
) -> None:
    """Run what the folder does not hold yet, one line per cell that ends, and say in the manifest how it went."""
    fresh = manifest.fresh
    items = [item for item in plan.cells if item.identity not in kept]
    known = 0 if fresh else sum(item.cached for item in items)
    there = {cell.planned_key for cell in Run(journal.folder).cells if cell.whole} if manifest.compared else set()
    compared = [one for one in comparisons(plan.suite, plan.cells) if one.key not in there]
    expected = expected_seconds(items, fresh, plan.fingerprint, compared)
    on_event(Planned(str(journal.folder), len(plan.cells), len(plan.cells) - len(items), known, expected))
    for sentence in (*plan.told, *warnings_before(plan, [item for item in items if fresh or not item.cached])):
        notice(sentence)
    log = WorkerLog(journal.folder / WORKER_LOG)
    workers = LocalExecutor(plan.fingerprint, plan.library, cache, log, on_event)
    executor = HereExecutor(workers, plan.fingerprint, plan.library, log.path, on_event)
    journal.write_manifest(manifest.model_copy(update={"status": "running", "files": {}}))
    ended = "interrupted"
    try:
        with closing(executor):
            for done in execute(items, executor, results, fresh=fresh):
                result = journal.append(done.result, done.samples)
                on_event(CellEnded(done.item.cell, result))
        ended = "finished"
    finally:
        changes = {
            "files": {},
            "status": ended,
            "ended": _now(),
            "seconds": (manifest.seconds or 0.0) + time.monotonic() - began,
            "models": {**manifest.models, **executor.models},
            "peaks": manifest.peaks | {need.where: peaks.model_dump() for need, peaks in executor.peaks.items()},
        }
        journal.write_manifest(manifest.model_copy(update=changes))


def _conclude(journal: Journal, run: Run, suite: Suite | None) -> Concluded:
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


def _manifest(name: str, suite: Suite, plan: Plan, git: dict[str, object]) -> Manifest:
    text = suite_text(suite)
    started = datetime.now(UTC)
    return Manifest(
        run=f"{started:%Y%m%d-%H%M%S}-{suite.name}",
        id=uuid4().hex,
        suite=suite.name,
        about=suite.about,
        suite_hash=hash_of(text),
        suite_text=text,
        suite_source=printable(name),
        started=_now(),
        command=["harness", *map(printable, sys.argv[1:])] if Path(sys.argv[0]).name == "harness" else [],
        git=git,
        fingerprint=plan.fingerprint.model_dump(mode="json"),
        fingerprint_class=plan.fingerprint.class_id,
        plugins=_plugins_of(suite),
        cells=[item.key for item in plan.cells],
    )


def _plugins_of(suite: Suite) -> dict[str, str]:
    """By name the packages of the plugins that a suite names: without one of them it can't be read again."""
    named = {
        *(("harness.models", model.adapter.name) for model in suite.models.values()),
        *(("harness.measures", entry.measure) for entry in suite.measures),  # type: ignore[attr-defined]
        *(("harness.analyses", entry.analysis) for entry in suite.analyse),  # type: ignore[attr-defined]
    }
    return {one.name: one.package for one in known_plugins() if (one.group, one.name) in named and not one.why_not}


def _same_cells(manifest: Manifest, plan: Plan) -> None:
    """A run holds cells of one machine, one state of the code and one set of models, or its numbers don't belong
    together."""
    if manifest.fingerprint_class != plan.fingerprint.class_id:
        what = "on another machine, or with other versions of its libraries"
    elif manifest.cells != [item.key for item in plan.cells]:
        what = "with other code, or its models or texts have changed"
    else:
        return
    raise UserError(f"this run began {what}: run the suite again (what is still the same is known)", place=manifest.run)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
