"""What the gate says of a run beside its baseline, entry by entry: the rows of `harness gate`, each under the entries
that mean it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.comparison.definition import cell_pairs
from harness.comparison.gate_entry import GateEntry
from harness.comparison.gate_set import Gated, declared_set, meant
from harness.gate.accepted import ACCEPT_FILE, read_accepted
from harness.gate.judgment import GateResult, Judged
from harness.gate.stored.judging import find_baseline
from harness.gate.stored.stored_runs import judge_runs
from harness.gate.verdict import Verdict, first_of
from harness.pytest_plugin.said import Properties, Said
from harness.results.baseline import BASELINES
from harness.results.record import Scalar
from harness.results.run import Run

AS_CHOSEN = "quality and counts"
"""What is gated of a suite without `gate:`."""
NOTHING_ELSE = "no cell broke"
"""What no entry is about: cells that were fine in the baseline, and runs that can't be judged."""


@dataclass(frozen=True)
class Gate:
    """A run that was judged. Place -1 is all that no entry is about."""

    result: GateResult
    of_entry: dict[int, list[Judged]]

    def said_of(self, place: int, name: str) -> Said:
        """What it comes to for an entry."""
        rows = self.of_entry.get(place, [])
        if not rows and place < 0:
            return Said("passed", f"{name}: nothing broke")
        if not rows:
            why = "; ".join(self.result.notes) or "neither run has it"
            return Said("undecided", f"{name}: nothing to judge: {why}", (("verdict", "nothing to judge"),))
        verdict = first_of(row.verdict for row in rows)
        counting = [row for row in rows if row.verdict is verdict]
        text = "\n".join(f"{row.verdict.word}: {_of(row)}{row.reason}" for row in counting)
        passed = verdict in (Verdict.PASS, Verdict.MINOR, Verdict.ACCEPTED)
        undecided = verdict is Verdict.INCONCLUSIVE
        return Said("passed" if passed else "undecided" if undecided else "failed", text, _properties(rows, verdict))


def baseline_of(name: str, out: Path, suite: str, root: Path) -> Run:
    """A run by folder, by name, as `baseline:NAME` or `latest`, as it stands now. suite: how that is named, for the
    sentence. root: below which the baselines lie. Raises UserError."""
    run = find_baseline(name, out, f"harness run {suite}", place="--harness-baseline", baselines=root / BASELINES)
    run.manifest  # noqa: B018 - a damaged one is told now
    return run


def judged(base: Run, head: Run, entries: Sequence[GateEntry], root: Path) -> Gate:
    """Judge a run. entries: of its suite; where there are none, quality and counts are chosen and lie at place 0. root:
    where the file of what was agreed to lies. Raises UserError."""
    result = judge_runs(base, head, list(entries), accepted=read_accepted(root / ACCEPT_FILE))
    means = _places(entries, base, head)
    of_entry: dict[int, list[Judged]] = {}
    for row in result.rows:
        for place in means(row):
            of_entry.setdefault(place, []).append(row)
    return Gate(result, of_entry)


def _places(entries: Sequence[GateEntry], base: Run, head: Run) -> Callable[[Judged], list[int]]:
    """Under which entries a row belongs: those that mean it, or a speed that it guards."""
    if not entries:
        return lambda row: [-1 if row.metric is None else 0]
    pairs = cell_pairs(base, head)
    members = declared_set(entries, pairs, base, head).members
    guards = {_key(one): [_key(members[place]) for place in one.guards] for one in members}
    known: dict[int, set[tuple[str | None, str]]] = {}
    for place, entry in enumerate(entries):
        where = dict(entry.where) | ({} if entry.measure is None else {"measure": entry.measure})
        mine = {_key(one) for one in meant(entry.metric, where, pairs, base, head)}
        known[place] = mine | {guard for one in mine for guard in guards.get(one, ())}

    def places(row: Judged) -> list[int]:
        told = [place for place in known if row.metric is None and row.reason.startswith(f"gate.{place}:")]
        return told or [place for place, keys in known.items() if _key(row) in keys] or [-1]

    return places


def _key(one: Gated | Judged) -> tuple[str | None, str]:
    return one.metric, repr(sorted(_items(one.at)))


def _items(at: dict[str, Scalar]) -> Iterable[tuple[str, str]]:
    return ((name, repr(value)) for name, value in at.items())


def _of(row: Judged) -> str:
    if row.metric is not None:
        return "" if row.reason.startswith(f"{row.metric} (") else f"{row.metric} ({row.where}): "
    return f"{row.where}: " if row.at else ""


def _properties(rows: Sequence[Judged], verdict: Verdict) -> Properties:
    """The verdict that counts; then of each row, whose metric and cell stand behind the names of several."""
    found: list[tuple[str, object]] = [("verdict", verdict.value)]
    for row in rows:
        several = len(rows) > 1
        at = f" ({row.metric or 'cell'}, {row.where})" if several else ""
        change = (None,) * 3 if row.change is None else row.change[:3]
        named = {
            "verdict": row.verdict.value if several else None,
            **{"value": row.head, "baseline": row.base, "unit": row.unit},
            **dict(zip(("worse_by", "low", "high"), change, strict=True)),
            "bound": None if row.margin is None else f"worse by less than {row.margin:g}",
        }
        found += [(f"{name}{at}", value) for name, value in named.items() if value not in (None, "")]
    return tuple(found)
