"""`harness gate` as a function: two runs by name, the gate's entries, what was agreed to, and the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from harness.errors import UserError, WrongArgument, shown
from harness.gate.accepted import ACCEPT_FILE, add_acceptances, read_accepted
from harness.gate.judgment import GateResult, OnInconclusive
from harness.gate.stored.stored_runs import declared_gate, judge_runs
from harness.results.baseline import (
    BASELINES,
    PREFIX,
    Baseline,
    BaselineMissing,
    baselines_of,
    is_baseline,
    named_baseline,
    suite_baseline,
)
from harness.results.find import find_cells, run_folders
from harness.results.run import Run
from harness.results.run_folder import MANIFEST
from harness.suite.load import load_suite

DAYS = 90
"""How long an agreement holds that names no day."""


def judge(
    run: str | Path | Run,
    baseline: str | Path | Run | None = None,
    *,
    suite: str | None = None,
    on_inconclusive: str | None = None,
    accept: str | None = None,
    expires: date | str | None = None,
    accept_file: str | Path = ACCEPT_FILE,
    out: str | Path = "results/runs",
) -> GateResult:
    """The verdict on a run: `.verdict`, `.exit_code`, `.reason` and the DataFrame `.table`.

    run, baseline: runs, their folders, names of runs below `out`, `latest`, or a baseline's name; without `baseline` it
    is that of the run's suite in results/baselines (`results.baseline.nearest` says where that is). suite: whose
    `gate:` is used where the run's own suite has none.
    on_inconclusive: what that exits as, `pass` or `fail`. accept: a reason for which what fails is agreed to, until
    `expires`, a day such as 2027-01-31 (in 90 days); it is written to `accept_file`, whose agreements hold. Raises
    UserError for bad input, and BaselineMissing where there is no such baseline.
    """
    chosen = policy(on_inconclusive)
    last_day = expiry(expires) if isinstance(expires, str) else expires
    if expires is not None and accept is None:
        raise WrongArgument("says how long `accept` holds; give that too", place="expires", beside=("accept",))
    if accept is not None and not accept.strip():
        raise WrongArgument("needs a reason, such as 'int4 halves the memory'", place="accept")
    head = run if isinstance(run, Run) else find_cells(str(run), Path(out))
    base = baseline if isinstance(baseline, Run) else base_of(head, baseline, Path(out))
    entries, named = declared_gate(head), head.manifest.suite_source
    if not entries and suite is not None:
        named = suite
        entries = list(load_suite(suite).suite.gate)
        if not entries:
            raise UserError("this suite has no `gate:`", place=suite)
    file = Path(accept_file)
    result = judge_runs(base, head, entries, accepted=read_accepted(file), on_inconclusive=chosen)
    if accept is None:
        return replace(_with_base(result, base), suite=named)
    until = last_day or date.today() + timedelta(days=DAYS)
    commit = str(head.manifest.git.get("commit") or "")
    add_acceptances(result.rows, accept.strip(), until, file, commit=commit)
    result = judge_runs(base, head, entries, accepted=read_accepted(file), on_inconclusive=chosen)
    return replace(_with_base(result, base), suite=named)


def policy(text: str | None) -> OnInconclusive | None:
    """What an INCONCLUSIVE exits as; None where nothing is said. Raises UserError for another word."""
    for one in get_args(OnInconclusive):
        if text == one:
            found: OnInconclusive = one
            return found
    if text is not None:
        raise WrongArgument(f"is pass or fail, not '{shown(text)}'", place="on_inconclusive")
    return None


def expiry(text: str) -> date:
    """A day as it is written, `2027-01-31`. Raises UserError for what is none, or is past."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise WrongArgument(f"is a day such as 2027-01-31, not '{shown(text)}'", place="expires") from None
    if day < date.today():
        raise WrongArgument(f"{day} is past, so that nothing would be accepted", place="expires")
    return day


def _with_base(result: GateResult, base: Run) -> GateResult:
    """The result, which says of a baseline what it is."""
    moves = Baseline(base.folder).moves if is_baseline(base.folder) else []
    if not moves:
        return result
    last = moves[-1]
    commit = f" of commit {last.commit[:12]}" if last.commit else ""
    told = f"the baseline is {PREFIX}{base.name}: the run {last.run}{commit}, set by {last.who} on {last.time[:10]}"
    return replace(result, base=f"{PREFIX}{base.name}", notes=(f"{told} ({last.why})", *result.notes))


def _of_suite(head: Run) -> Run:
    """The baseline of the run's suite. Raises BaselineMissing, with how one is made, where there is none."""
    suite, folder = head.manifest.suite, baselines_of(head.manifest.suite_source)
    try:
        found = suite_baseline(suite, folder)
    except BaselineMissing as error:
        raise BaselineMissing(
            f"{error.message}: name a run with --baseline, or make one of the run to compare with: `harness baseline "
            "set RUN --why REASON`",
            place=error.place,
        ) from None
    return find_cells(f"{PREFIX}{found.name}", head.folder.parent, folder)


def _made_by(head: Run) -> str:
    """The command that makes another run of what this one is of."""
    if head.manifest.imported:
        return f"harness import FILE --name {head.manifest.suite}"
    return f"harness run {head.manifest.suite_source}"


def base_of(head: Run, baseline: str | Path | None = None, out: str | Path = "results/runs") -> Run:
    """The run that `harness.judge` compares a run with. Raises UserError, and BaselineMissing where there is none."""
    if baseline is None:
        return _of_suite(head)
    return find_baseline(str(baseline), Path(out), _made_by(head), baselines=baselines_of(head.manifest.suite_source))


def find_baseline(name: str, out: Path, made_by: str, *, place: str = "--baseline", baselines: Path = BASELINES) -> Run:
    """The run to compare with: a folder, the name of a run below `out` or of a baseline, or `latest`.

    made_by: the command that makes one, for the sentence. place: of the name. Raises BaselineMissing, with how one is
    made, where there is no such run, and UserError where there are several or it can't be read.
    """
    make = f"`{made_by}` at the code to compare with makes one"
    if not name.strip():
        raise BaselineMissing(f"no baseline is named; {make}", place=place)
    try:
        return find_cells(name, out, baselines)
    except BaselineMissing as error:  # which says how a baseline is made
        raise BaselineMissing(str(error), place=place) from None
    except UserError as error:
        # a damaged one is no missing one, and neither are several
        is_there = (Path(name) / MANIFEST).is_file() or named_baseline(name.removeprefix(PREFIX), baselines) is not None
        if is_there or any(name in folder.name for folder in run_folders(out)):
            raise
        raise BaselineMissing(f"there is no baseline '{shown(name)}' ({error}); {make}", place=place) from None
