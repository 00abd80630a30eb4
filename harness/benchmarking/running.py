"""`harness.run`: a suite, and its models side by side where it asks for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.api.given_models import plain_suite
from harness.api.results import Results
from harness.api.runs import run as run_cells
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.events import OnEvent, unheard
from harness.suite.load import SuiteLike
from harness.workflow import RUNS

HERE = (
    "a model in memory takes turns with the first one in this process: its interval is over rounds, which are no "
    "independent launches"
)


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
    (`harness.execution.events`); nothing is printed. Where the suite has `side_by_side:`, its comparisons are made when
    its cells have ended, and are cells of the same run (`Results.ratios`). Raises UserError for bad input; a cell that
    fails is a record, not an error.
    """
    return run_and_compare(
        suite, out=out, resume=resume, fresh=fresh, cached=cached, allowed=allowed, on_event=on_event
    )


def run_and_compare(
    suite: SuiteLike,
    *,
    out: Path | str,
    resume: bool,
    fresh: bool,
    cached: bool,
    allowed: Allowed,
    on_event: OnEvent,
    tell: Callable[[str], None] = lambda said: None,
) -> Results:
    """What `run` does. tell: is told what is compared, before it is."""
    with plain_suite(suite) as plain:
        ran = run_cells(plain, out=out, resume=resume, fresh=fresh, cached=cached, allowed=allowed, on_event=on_event)
        if "side_by_side:" not in ran.manifest.suite_text:
            return ran
        from harness.benchmarking.side_by_side import asked_of, compare_side_by_side

        asked = asked_of(ran)
        if not asked:
            return ran
        many, launches = len(asked), asked[0].launches
        tell(
            f"{many} comparison{'s' if many > 1 else ''} in lockstep, of {launches} launch"
            f"{'es' if launches > 1 else ''} each (--no-compare leaves them out)"
        )
        if any(one.is_here for one in asked):
            tell(HERE)
        return Results.of(
            compare_side_by_side(ran, asked, trust_remote_code=allowed.trust_remote_code, on_event=on_event)
        )
