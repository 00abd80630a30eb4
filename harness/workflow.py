"""One run from start to end: plan, execute, analyze, judge, report. `harness.run` is this, and models side by side."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from harness.comparison.expected_run import why_no_stored_runs
from harness.conclusion import Concluded, conclude, suite_of
from harness.errors import UserError, printable
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
from harness.plugins import known_plugins
from harness.results.checkout import git_state
from harness.results.held_folder import alone, no_room_is_told, still_there
from harness.results.journal import Journal
from harness.results.manifest import Manifest
from harness.results.new_folder import going_on, new_folder
from harness.results.record import Status
from harness.results.run import Run
from harness.results.run_folder import MANIFEST
from harness.results.unfinished import last_unfinished
from harness.suite.load import SuiteLike, multiplied_out, source_of, suite_text
from harness.suite.schema import Suite

RUNS = Path("results/runs")
"""Where runs go, below the working folder."""


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


def _run(
    given: SuiteLike, out: Path, resume: bool, fresh: bool, cached: bool, allowed: Allowed, on_event: OnEvent
) -> Concluded:
    began, git = time.monotonic(), git_state()
    name = source_of(given)
    folder = Path(name) if resume and isinstance(given, str | Path) and (Path(name) / MANIFEST).is_file() else None
    if folder:
        loaded = multiplied_out(suite_of(Run(folder)))
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
        return conclude(journal, Run(journal.folder), suite)


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
