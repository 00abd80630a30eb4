"""Runs as functions: planned, run, found, reported and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.given_models import plain_suite
from harness.api.results import Results
from harness.conclusion import report_again
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.estimate import frame_of, plan_rows
from harness.execution.events import OnEvent, unheard
from harness.execution.preflight.checked_plan import checked_suite, warnings
from harness.results.find import find_cells, find_run, run_before, run_folders
from harness.results.new_folder import why_no_run_there
from harness.results.run import Run
from harness.suite.load import SuiteLike
from harness.workflow import RUNS, run_and_report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from harness.comparison.flip import Difference
    from harness.models.resolved import Resolved
    from harness.report.explanation import Explanation
    from harness.suite.schema import ModelEntry

__all__ = [
    *("Preview", "compare", "diff", "explain", "make_report", "open_cells", "open_run", "open_runs", "plan", "preview"),
    *("ready_model", "run", "show"),
]


def run(
    suite: SuiteLike,
    *,
    out: Path | str = RUNS,
    resume: bool = False,
    fresh: bool = False,
    cached: bool = True,
    allowed: Allowed = NOTHING_MORE,
    on_event: OnEvent = unheard,
) -> Results:
    """Run a suite and return what came out of it.

    suite: a path, a shipped suite's name, a mapping (a model in it may be a `harness.InMemory`), a `harness.Suite`,
    or with `resume` a run folder. resume: go on with the last unfinished run of this suite below `out`, or with the run
    folder that is named; cells that ended well are kept, failed ones are tried again. fresh: measure cells again whose
    results are known from earlier runs; a run that began so goes on so when it is resumed. cached: False neither takes
    results of cells from the cache nor keeps them there, when it is resumed too (trained models and downloads stay).
    allowed: code that may run, and more folders of tasks. on_event: is told how the run goes
    (`harness.execution.events`); nothing is printed. Raises UserError for bad input; a cell that fails is a record, not
    an error.
    """
    with plain_suite(suite) as plain:
        concluded = run_and_report(
            plain, out=out, resume=resume, fresh=fresh, cached=cached, allowed=allowed, on_event=on_event
        )
    return Results.of(concluded.run).with_report(concluded.report)


def show(name: str | Path | Run = "latest", out: str | Path = RUNS) -> Results:
    """The results of a run that is there: by folder, by its name below `out`, `latest`, or `baseline:NAME`. Raises
    UserError where there is none."""
    return Results.of(open_run(name, out))


def open_run(name: str | Path | Run, out: str | Path = RUNS) -> Run:
    """A run by folder, by its name below `out`, or `latest`. Raises UserError where there is none."""
    return find_run(name, Path(out))


def open_cells(name: str | Path | Run, out: str | Path = RUNS) -> Run:
    """The same for who reads a run's cells and samples alone: a damaged report is not told of."""
    return find_cells(name, Path(out))


def open_runs(out: str | Path = RUNS) -> list[Run]:
    """Every run below a folder, the oldest first; `list_runs` has them as a table."""
    return [Run(folder) for folder in run_folders(Path(out))]


def plan(suite: SuiteLike, allowed: Allowed = NOTHING_MORE) -> pd.DataFrame:
    """The cells of a suite: what is cached, and estimates of time and memory. Nothing is run.

    allowed: what the run will be allowed, which is part of the cells' keys.
    """
    return preview(suite, allowed).frame


@dataclass(frozen=True)
class Preview:
    """What a run of a suite would do, and what is to be said of it before."""

    suite: str
    """Its name."""
    rows: tuple[Mapping[str, object], ...]
    """One for each cell, and for each model that has to be fetched or trained first, as `harness.plan` has them."""
    warnings: tuple[str, ...]
    """What may go wrong, a sentence each."""
    notes: tuple[str, ...]
    """Runs that expectations compare with and that are not there, a sentence each."""

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        return frame_of(self.rows)


def preview(suite: SuiteLike, allowed: Allowed = NOTHING_MORE, *, out: str | Path = RUNS) -> Preview:
    """What `harness plan` prints: the plan of a suite with what may go wrong. out: where its run would lie. Nothing is
    run. Raises UserError with every mistake of the suite."""
    from harness.comparison.expected_run import why_no_stored_runs

    with plain_suite(suite) as plain:
        loaded, found = checked_suite(plain, allowed)
        named = suite if isinstance(suite, str | Path) else loaded.suite.name
        notes = tuple(why_no_stored_runs(loaded.suite.expect, Path(out), str(named)))
        told = warnings(found, [item for item in found.cells if not item.cached])
        if (why := why_no_run_there(Path(out))) is not None:
            told.append(f"this suite can't be run from here so: {why}")
        return Preview(loaded.suite.name, tuple(plan_rows(found)), tuple(told), notes)


def make_report(name: str | Path | Run, out: str | Path = RUNS, lm_eval: str | Path | None = None) -> Results:
    """Analyze and report a run again from its cells. lm_eval: a folder for lm-eval's own files of its tasks."""
    run = report_again(open_run(name, out))
    if lm_eval is not None:
        from harness.report.lm_eval_files import write_lm_eval

        write_lm_eval(run, Path(lm_eval))
    return Results.of(run)


def compare(
    base: str | Path | Run | None = None, head: str | Path | Run = "latest", out: str | Path = RUNS
) -> pd.DataFrame:
    """Two runs side by side, with the ratio and its interval for every metric that both have. base: left out, the run
    of the same suite before `head`."""
    from harness.comparison.compare import compare as compare_runs

    first = None if base is None else find_cells(base, Path(out))
    second = find_cells(head, Path(out))
    return compare_runs(first or run_before(second, Path(out)), second)


def diff(
    base: str | Path | Run,
    head: str | Path | Run,
    *,
    of_base: Sequence[str] = (),
    of_head: Sequence[str] = (),
    task: str | None = None,
    metric: str | None = None,
    out: str | Path = RUNS,
) -> Difference:
    """Two runs document by document: `.counts` and `.flips` are DataFrames. of_base, of_head: `precision=int8`."""
    from harness.comparison.flips import flips

    runs = find_cells(base, Path(out)), find_cells(head, Path(out))
    return flips(*runs, of_base=of_base, of_head=of_head, task=task, metric=metric)


def explain(
    name: str | Path | Run,
    task: str | None,
    document: int,
    *,
    model: str | None = None,
    where: Sequence[str] = (),
    out: str | Path = RUNS,
) -> list[Explanation]:
    """What was read and answered of one document, in every cell of a run that has it. task: None where the run has one
    alone. where: `shots=5`."""
    from harness.report.explanation import explanations

    return explanations(find_cells(name, Path(out)), task, document, model, where)


def ready_model(
    name: str,
    entry: ModelEntry,
    *,
    trust_remote_code: bool = False,
    threads: int | None = None,
    prepare: bool = True,
    tell: Callable[[str], None] = lambda said: None,
    on_event: OnEvent = unheard,
) -> Resolved:
    """A model of a suite's `models:`, found, and fetched or trained where it is not there yet: the same folder of the
    cache as in a run.

    prepare: False only finds it. threads: to train with. tell: takes a sentence before something slow. on_event: is
    told how far that is. Raises UserError where it can't be had.
    """
    import tempfile

    from harness.errors import UserError
    from harness.execution.prepare import NotPrepared, prepare_model
    from harness.execution.resolve import resolve
    from harness.threads import default_threads

    found = resolve(name, entry, None, trust_remote_code)
    if found.why_not:
        raise UserError(found.why_not)
    if not prepare or found.ready:
        return found
    if found.asset is not None or found.is_made_here:
        how = f"fetching {found.asset}" if found.asset else "training it"
        how += f" ({found.training.what})" if found.training is not None else ""
        tell(f"{name}: {how}, once: it is kept in the cache")
        with tempfile.TemporaryDirectory(prefix="harness-model-") as folder:
            try:
                log = Path(folder) / "worker.log"
                prepare_model(found, threads or default_threads(), log, on_event, watched=True)
            except NotPrepared as error:
                raise UserError(str(error)) from None
    return resolve(name, entry, None, trust_remote_code)
