"""How many answers turn from right to wrong, or back, where the same documents are asked in another way.

What a user believes put into the question (sycophancy: Sharma et al. 2023, arXiv:2310.13548), a chat template or none,
the order of the choices, one pronoun for another: an accuracy can stay the same while many answers change. Documents
are paired by their data, so two tasks over the same file are compared row by row. Of two choices an answer changes
exactly where its rightness does; of more, also wrong answers may change to others, which isn't seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from harness import strict_json
from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.evidence.selection import (
    Point,
    counterpart,
    points,
    same,
    selects_point,
    varying_within_models,
    why_no_task,
)
from harness.measures.task.samples.columns import CLUSTER, ITEMS, ROW, TASK
from harness.measures.task.samples.frames import judged, tasks_of
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run
from harness.results.samples import reading_samples

if TYPE_CHECKING:
    import pandas as pd

_HOW_MUCH = ("documents", "generation")
"""Settings that differ from task to task, and say nothing of the way in which it is asked."""


class AnswerChangesSettings(AnalysisSettings):
    """What is compared."""

    between: dict[str, list[Scalar]] = Field(min_length=1, max_length=1)
    """One axis or setting: the value that is the base, then those that are compared with it: `{chat: [false, true]}`,
    `{task: [sycophancy_plain, sycophancy_wrong, sycophancy_right]}`."""
    of: list[str] = Field(default=["acc", "exact_match"], min_length=1)
    """Metrics that are 1 or 0 of a document: the first of them that a task has in both ways."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values."""

    @field_validator("between")
    @classmethod
    def _two_ways(cls, between: dict[str, list[Scalar]]) -> dict[str, list[Scalar]]:
        for axis, values in between.items():
            if len(values) < 2 or len(set(map(repr, values))) < len(values):
                raise ValueError(
                    f"`{axis}` needs two different values at least: the base, and what is compared with it"
                )
        return between


@dataclass(frozen=True)
class _Paired:
    """Of each document that was asked both ways, whether it was right, and what it is not independent of."""

    base: list[bool]
    head: list[bool]
    clusters: list[str]


def run(run: Run, settings: AnswerChangesSettings) -> list[Finding]:
    """Per model and pair of ways: the share of documents that change, and the change of the accuracy."""
    ((axis, (first, *others)),) = settings.between.items()
    pairs: list[tuple[Point, Point]] = []
    seen: set[str] = set()
    for metric in settings.of:
        having = [p for p in points(run, metric) if p.cell.measure == "task" and selects_point(settings.where, p)]
        for point in having:
            at = point.coordinates
            if axis not in at or not same(at[axis], first):
                continue
            for other in others:
                head = counterpart(at, {axis: other}, having)
                key = f"{point.cell.identity} {at.get('part')} {other!r}"
                if head is not None and key not in seen:
                    seen.add(key)
                    pairs.append((point, head))
    names = [name for name in varying_within_models([base.cell for base, _ in pairs]) if name not in _HOW_MUCH]
    findings = [finding for base, head in pairs for finding in _compared(base, head, axis, names)]
    return findings or [_nothing(run, settings, axis)]


def _compared(base: Point, head: Point, axis: str, names: Sequence[str]) -> list[Finding]:
    """names: coordinates that tell this pair from others, beside the model."""
    from harness.statistics.paired_proportions import clustered_difference
    from harness.statistics.proportions import clustered_proportion

    at = base.coordinates
    way = f"{axis} {_word(at[axis])} to {_word(head.coordinates[axis])}"
    subject: dict[str, Scalar] = {"model": base.cell.model, "change": way}
    told = dict.fromkeys(("task", *names, "precision", "part"))
    subject |= {name: at[name] for name in told if name in at and name != axis}
    common: dict[str, Any] = {"analysis": "answer_changes", "subject": subject}
    found = _paired(base, head)
    if isinstance(found, str):
        return [Finding(**common, name="changed", note=found)]
    n = len(found.base)
    lost = sum(b and not h for b, h in zip(found.base, found.head, strict=True))
    won = sum(h and not b for b, h in zip(found.base, found.head, strict=True))
    changes: dict[str, list[int]] = {}
    for cluster, b, h in zip(found.clusters, found.base, found.head, strict=True):
        changes.setdefault(cluster, []).append(b != h)
    share = clustered_proportion([sum(c) for c in changes.values()], [len(c) for c in changes.values()])
    gain = clustered_difference(found.base, found.head, found.clusters)
    units = f"{len(changes)} clusters" if len(changes) < n else "documents"
    note = f"of {n}, {lost} from right to wrong and {won} from wrong to right"
    return [
        Finding(
            **common,
            name="changed",
            value=100 * share.value,
            unit="percent",
            low=None if share.low is None else 100 * share.low,
            high=None if share.high is None else 100 * share.high,
            interval=f"Wilson over {units}",
            n=n,
            note=note,
            data={"right_to_wrong": lost, "wrong_to_right": won},
        ),
        Finding(
            **common,
            name="gain",
            value=100 * gain.value,
            unit="percentage points",
            low=None if gain.low is None else 100 * gain.low,
            high=None if gain.high is None else 100 * gain.high,
            interval=f"Newcombe, paired over {units}",
            n=n,
            note=f"{sum(found.base) / n:.1%} right to {sum(found.head) / n:.1%}",
        ),
    ]


def _paired(base: Point, head: Point) -> _Paired | str:
    """The documents that both have; or why they can't be paired, as a sentence."""
    sides = [_rights(point) for point in (base, head)]
    if any(side is None for side in sides):
        return (
            f"`{base.record.metric}` has no samples, or is more than right and wrong of a document: nothing is paired"
        )
    one, other = (side for side in sides if side is not None)
    shared = [document for document in one if document in other]
    if len(shared) < 2:
        return f"the two share {len(shared)} of {len(one)} and {len(other)} documents: ask both over the same data"
    return _Paired(
        [one[document][0] for document in shared],
        [other[document][0] for document in shared],
        [one[document][1] or document for document in shared],
    )


def _rights(point: Point) -> dict[str, tuple[bool, str | None]] | None:
    """By the document's data: whether it is right, and its cluster. None where a metric is no right or wrong."""
    if point.cell.samples is None:
        return None
    with reading_samples(point.run.samples_file(point.cell)):
        rows, key = _rows(point.run.samples_of(point.cell), point)
        documents = [None if row is None else strict_json.dumps(row, sort_keys=True) for row in ROW.each(rows)]
        items: list[Mapping[str, Any]] = ITEMS.each(rows)
        clusters = CLUSTER.all(rows)
    found: dict[str, tuple[bool, str | None]] = {}
    for document, item, cluster in zip(documents, items, clusters, strict=True):
        if document is None or key not in item:
            continue
        if item[key] not in (0, 1):
            return None
        found.setdefault(document, (bool(item[key]), cluster))
    return found


def _rows(samples: pd.DataFrame, point: Point) -> tuple[pd.DataFrame, str]:
    """The judged rows that a record is of, and the key of its items: a part is a task of a group, a way of extracting,
    or both."""
    part, metric = point.record.part or "", str(point.record.metric)
    task = next((name for name in tasks_of(samples) if part == name or part.startswith(f"{name}/")), None)
    rows = judged(samples if task is None else samples[samples[TASK.name] == task])
    rest = part if task is None else part[len(task) :].removeprefix("/")
    return rows, f"{metric}/{rest}" if rest else metric


def _word(value: Scalar) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _nothing(run: Run, settings: AnswerChangesSettings, axis: str) -> Finding:
    values = " and ".join(_word(value) for value in settings.between[axis])
    why = why_no_task(settings.where, run) or (
        f"no task was asked with {axis} {values} and judged by {' or '.join(settings.of)}; measure both, "
        "all else the same"
    )
    return Finding(analysis="answer_changes", name="changed", note=why, failed=True)


ANSWER_CHANGES = Analysis(
    name="answer_changes",
    about="How many answers change where the same documents are asked in another way: a belief, a template, an order",
    settings=AnswerChangesSettings,
    run=run,
)
