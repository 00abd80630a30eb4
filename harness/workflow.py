"""One run from start to end: plan, execute, analyse, judge, report. `harness.run` is this function."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from harness.analysis.registry import ANALYSES
from harness.cache import cache_folder
from harness.comparison.expectation import evaluate, undecided
from harness.errors import ExitCode, UserError, no_room, printable, unexpected
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.cell_cache import CellCache
from harness.execution.checkout import git_state
from harness.execution.events import CellEnded, OnEvent, Planned, unheard
from harness.execution.execute import Execution
from harness.execution.memory_there import memory_there, warning
from harness.execution.plan import Plan, make_plan
from harness.execution.resolve import hash_of
from harness.notice import notice
from harness.report.html import HTML, write_html
from harness.report.markdown import MARKDOWN, write_markdown
from harness.results.find import next_sequence, run_folders
from harness.results.finding import Finding, Outcome
from harness.results.journal import Journal
from harness.results.record import Status
from harness.results.run import EXPECTATIONS, FINDINGS, MANIFEST, RECORDS, Manifest, Run
from harness.suite.load import load_suite, parse_suite, suite_text
from harness.suite.schema import Suite

RUNS = Path("results/runs")
"""Where runs go, below the working folder."""


def run(
    suite: str,
    *,
    out: Path | str = RUNS,
    resume: bool = False,
    fresh: bool = False,
    allowed: Allowed = NOTHING_MORE,
    on_event: OnEvent = unheard,
) -> Run:
    """Run a suite (a path, a shipped suite's name, or with `resume` a run folder) and return the run.

    resume: go on with the last unfinished run of this suite below `out`, or with the run folder that is named; cells
    that ended well are kept, failed ones are tried again. fresh: measure cells again whose results are known from
    earlier runs; a run that began so goes on so when it is resumed. allowed: code that may run, and more folders of
    tasks. Raises UserError for bad input; a cell that fails is a record, not an error.
    """
    with no_room_is_told(out):
        return _run(suite, Path(out), resume, fresh, allowed, on_event)


def report_again(run: Run) -> Run:
    """Analyse, judge and report a run folder again from its cells; nothing is measured. Raises UserError where the
    manifest or the cells can't be read; the reports that are there stay."""
    run.cells  # noqa: B018 - read here for the first time
    with no_room_is_told(run.folder):
        suite = parse_suite(run.manifest.suite_text, str(run.folder / MANIFEST))
        return _conclude(Journal(run.folder), suite)


def exit_code(run: Run) -> ExitCode:
    """0 pass; 1 an expectation is unmet; 2 a cell (or a part of it, an analysis, a report) failed, every cell was
    skipped, the run did not finish, or something in its folder is damaged; 3 an expectation is undecided."""
    outcomes = {item.outcome for item in run.expectations}
    if Outcome.UNMET in outcomes:
        return ExitCode.UNMET
    if _has_failed(run):
        return ExitCode.USAGE
    if run.cells and all(cell.status is Status.SKIPPED for cell in run.cells):
        return ExitCode.USAGE
    if report_exit_code(run) is not ExitCode.PASS:
        return ExitCode.USAGE
    if run.manifest.status != "finished":
        return ExitCode.USAGE
    return ExitCode.INCONCLUSIVE if Outcome.UNDECIDED in outcomes else ExitCode.PASS


def report_exit_code(run: Run) -> ExitCode:
    """2 where an analysis failed, a report could not be written or something in the folder is damaged, else 0."""
    failed = any(finding.failed for finding in run.findings) or bool(run.manifest.problems or run.damage)
    return ExitCode.USAGE if failed else ExitCode.PASS


def _run(name: str, out: Path, resume: bool, fresh: bool, allowed: Allowed, on_event: OnEvent) -> Run:
    began = time.monotonic()
    folder = Path(name) if resume and (Path(name) / MANIFEST).is_file() else None
    suite = parse_suite(Run(folder).manifest.suite_text, str(folder / MANIFEST)) if folder else load_suite(name)
    plan = make_plan(suite, allowed)
    if resume:
        folder = folder or _last_unfinished(out, suite)
        journal = Journal(folder)
        manifest = Run(folder).manifest
        _same_cells(manifest, plan)
        fresh = fresh or manifest.fresh
    else:
        manifest = _manifest(name, suite, plan)
        journal = _new_folder(out, manifest)
    manifest = manifest.model_copy(update={"run": journal.folder.name, "fresh": fresh})
    with _alone(journal.folder), _still_there(journal.folder):
        if fresh and not resume:
            for item in plan.cells:
                CellCache().forget(item.key)
        _measure(journal, manifest, plan, fresh, on_event, began)
        return _conclude(journal, suite)


def _measure(journal: Journal, manifest: Manifest, plan: Plan, fresh: bool, on_event: OnEvent, began: float) -> None:
    """Run what the folder does not hold yet, one line per cell that ends, and say in the manifest how it went."""
    for sentence in Run(journal.folder).damage:
        notice(sentence)
    journal.drop_damaged()
    kept = {cell.identity for cell in Run(journal.folder).cells if cell.whole or cell.status is Status.SKIPPED}
    items = [item for item in plan.cells if item.identity not in kept]
    known = 0 if fresh else sum(item.cached for item in items)
    on_event(Planned(str(journal.folder), len(plan.cells), len(plan.cells) - len(items), known))
    if too_large := warning([item for item in items if fresh or not item.cached], memory_there()):
        notice(too_large)
    execution = Execution(plan.fingerprint, plan.library, journal.folder / "worker.log", on_event)
    journal.write_manifest(manifest.model_copy(update={"status": "running", "files": {}}))
    ended = "interrupted"
    try:
        for done in execution.run(items, fresh=fresh):
            result = journal.append(done.result, done.samples)
            on_event(CellEnded(done.item.cell, result))
        ended = "finished"
    finally:
        changes = {
            "files": {},
            "status": ended,
            "ended": _now(),
            "seconds": (manifest.seconds or 0.0) + time.monotonic() - began,
            "models": manifest.models | execution.models,
            "peaks": manifest.peaks | {where: peaks.model_dump() for where, peaks in execution.peaks.items()},
        }
        journal.write_manifest(manifest.model_copy(update=changes))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process: two that append to one would mix their lines."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise UserError("another process is running this run; wait for it", place=str(folder)) from None


@contextlib.contextmanager
def _still_there(folder: Path) -> Iterator[None]:
    """One sentence where somebody removes the folder while the run goes on, whatever fails first."""
    try:
        yield
    except (OSError, UserError):
        if folder.is_dir():
            raise
        raise UserError(
            "the run folder was removed while the run went on; run the suite again (cells that ended are known)",
            place=str(folder),
        ) from None


def _conclude(journal: Journal, suite: Suite) -> Run:
    """Records, findings, outcomes and reports from the cells that are there."""
    log = journal.folder / "worker.log"
    problems = []
    journal.without_reports()
    try:
        journal.write_records()
    except Exception as error:
        problems.append(_went_wrong("writing records.parquet", error, log))
    run = Run(journal.folder)
    findings: list[Finding] = []
    for entry in suite.analyse:
        name = entry.analysis  # type: ignore[attr-defined]
        try:
            findings += ANALYSES[name].run(run, entry.settings)  # type: ignore[attr-defined]
        except Exception as error:
            note = _went_wrong(f"running the analysis {name}", error, log)
            findings.append(Finding(analysis=name, name="failed", note=note, failed=True))
    outcomes = []
    for expectation in suite.expect:
        try:
            outcomes += evaluate([expectation], run, findings)
        except Exception as error:
            reason = _went_wrong(f"judging `{expectation.sentence}`", error, log)
            outcomes.append(undecided(expectation, {}, reason))
    journal.write_findings(findings, outcomes)
    journal.with_reports((RECORDS, FINDINGS, EXPECTATIONS), problems)  # read by what is written next
    for name, write in ((MARKDOWN, write_markdown), (HTML, write_html)):
        try:
            write(Run(journal.folder))
        except Exception as error:
            problems.append(_went_wrong(f"writing {name}", error, log))
    journal.with_reports((RECORDS, FINDINGS, EXPECTATIONS, MARKDOWN, HTML), problems)
    return Run(journal.folder)


def _went_wrong(what: str, error: Exception, log: Path) -> str:
    """The sentence that stands in place of what failed; the traceback goes to the log. Where there is no room for a
    file the error is raised again."""
    if no_room(error):
        raise error
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
        file.write(f"--- {what}\n{printable(''.join(traceback.format_exception(error)))}\n")
    return unexpected(what, error)


def _manifest(name: str, suite: Suite, plan: Plan) -> Manifest:
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
        git=git_state(),
        fingerprint=plan.fingerprint.model_dump(mode="json"),
        fingerprint_class=plan.fingerprint.class_id,
        cells=[item.key for item in plan.cells],
    )


def _new_folder(out: Path, manifest: Manifest) -> Journal:
    if (place := str(out.absolute())) != printable(place):
        raise UserError("the folder's name is not UTF-8, as Parquet files need it; choose another --out", place=place)
    from filelock import FileLock

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = cache_folder("locks") / f"{hash_of(str(out.resolve()))[:32]}.lock"
        with FileLock(lock):  # two runs that begin at once get two numbers
            return _numbered_folder(out, manifest.model_copy(update={"sequence": next_sequence(out)}))
    except FileExistsError:
        raise UserError("a file stands where the run folder should go; move it or use --out", place=str(out)) from None
    except NotADirectoryError:
        raise UserError("this is a file, not a folder; choose another --out", place=str(out)) from None
    except OSError as error:
        if no_room(error):
            raise
        raise UserError(f"can't be written to ({error.strerror}); choose another --out", place=str(out)) from None


def _numbered_folder(out: Path, manifest: Manifest) -> Journal:
    for number in range(1, 1000):
        name = manifest.run if number == 1 else f"{manifest.run}-{number}"
        try:
            return Journal.start(out / name, manifest.model_copy(update={"run": name}))
        except FileExistsError:
            if not (out / name).is_dir():
                raise
    raise UserError("no free name for a new run folder", place=str(out))


def _last_unfinished(out: Path, suite: Suite) -> Path:
    """The last run that was not finished; also a finished one in which a cell failed, where it is the last of all."""
    text_hash = hash_of(suite_text(suite))
    newest = True
    for folder in reversed(run_folders(out)):
        try:
            manifest = Run(folder).manifest
        except UserError:
            continue  # a damaged run is not the one to go on with, and must not stand in the way of another
        if manifest.suite != suite.name:
            continue
        newest, is_newest = False, newest
        whole = manifest.status == "finished" and (folder / HTML).is_file()  # a full disk may have kept it out
        if whole and not (is_newest and _has_failed(Run(folder))):
            continue
        if manifest.suite_hash == text_hash:
            return folder
        raise UserError(
            "the suite has changed since this run began; run it again, or resume it as it was: "
            f"harness run --resume {folder}",
            place=str(folder),
        )
    raise UserError(f"no unfinished run of the suite '{suite.name}' here to resume; leave out --resume", place=str(out))


def _has_failed(run: Run) -> bool:
    """Whether a cell would be tried again; False where the cells of the run can't be read."""
    try:
        failed = any(not cell.whole and cell.status is not Status.SKIPPED for cell in run.cells)
        return failed or bool(run.damage)
    except UserError:
        return False


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


class no_room_is_told:  # noqa: N801 - reads as a sentence where it is used
    """That there is no room for a file becomes one sentence; everything flushed before it is kept."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (why := no_room(error)) is not None:
            place = str(getattr(error, "filename", None) or self._folder)
            raise UserError(f"{why} and run it again (`--resume` keeps the cells that ended)", place=place) from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
