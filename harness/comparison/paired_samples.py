"""The documents of two cells paired, counted and tested, and of those that flipped the reason.

Documents are paired where the same question was asked: the same place in the same task, with the same choices and the
same right answer. Those that were asked in the same words and those that were not are told apart: only of the first
does a difference speak of the models alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.comparison.first_difference import Side, first_difference, margin
from harness.comparison.flip import Flip, Paired
from harness.comparison.paired_quality_documents import counted
from harness.evidence.selection import describe
from harness.measures.task.samples.columns import (
    BROKEN,
    CHOICES,
    CLUSTER,
    DOCUMENT,
    GOLD,
    PIECES,
    SPEC,
    TARGET,
    TASK,
    TEXT_DIGEST,
)
from harness.measures.task.samples.frames import metrics_of, of_task, values_of
from harness.measures.task.samples.rows import read
from harness.results.record import Direction, Scalar
from harness.statistics.paired_proportions import clustered_difference, paired_counts, sign_flip_test

if TYPE_CHECKING:
    import pandas as pd

SAME, OTHERWISE = "same", "otherwise"


@dataclass(frozen=True)
class _Asked:
    """A question that both sides were asked."""

    task: str
    number: int
    places: tuple[int, int]
    """Rows of the base and the head."""
    asked: str
    """`SAME` or `OTHERWISE`."""
    cluster: tuple[Any, ...]
    """Its passage, or itself."""


@dataclass(frozen=True)
class PairedSamples:
    """The samples of two cells."""

    at: dict[str, Scalar]
    """Where the two cells lie."""
    base: pd.DataFrame
    head: pd.DataFrame
    task: str | None = None
    """Of a group's tasks only this one."""

    @property
    def questions(self) -> int:
        """How many both sides were asked, and judged."""
        return len(self._joined)

    def metrics(self) -> list[str]:
        """The metrics that both have and that say right or wrong, of some task at least."""
        return list(dict.fromkeys(name for rows in _by_task(self._joined).values() for name in self._binary(rows)))

    def pairs(self, metric: str | None) -> Iterator[Paired]:
        """What was found, by task and by whether the same was asked; then, of several tasks, all together."""
        for asked in (SAME, OTHERWISE):
            found: list[tuple[str, list[_Asked]]] = []
            for rows in _by_task([row for row in self._joined if row.asked == asked]).values():
                able = self._binary(rows)
                name = metric if metric in able else preferred_metric(able) if metric is None else None
                if name is None:
                    continue
                said = zip(rows, self._said(rows, name), strict=True)
                judged = [row for row, both in said if not any(map(math.isnan, both))]
                if judged:
                    found.append((name, judged))
            for name, judged in found:
                said = zip(judged, self._said(judged, name), strict=True)
                flips = tuple(self._flip(row, name, *both) for row, both in said if both[0] != both[1])
                yield replace(self._paired(judged[0].task, name, asked, judged), flips=flips)
            if len(found) > 1 and len({name for name, _ in found}) == 1:
                whole = [row for _, judged in found for row in judged]
                yield self._paired(f"all {len(found)}", found[0][0], asked, whole)

    def notes(self) -> Iterator[str]:
        """What could not be paired."""
        where = f"{describe(self.at)}: " if self.at else ""
        lost = [[why for why in BROKEN.all(frame) if why is not None] for frame in self._sides]
        told = [f"{counted(len(each))} of the {{}} not judged; the first: {each[0]}" if each else "" for each in lost]
        if told[0] == told[1]:
            told = [told[0].replace("of the {}", "of either side"), ""]
        for side, words in zip(("base", "head"), told, strict=True):
            if words:
                yield where + words.replace("{}", side, 1)
        keys = [{*zip(TASK.each(frame), DOCUMENT.each(frame), strict=True)} for frame in self._sides]
        for side, count in (("base", len(keys[0] - keys[1])), ("head", len(keys[1] - keys[0]))):
            if count:
                yield f"{where}only the {side} has {counted(count)}"
        other = len(self._both_judged) - len(self._joined)
        if other:
            yield (
                f"{where}{counted(other)} not paired: with other choices or another right answer in the head, from "
                "other data or a changed task"
            )

    @cached_property
    def _sides(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        if self.task is None:
            return self.base, self.head
        return of_task(self.base, self.task), of_task(self.head, self.task)

    @cached_property
    def _pieces(self) -> tuple[Mapping[int, str], Mapping[int, str]]:
        return PIECES.first(self.base), PIECES.first(self.head)

    @cached_property
    def _specs(self) -> list[Mapping[str, Any]]:
        """Of each row of the base, how its task's items become numbers."""
        return SPEC.all(self._sides[0])

    @cached_property
    def _both_judged(self) -> dict[tuple[str, int], tuple[int, int]]:
        """The rows of each document that both sides judged, by task and document."""
        base, head = (
            {
                (task, number): place
                for place, (task, number, broken) in enumerate(
                    zip(TASK.each(frame), DOCUMENT.each(frame), BROKEN.all(frame), strict=True)
                )
                if broken is None
            }
            for frame in self._sides
        )
        return {key: (place, head[key]) for key, place in base.items() if key in head}

    @cached_property
    def _joined(self) -> list[_Asked]:
        """The questions that both sides were asked."""
        asked = [
            list(zip(*(column.all(frame) for column in (CHOICES, GOLD, TARGET)), strict=True)) for frame in self._sides
        ]
        digests = [TEXT_DIGEST.all(frame) for frame in self._sides]
        are_told = all(TEXT_DIGEST.is_in(frame) for frame in self._sides)
        clusters = CLUSTER.all(self._sides[0])
        found = []
        for (task, number), (base, head) in self._both_judged.items():
            if asked[0][base] == asked[1][head]:
                same = not are_told or digests[0][base] == digests[1][head]
                cluster = clusters[base]
                shared = ("document", number) if cluster is None else ("cluster", cluster)
                found.append(_Asked(task, number, (base, head), SAME if same else OTHERWISE, (task, *shared)))
        return found

    def _binary(self, rows: Sequence[_Asked]) -> list[str]:
        """The metrics that say right or wrong of each of these documents, on both sides."""
        return [
            name for name in self._values if all(map(says_right_or_wrong, zip(*self._said(rows, name), strict=True)))
        ]

    @cached_property
    def _values(self) -> dict[str, tuple[list[float], list[float]]]:
        """By metric that both have, what each row of the two sides says; NaN where it says nothing."""
        theirs = set(metrics_of(self.head))
        base, head = self._sides
        return {
            name: (values_of(base, name), values_of(head, name)) for name in metrics_of(self.base) if name in theirs
        }

    def _said(self, rows: Sequence[_Asked], metric: str) -> list[tuple[float, float]]:
        """What base and head say of each question by a metric."""
        base, head = self._values[metric]
        return [(base[row.places[0]], head[row.places[1]]) for row in rows]

    def _paired(self, task: str, metric: str, asked: str, rows: Sequence[_Asked]) -> Paired:
        good = 0.0 if self._lower_is_better(rows[0], metric) else 1.0
        base, head = ([value == good for value in side] for side in zip(*self._said(rows, metric), strict=True))
        clusters = [row.cluster for row in rows]
        counts = paired_counts(base, head)
        return Paired(
            at=self.at,
            task=task,
            metric=metric,
            asked=asked,
            both=int(counts.both),
            only_base=int(counts.only_base),
            only_head=int(counts.only_head),
            neither=int(counts.neither),
            difference=clustered_difference(base, head, clusters),
            p_value=sign_flip_test(base, head, clusters),
        )

    def _flip(self, row: _Asked, metric: str, before: float, after: float) -> Flip:
        base, head = (
            Side(read(frame.iloc[place].to_dict()), pieces)
            for frame, place, pieces in zip(self._sides, row.places, self._pieces, strict=True)
        )
        rule = metric.partition("/")[0]
        cause, detail = first_difference(base, head, rule)
        margins = margin(base.document, rule), margin(head.document, rule)
        head_right = (after > before) != self._lower_is_better(row, metric)
        return Flip(row.task, row.number, not head_right, head_right, cause, detail, *margins)

    def _lower_is_better(self, row: _Asked, metric: str) -> bool:
        from harness.tasks.judging.specification import entry_of

        spec = self._specs[row.places[0]]
        return bool(spec) and entry_of(metric, spec)["direction"] == Direction.LOWER.value


def _by_task(rows: Sequence[_Asked]) -> dict[str, list[_Asked]]:
    found: dict[str, list[_Asked]] = {}
    for row in rows:
        found.setdefault(row.task, []).append(row)
    return found


def says_right_or_wrong(values: Sequence[float]) -> bool:
    """Whether a metric says right (1) or wrong (0) of every document that it is of, and is of any."""
    there = [value for value in values if not math.isnan(value)]
    return bool(there) and set(there) <= {0.0, 1.0}


def preferred_metric(metrics: Sequence[str]) -> str | None:
    """Of several metrics that say right or wrong, which is looked at unless one is named; none that counts failures."""
    from harness.tasks.judging.metric_table import built_in, place_of_right

    def rank(key: str) -> float:
        place = place_of_right(key.partition("/")[0])
        return math.inf if place is None else place

    def counts_failures(key: str) -> bool:
        declared = built_in(key.partition("/")[0])
        return declared is not None and declared.metric.direction is Direction.LOWER

    able = [key for key in metrics if not counts_failures(key)]
    return min(able, key=rank) if able else None
