"""What a gate says: one row for every metric of a cell that it judged, those that it only watched, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from harness.comparison.metric_kind import Kind
from harness.errors import ExitCode, UserError
from harness.evidence.selection import describe
from harness.gate.verdict import Verdict
from harness.results.record import Scalar
from harness.statistics.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["gate", "guard", "cell"]
"""Declared (or chosen), the quality that a speed counts with, or a whole cell that broke."""
OnInconclusive = Literal["pass", "fail"]


@dataclass(frozen=True)
class Judged:
    """One metric of one cell (of a cell that broke all of them), and its verdict."""

    verdict: Verdict
    reason: str
    """A sentence with the numbers."""
    at: dict[str, Scalar]
    """Model, axes, measure, settings and part."""
    role: Role = "gate"
    metric: str | None = None
    unit: str | None = None
    kind: Kind = Kind.OTHER
    base: float | None = None
    head: float | None = None
    margin: float | None = None
    change: Interval | None = None
    """For the worse, in the unit of the margin: 0.03 is 3 % more time, bytes or nats, or three points less."""
    seen: float | None = None
    """The smallest change for the worse that would have been seen; None where that is not known."""
    p: float | None = None
    """One-sided, of "not worse"."""
    details: dict[str, Any] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    """What else of `at` the words name, as it tells the cell from others that are called the same."""

    @property
    def where(self) -> str:
        """The cell in words: model and axes, and its text or task."""
        return cell_words(self.at, self.apart)


@dataclass(frozen=True)
class Watched:
    """A metric that both runs have and that no one judges: it is shown and never red."""

    metric: str
    unit: str | None
    at: dict[str, Scalar]
    base: float
    head: float
    change: float | None
    """For the worse, as in `Judged`; None where there is no such thing."""
    p: float | None
    """One-sided, of "not worse"; None where nothing gives one."""
    q: float | None = None
    """The smallest false discovery rate at which it is found worse (Benjamini and Hochberg)."""
    note: str = ""

    @property
    def is_undecided(self) -> bool:
        """Whether nothing tells what a difference would mean: a time of stored runs, a cell from the cache."""
        return self.p is None and self.note in (UNDECIDED, CACHED)

    @property
    def is_found(self) -> bool:
        """Whether it stands out among all that are watched."""
        return self.q is not None and self.q <= FALSE_DISCOVERIES


UNDECIDED = "undecided: no runs of identical code to tell what is unusual"
"""Note of a time."""
CACHED = "from the cache"
FALSE_DISCOVERIES = 0.05
"""The share of false ones among those that stand out."""


@dataclass(frozen=True)
class GateResult:
    """Two runs, judged."""

    verdict: Verdict
    reason: str
    rows: tuple[Judged, ...]
    watched: tuple[Watched, ...]
    changes: tuple[str, ...]
    """What is not the same in both: commit, software, keys of the suite."""
    notes: tuple[str, ...]
    """How the set was chosen, what was left out, what expired."""
    base: str
    head: str
    tests: int = 1
    """What alpha was shared among."""
    alpha: float = 0.01
    pass_alpha: float = 0.05
    on_inconclusive: OnInconclusive | None = None
    suite: str = ""
    """The suite whose gate it is, as it was named: a path, or one that ships."""

    @property
    def exit_code(self) -> ExitCode:
        """Of the command."""
        if self.verdict is Verdict.INCONCLUSIVE and self.on_inconclusive is not None:
            return ExitCode.PASS if self.on_inconclusive == "pass" else ExitCode.UNMET
        return self.verdict.exit_code

    @property
    def table(self) -> pd.DataFrame:
        """One row for each judged metric of a cell, then the watched ones (their verdict is `watched`)."""
        import pandas as pd

        judged = [
            {
                **{"metric": row.metric, "verdict": row.verdict.value, "role": row.role, "base": row.base},
                **{"head": row.head, "unit": row.unit, "margin": row.margin, **_ends(row.change)},
                **{"p": row.p, "seen": row.seen, "reason": row.reason, **_prefixed(row.at)},
            }
            for row in self.rows
        ]
        watched = [
            {
                **{"metric": row.metric, "verdict": "watched", "role": "watched", "base": row.base, "head": row.head},
                **{"unit": row.unit, "change": row.change, "p": row.p, "q": row.q, "reason": row.note},
                **_prefixed(row.at),
            }
            for row in self.watched
        ]
        return pd.DataFrame([*judged, *watched])


def refused(error: UserError, suite: str) -> GateResult:
    """The result of a command that an error ended before anything was judged."""
    verdict = Verdict.BASELINE_MISSING if error.exit_code is ExitCode.BASELINE_MISSING else Verdict.USAGE
    return GateResult(verdict, str(error), (), (), (), (), base="", head="", suite=suite)


def cell_words(at: dict[str, Scalar], apart: Sequence[str] = ()) -> str:
    """`nano, int8, microworld/test`: what a person calls a cell. apart: what else is named of it."""
    told = ("model", "precision", "seed", "compute", "threads", "text", "task", "batch", "part", "call", *apart)
    return describe({name: at[name] for name in told if at.get(name) is not None})


def told_apart(cells: Sequence[tuple[str | None, dict[str, Scalar]]]) -> list[tuple[str, ...]]:
    """For each metric of a cell the settings in which it differs from others that the words alone call the same, such
    as the parameters of an imported benchmark."""
    alike: dict[tuple[str | None, str], list[dict[str, Scalar]]] = {}
    keys = [(metric or str(at.get("measure")), cell_words(at)) for metric, at in cells]
    for key, (_, at) in zip(keys, cells, strict=True):
        alike.setdefault(key, []).append(at)
    differing = {
        key: tuple(
            name
            for name in dict.fromkeys(name for at in ats for name in at)
            if len({repr(at.get(name)) for at in ats}) > 1
        )
        for key, ats in alike.items()
    }
    return [differing[key] for key in keys]


def _ends(change: Interval | None) -> dict[str, float | None]:
    if change is None:
        return {"change": None, "change_low": None, "change_high": None}
    return {"change": change.value, "change_low": change.low, "change_high": change.high}


def _prefixed(at: dict[str, Scalar]) -> dict[str, Scalar]:
    taken = ("metric", "verdict", "role", "base", "head", "unit", "margin", "p", "q", "seen", "reason", "change")
    return {f"at_{name}" if name in taken else name: value for name, value in at.items()}
