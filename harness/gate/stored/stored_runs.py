"""Two stored runs, judged: is the head worse than the base, in quality, speed, memory or anything that is counted?

Comparability first. Then the gate set, each metric of a cell by its kind; then cells that were fine in the base and
broke; then everything else, which is only watched. Alpha holds for the whole command: it is shared among its tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from harness.comparison.definition import CellPair, cell_pairs, definition_of
from harness.comparison.gate_entry import GateEntry
from harness.comparison.gate_set import Gated, GateSet, all_points, declared_set, sensible_set
from harness.comparison.metric_kind import Kind
from harness.errors import UserError
from harness.gate.accepted import Accepted
from harness.gate.judgment import GateResult, Judged, OnInconclusive, told_apart
from harness.gate.stored import stored_ledger
from harness.gate.stored.generated_length import why_other_length
from harness.gate.stored.stored_ledger import StoredPair, run_id
from harness.gate.stored.stored_pair import MEASURE_AGAIN, Known, Levels, broken_cell, judge_pair
from harness.gate.stored.stored_speed import log_time_ratio
from harness.gate.stored.watching import watch
from harness.gate.stored.what_changed import is_identical_code, ran_the_same, what_changed
from harness.gate.verdict import Verdict, first_of
from harness.results.record import CellResult, Scalar
from harness.results.run import Run
from harness.suite.document import parse_suite_text
from harness.suite.load import parse_gate

ALPHA, PASS_ALPHA = 0.01, 0.05
"""Of a false FAIL of the whole command, and of a PASS of a metric that is worse by its margin or more."""


@dataclass(frozen=True)
class _Runs:
    """Both runs, with what is wrong in either."""

    base: Run
    head: Run
    problems: tuple[str, ...]
    why_lost: str | None
    """What is wrong in the head, where it may be why a cell is missing."""


def judge_runs(
    base: Run,
    head: Run,
    gate: Sequence[GateEntry] | None = None,
    *,
    guards: Sequence[Gated] = (),
    tests_beside: int = 0,
    accepted: Accepted | None = None,
    on_inconclusive: OnInconclusive | None = None,
    today: date | None = None,
) -> GateResult:
    """The verdict on the head. gate: entries to judge by (None: those of the head's own suite, or a sensible set where
    that has none). guards, tests_beside: of speeds that are decided elsewhere, in the same command: the quality that
    they count with, and how many they are. Raises UserError where one of the runs is no run, or both are the same
    one."""
    runs = _looked_at(base, head)
    pairs = cell_pairs(base, head)
    entries = declared_gate(head) if gate is None else gate
    chosen = declared_set(entries, pairs, base, head, guards) if entries or guards else sensible_set(pairs, base, head)
    tests = max(1, tests_beside + sum(one.kind is not Kind.COUNT for one in chosen.members))
    known = Known(Levels(ALPHA / tests, PASS_ALPHA), cache(stored_ledger.entries), runs.why_lost)
    rows, notes = _judged(chosen, known)
    if any(pair.changed or (pair.base is not None and pair.head is not None) for pair in pairs):
        rows += _broken(pairs, rows, known)
    else:  # that says nothing of the code, as another suite is no fault of it
        rows = [_nothing_in_common(runs)]
    gated = {one.identity for one in chosen.members}
    points = list(all_points(pairs, base, head))
    watched = watch((one for one in points if one.identity not in gated), known)
    notes = [*chosen.notes, *notes, *_unpaired(pairs, rows)]
    if is_identical_code(base, head):
        notes += _remembered(points)
    agreed, day = accepted or Accepted(), today or date.today()
    rows = agreed.applied(rows, day)
    rows += [_problem(why) for why in (*runs.problems, *chosen.problems)]
    words = told_apart([(row.metric, row.at) for row in rows])
    rows = [replace(row, apart=more) for row, more in zip(rows, words, strict=True)]
    verdict, reason = verdict_of(rows)
    return GateResult(
        verdict=verdict,
        reason=reason,
        rows=tuple(rows),
        watched=tuple(watched),
        changes=tuple(what_changed(base, head)),
        notes=tuple(dict.fromkeys([*notes, *agreed.notes(day)])),
        base=base.name,
        head=head.name,
        tests=tests,
        alpha=ALPHA,
        pass_alpha=PASS_ALPHA,
        on_inconclusive=on_inconclusive,
        suite=head.manifest.suite_source,
    )


def declared_gate(run: Run) -> list[GateEntry]:
    """The `gate:` of the suite that a run ran. Raises UserError where it can't be read."""
    document = parse_suite_text(run.manifest.suite_text, str(run.folder / "manifest.json"))
    return parse_gate(document)


def _looked_at(base: Run, head: Run) -> _Runs:
    """Both runs with what is damaged or unfinished in them. Raises UserError for one that can't be read at all."""
    if base.folder.resolve() == head.folder.resolve() or run_id(base) == run_id(head):
        raise UserError(
            f"the base and the run are the same run ({head.name}), which would pass whatever changed: name another "
            "--baseline",
            place=str(head.folder),
        )
    problems: dict[str, list[str]] = {}
    for side, run in (("base", base), ("head", head)):
        problems[side] = list(run.damage_of_cells)
        if run.manifest.status != "finished":
            problems[side].append(
                f"{run.folder}: this run is {run.status}, not finished; `harness run --resume {run.folder}` "
                "goes on with it"
            )
    why_lost = problems["head"][0] if problems["head"] else None
    return _Runs(base, head, (*problems["base"], *problems["head"]), why_lost)


def _judged(chosen: GateSet, known: Known) -> tuple[list[Judged], list[str]]:
    """A row for each member that the base has, and a note for each that it lacks; speeds with what guards them."""
    found: list[Judged | str] = [judge_pair(one, known) for one in chosen.members]
    rows: list[Judged] = []
    for member, row in zip(chosen.members, found, strict=True):
        if isinstance(row, str):
            continue
        rows.append(_guarded(member, row, chosen, found) if member.kind is Kind.TIME else row)
    of_base = {row.metric for row in rows if row.verdict is Verdict.NOT_COMPARABLE and row.base is not None}
    rows = [row for row in rows if not (row.base is None and row.metric in of_base)]  # each change is told once
    return rows, [row for row in found if isinstance(row, str)]


def _guarded(speed: Gated, row: Judged, chosen: GateSet, found: Sequence[Judged | str]) -> Judged:
    """A speed, void where the quality that it counts with did not pass, or where the head wrote another amount."""
    if row.verdict in (Verdict.FAIL, Verdict.USAGE, Verdict.NOT_COMPARABLE) and row.head is None:
        return row
    void = []
    for place in speed.guards:
        guard = found[place]
        if isinstance(guard, str):
            void.append(guard)
        elif guard.verdict not in (Verdict.PASS, Verdict.MINOR):
            void.append(f"{guard.metric} ({guard.where}) is {guard.verdict.word}")
    both = [(one.base, one.head) for one in (speed, *(chosen.members[place] for place in speed.guards))]
    longer = why_other_length((a, b) for a, b in both if a is not None and b is not None)
    if longer is not None:
        void.append(longer)
    if not void or row.verdict is Verdict.NOT_COMPARABLE:
        return row
    why = f"void, as a speed counts only where its quality passed: {'; '.join(void)}"
    return replace(row, verdict=Verdict.INCONCLUSIVE, reason=f"{why}. {row.reason}")


def _broken(pairs: Sequence[CellPair], rows: Sequence[Judged], known: Known) -> list[Judged]:
    """A row for each cell that was fine in the base and is not in the head, and that no row tells of yet."""
    told = [row.at for row in rows if row.verdict in (Verdict.FAIL, Verdict.USAGE, Verdict.NOT_COMPARABLE)]
    found = []
    for pair in pairs:
        if pair.base is None or pair.changed:
            continue
        wrong = broken_cell(pair.base, pair.head, pair.why_alone, known)
        at = definition_of(pair.base)
        if wrong is None or any(_is_of(one, at) for one in told):
            continue
        found.append(Judged(verdict=wrong[0], reason=wrong[1], at=at, role="cell"))
    return found


def _is_of(row: Mapping[str, Scalar], cell: Mapping[str, Scalar]) -> bool:
    return all(row.get(name) == value for name, value in cell.items())


def _unpaired(pairs: Sequence[CellPair], rows: Sequence[Judged]) -> list[str]:
    """Cells that have no other half and that no row tells of, a sentence each."""
    told = []
    for pair in pairs:
        if pair.base is not None and pair.head is not None:
            continue
        at = definition_of(pair.cell)
        if any(_is_of(row.at, at) for row in rows):
            continue
        told.append(f"{_title(pair.cell)}: {pair.why_alone}")
    return told[:10] + ([f"and {len(told) - 10} more cells that one run lacks"] if len(told) > 10 else [])


def _title(cell: CellResult) -> str:
    return " ".join(map(str, (cell.model, *cell.axes.values(), cell.measure)))


def _remembered(points: Sequence[Gated]) -> list[str]:
    """Identical code: the times of both runs go into the ledger."""
    pairs: list[StoredPair] = []
    for one in points:
        if one.kind is not Kind.TIME or one.base is None or one.head is None:
            continue
        a, b = one.base, one.head
        measured = a.cell.source == b.cell.source == "measured" and ran_the_same(a.cell, b.cell)
        measured = measured and not set(a.cell.conditions.get("files", ())) & set(b.cell.conditions.get("files", ()))
        if not measured or a.record.fingerprint_class != b.record.fingerprint_class:
            continue
        if (d := log_time_ratio(a, b)) is not None:
            pairs.append(stored_ledger.pair_of(a, b, d))
    added = stored_ledger.keep(pairs)
    return [f"both runs are of identical code: {added} of their times went into the ledger"] if added else []


def _nothing_in_common(runs: _Runs) -> Judged:
    suites = " and ".join(
        f"{run.manifest.suite} with {_count(len(run.cells), 'cell')}" for run in (runs.base, runs.head)
    )
    why = f"the two runs have no cell in common ({suites})"
    verdict = Verdict.NOT_COMPARABLE if runs.why_lost is None else Verdict.USAGE
    return Judged(verdict=verdict, reason=why, at={}, role="cell")


def _problem(why: str) -> Judged:
    return Judged(verdict=Verdict.USAGE, reason=why, at={}, role="cell")


def verdict_of(rows: Sequence[Judged]) -> tuple[Verdict, str]:
    """The verdict that counts, and why."""
    judged = [row for row in rows if row.role != "cell"]
    if not rows:
        return Verdict.NOT_COMPARABLE, "nothing that the gate judges is in both runs"
    if not judged and all(row.verdict is Verdict.PASS for row in rows):
        return Verdict.NOT_COMPARABLE, "nothing that the gate judges is in both runs"
    verdict = first_of(row.verdict for row in rows)
    if judged and all(MEASURE_AGAIN in row.reason for row in judged) and verdict is Verdict.INCONCLUSIVE:
        return verdict, f"every cell of the gate came from the cache, which proves nothing: {MEASURE_AGAIN}"
    those = [row for row in rows if row.verdict is verdict]
    if verdict is Verdict.PASS:
        return verdict, f"{_count(len(judged), 'metric')} of {_count(len({row.where for row in judged}), 'cell')}"
    first = those[0]
    name = f"{first.metric} ({first.where}): " if first.metric else f"{first.where}: " if first.at else ""
    of = f"{len(those)} of {len(rows)}: " if len(rows) > 1 else ""
    reason = first.reason.removeprefix(f"{first.metric}: ")
    return verdict, f"{of}{name}{reason}" + (f"; and {len(those) - 1} more" if len(those) > 1 else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
