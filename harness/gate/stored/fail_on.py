"""What of two stored runs ends `harness compare --fail-on` with an error: metrics that are worse, values that differ,
pairs that can't be compared.

Worse is what the gate calls a FAIL, of every metric that both runs have: worse by the margin of its kind or more, with
a chance of a false alarm of 1 % for all of them together. A time is never worse: two runs made one after the other
don't decide it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from math import inf, isclose
from typing import TYPE_CHECKING, Any

from harness.comparison.definition import CellPair, cell_pairs, what_was_read
from harness.comparison.gate_set import QUALITY, Gated, all_points
from harness.comparison.metric_kind import Kind
from harness.errors import ExitCode, UserError, WrongArgument, shown
from harness.evidence.selection import coordinates
from harness.gate.judgment import Judged, cell_words, told_apart
from harness.gate.stored import stored_ledger
from harness.gate.stored.stored_pair import Known, Levels, broken_cell, judge_measured, why_incomparable
from harness.gate.stored.stored_runs import ALPHA, PASS_ALPHA
from harness.gate.stored.what_changed import of_what
from harness.gate.verdict import Verdict
from harness.results.record import CellResult
from harness.results.run import Run

if TYPE_CHECKING:
    import pandas as pd

MOST = 3
"""Of what fails, how many are named."""


class FailOn(StrEnum):
    """What is looked for."""

    WORSE = "worse"
    DIFFERENT = "different"
    INCOMPARABLE = "incomparable"


@dataclass(frozen=True)
class Found:
    """What was found of one kind."""

    kind: FailOn
    named: tuple[str, ...]
    """A few words each, the worst first."""
    looked_at: int
    what: str
    """What was looked at: `metrics`."""
    notes: tuple[str, ...] = ()
    """What was not decided, a sentence each."""

    @property
    def sentence(self) -> str:
        """How many, and the worst few."""
        if not self.named:
            return f"{self.kind}: none of {self.looked_at} {self.what}"
        more = len(self.named) - MOST
        told = "; ".join(self.named[:MOST]) + (f"; and {more} more" if more > 0 else "")
        return f"{self.kind}: {len(self.named)} of {self.looked_at} {self.what}: {told}"

    @property
    def exit_code(self) -> ExitCode:
        """Of a command that was to fail on it."""
        if not self.named:
            return ExitCode.PASS
        return ExitCode.NOT_COMPARABLE if self.kind is FailOn.INCOMPARABLE else ExitCode.UNMET


def kinds_of(typed: Sequence[str]) -> list[FailOn]:
    """What `--fail-on` means: words, several of them joined by commas. Raises UserError for another word."""
    words = [word.strip() for text in typed for word in text.split(",")]
    known = {str(kind): kind for kind in FailOn}
    if wrong := [word for word in words if word not in known]:
        raise WrongArgument(f"is worse, different or incomparable, not '{shown(wrong[0])}'", place="fail_on")
    return list(dict.fromkeys(known[word] for word in words))


def look_for(
    kinds: Sequence[FailOn], base: Run, head: Run, compared: pd.DataFrame, tolerance: float = 0.0
) -> list[Found]:
    """What was found of each kind. compared: as `harness.comparison.compare` gives it. tolerance: a share of the larger
    value, up to which values are not different. Samples that can't be read are passed over: `compared` tells of
    them."""
    pairs = cell_pairs(base, head)
    points = list(all_points(pairs, base, head))
    found = {
        FailOn.WORSE: lambda: _worse(pairs, points),
        FailOn.DIFFERENT: lambda: _different(base, pairs, points, tolerance),
        FailOn.INCOMPARABLE: lambda: _incomparable(compared),
    }
    return [found[kind]() for kind in kinds]


def _worse(pairs: Sequence[CellPair], points: Sequence[Gated]) -> Found:
    able = [one for one in points if one.base is not None and one.head is not None]
    tested = [one for one in able if one.kind in (*QUALITY, Kind.MEMORY)]
    levels = Levels(ALPHA / max(1, len(tested)), PASS_ALPHA)
    known = Known(levels, cache(stored_ledger.entries), None)
    rows = [row for one in (*tested, *(one for one in able if one.kind is Kind.COUNT)) if (row := _row(one, known))]
    words = told_apart([(row.metric, row.at) for row in rows])
    rows = [replace(row, apart=more) for row, more in zip(rows, words, strict=True)]
    failing = sorted((row for row in rows if row.verdict is Verdict.FAIL), key=_badness)
    broken = list(_broken(pairs, known))
    minor = sum(row.verdict is Verdict.MINOR for row in rows)
    times = sum(one.kind is Kind.TIME for one in able)
    notes = []
    if minor:
        notes.append(f"{minor} more {_are(minor)} worse for certain, but by less than the margin, which doesn't count")
    if unshown := sum(row.verdict is Verdict.INCONCLUSIVE for row in rows):
        notes.append(f"{unshown} more {_are(unshown)} undecided: documents or launches are too few to show the margin")
    if times:
        notes.append(
            f"{times} timed {'metric is' if times == 1 else 'metrics are'} undecided, as two runs made one after the "
            "other decide no time: `harness ab` does"
        )
    named = [*broken, *map(_words, failing)]
    return Found(FailOn.WORSE, tuple(named), len(rows) + len(broken), "metrics", tuple(notes))


def _row(one: Gated, known: Known) -> Judged | None:
    """The verdict; None where the two can't be compared, which is no matter of better or worse."""
    assert one.base is not None and one.head is not None
    try:
        if why_incomparable(one.base, one.head, one.kind) is not None:
            return None
        row = judge_measured(one, one.base, one.head, known)
    except UserError:
        return None
    return None if row.verdict in (Verdict.NOT_COMPARABLE, Verdict.USAGE) else row


def _broken(pairs: Sequence[CellPair], known: Known) -> Iterator[str]:
    for pair in pairs:
        if pair.base is None or pair.head is None:
            continue
        wrong = broken_cell(pair.base, pair.head, pair.why_alone, known)
        if wrong is not None and wrong[0] is Verdict.FAIL:
            yield f"{_cell(pair.cell)}: {wrong[1]}"


def _badness(row: Judged) -> float:
    """The worst first: by how many margins it is worse; what is certain without a number before all."""
    if row.change is None or not row.margin:
        return -inf
    return -row.change.value / row.margin


def _words(row: Judged) -> str:
    reason = row.reason.removeprefix(f"{row.metric}: ")
    return f"{row.metric} ({row.where}): {reason}"


def _different(base: Run, pairs: Sequence[CellPair], points: Sequence[Gated], tolerance: float) -> Found:
    named: dict[str, float] = {}
    for told in _other_digests(pairs, base.manifest.models):
        named[told] = inf
    looked_at, passed = 0, 0
    for one, more in zip(points, told_apart([(one.metric, one.at) for one in points]), strict=True):
        if one.base is None or one.head is None:
            continue
        if one.kind in (Kind.TIME, Kind.MEMORY):
            passed += 1
            continue
        looked_at += 1
        a, b = one.base.record.value, one.head.record.value
        if a is None or b is None or a == b or (a != a and b != b):
            continue
        if tolerance and isclose(a, b, rel_tol=tolerance):
            continue
        share = abs(b - a) / abs(a) if a else inf
        change = f" ({100 * (b - a) / abs(a):+.3g} %)" if a and share < inf else ""
        named[f"{one.metric} ({cell_words(one.at, more)}): {a:,.10g} and {b:,.10g}{change}"] = share
    ranked = sorted(named, key=lambda told: -named[told])
    notes = []
    if passed:
        notes.append(
            f"{passed} measured times and memories are not looked at: they differ from run to run, whatever is run"
        )
    return Found(FailOn.DIFFERENT, tuple(ranked), looked_at + len(named), "values and digests", tuple(notes))


def _other_digests(pairs: Sequence[CellPair], models: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Models, texts and tasks that are not the same in both, each told once. models: of the base's manifest."""
    told: dict[str, None] = {}
    for pair in pairs:
        if pair.base is None or pair.head is None:
            continue
        mine, other = _model_digest(pair.base), _model_digest(pair.head)
        if mine and other and mine != other:
            name = pair.cell.model  # of one with several trainings, `nano seed=1`
            known = (told_of for key, told_of in models.items() if key == name or key.startswith(f"{name} "))
            what = of_what(name, next(known, {}))
            told[f"{what}: {mine[:12]} and {other[:12]}"] = None
        read = what_was_read(pair.base) or {}, what_was_read(pair.head) or {}
        for kind, name in read[0]:
            if read[1].get((kind, name), read[0][kind, name]) != read[0][kind, name]:
                told[f"the {kind} {name}: {read[0][kind, name][:12]} and {read[1][kind, name][:12]}"] = None
    yield from told


def _model_digest(cell: CellResult) -> str | None:
    return next((record.model_digest for record in cell.records if record.model_digest), None)


def _incomparable(compared: pd.DataFrame) -> Found:
    able = compared[~compared["damaged"].astype(bool)]
    reasons: dict[str, int] = {}
    for reason in able.loc[~able["comparable"].astype(bool), "reason"]:
        reasons[str(reason)] = reasons.get(str(reason), 0) + 1
    ranked = sorted(reasons, key=lambda reason: -reasons[reason])
    named = [f"{reason} ({reasons[reason]} times)" if reasons[reason] > 1 else reason for reason in ranked]
    return Found(FailOn.INCOMPARABLE, tuple(named), len(able), "pairs")


def _cell(cell: CellResult) -> str:
    return f"{cell.measure} ({cell_words(coordinates(cell))})"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
