"""The documents of two cells paired, counted and tested, and of those that flipped the reason.

Documents are paired where the same question was asked: the same place in the same task, with the same choices and the
same right answer. Those that were asked in the same words and those that were not are told apart: only of the first
does a difference speak of the models alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.comparison.first_difference import Side, first_difference, margin
from harness.comparison.flip import Flip, Paired
from harness.evidence.answered import answered, metric_columns, pieces
from harness.evidence.selection import describe
from harness.results.record import Direction, Scalar
from harness.statistics.paired_proportions import clustered_difference, paired_counts, sign_flip_test

if TYPE_CHECKING:
    import pandas as pd

SAME, OTHERWISE = "same", "otherwise"
PREFERRED = ("acc", "exact_match", "accuracy", "pass@1")
"""Of several metrics that say right or wrong, which is looked at unless one is named."""
_QUESTION = ("choices", "gold", "target")


@dataclass(frozen=True)
class PairedSamples:
    """The samples of two cells."""

    at: dict[str, Scalar]
    """Where the two cells lie."""
    base: pd.DataFrame
    head: pd.DataFrame
    task: str | None = None
    """Of a group's tasks only this one."""

    def metrics(self) -> list[str]:
        """The metrics that both have and that say right or wrong, of some task at least."""
        joined = self._joined
        groups = joined.groupby("task", sort=False)
        return list(dict.fromkeys(name for _, rows in groups for name in self._binary(rows)))

    def pairs(self, metric: str | None) -> Iterator[Paired]:
        """What was found, by task and by whether the same was asked; then, of several tasks, all together."""
        import pandas as pd

        joined = self._joined
        for asked in (SAME, OTHERWISE):
            mine = joined[joined["asked"] == asked]
            found: list[tuple[str, pd.DataFrame]] = []
            for task in mine["task"].unique():
                rows = mine[mine["task"] == task]
                able = self._binary(rows)
                name = metric if metric in able else _preferred(able) if metric is None else None
                judged = rows[rows[f"{name}_base"].notna() & rows[f"{name}_head"].notna()] if name else rows[:0]
                if name is not None and len(judged):
                    found.append((name, judged))
            for name, judged in found:
                flipped = tuple(self._flip(row, name) for row in judged[_differ(judged, name)].to_dict("records"))
                yield replace(self._paired(str(judged["task"].iloc[0]), name, asked, judged), flips=flipped)
            if len(found) > 1 and len({name for name, _ in found}) == 1:
                whole = pd.concat([judged for _, judged in found])
                yield self._paired(f"all {len(found)}", found[0][0], asked, whole)

    def notes(self) -> Iterator[str]:
        """What could not be paired."""
        where = f"{describe(self.at)}: " if self.at else ""
        lost = [frame["broken"].dropna() if "broken" in frame.columns else () for frame in self._sides]
        told = [
            f"{_documents(len(each))} of the {{}} not judged; the first: {next(iter(each))}" if len(each) else ""
            for each in lost
        ]
        if told[0] == told[1]:
            told = [told[0].replace("of the {}", "of either side"), ""]
        for side, words in zip(("base", "head"), told, strict=True):
            if words:
                yield where + words.replace("{}", side, 1)
        keys = [{*zip(frame["task"], frame["document"], strict=True)} for frame in self._sides]
        for side, count in (("base", len(keys[0] - keys[1])), ("head", len(keys[1] - keys[0]))):
            if count:
                yield f"{where}only the {side} has {_documents(count)}"
        other = len(self._merged) - len(self._joined)
        if other:
            yield (
                f"{where}{_documents(other)} not paired: with other choices or another right answer in the head, from "
                "other data or a changed task"
            )

    @cached_property
    def _sides(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        if self.task is None:
            return self.base, self.head
        return self.base[self.base["task"] == self.task], self.head[self.head["task"] == self.task]

    @cached_property
    def _pieces(self) -> tuple[dict[int, str], dict[int, str]]:
        return pieces(self.base), pieces(self.head)

    @cached_property
    def _merged(self) -> pd.DataFrame:
        whole = [frame[frame["broken"].isna()] if "broken" in frame.columns else frame for frame in self._sides]
        left, right = (
            frame.rename(columns={name: f"{name}_{side}" for name in frame.columns if name not in ("task", "document")})
            for frame, side in zip(whole, ("base", "head"), strict=True)
        )
        return left.merge(right, on=["task", "document"])

    @cached_property
    def _joined(self) -> pd.DataFrame:
        """One row per question that both sides were asked, with `asked`: same or otherwise."""
        import pandas as pd

        merged = self._merged
        told = [name for name in merged.columns if name.rpartition("_")[0] in _QUESTION]
        same = [
            all(_plain(row.get(f"{name}_base")) == _plain(row.get(f"{name}_head")) for name in _QUESTION)
            for row in merged[told].to_dict("records")
        ]
        merged = merged[pd.Series(same, index=merged.index, dtype=bool)].copy()
        if {"text_digest_base", "text_digest_head"} <= set(merged.columns):
            equal = merged["text_digest_base"] == merged["text_digest_head"]
            merged["asked"] = [SAME if one else OTHERWISE for one in equal]
        else:
            merged["asked"] = SAME
        return merged

    def _binary(self, rows: pd.DataFrame) -> list[str]:
        """The metrics that say right or wrong of each of these documents, on both sides."""
        return [name for name in self._numbers if all(_says(rows[f"{name}_{side}"]) for side in ("base", "head"))]

    @cached_property
    def _numbers(self) -> list[str]:
        theirs = set(metric_columns(self.head))
        return [name for name in metric_columns(self.base) if name in theirs]

    def _paired(self, task: str, metric: str, asked: str, rows: pd.DataFrame) -> Paired:
        base, head = _right(rows, metric)
        clusters = _clusters(rows)
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

    def _flip(self, row: dict[Any, Any], metric: str) -> Flip:
        at = {"task": row["task"], "document": row["document"]}
        base = Side(answered(at | _of_side(row, "base")), self._pieces[0])
        head = Side(answered(at | _of_side(row, "head")), self._pieces[1])
        rule = metric.partition("/")[0]
        cause, detail = first_difference(base, head, rule)
        margins = margin(base.document, rule), margin(head.document, rule)
        more = row[f"{metric}_head"] > row[f"{metric}_base"]
        head_right = more != _lower_is_better(row, metric)
        return Flip(str(row["task"]), int(row["document"]), not head_right, head_right, cause, detail, *margins)


def _of_side(row: dict[Any, Any], side: str) -> dict[str, Any]:
    ending = f"_{side}"
    return {str(name).removesuffix(ending): value for name, value in row.items() if str(name).endswith(ending)}


def _says(values: pd.Series[Any]) -> bool:
    """Whether a metric says right (1) or wrong (0) of every document that it is of, and is of any."""
    there = values.dropna()
    return len(there) > 0 and bool(((there == 0) | (there == 1)).all())


def _preferred(metrics: Sequence[str]) -> str | None:
    def rank(name: str) -> int:
        plain = name.partition("/")[0]
        return PREFERRED.index(plain) if plain in PREFERRED else len(PREFERRED)

    able = [name for name in metrics if "failure" not in name]
    return min(able, key=rank) if able else None


def _right(rows: pd.DataFrame, metric: str) -> tuple[pd.Series[bool], pd.Series[bool]]:
    good = 0.0 if _lower_is_better(rows.iloc[0], metric) else 1.0
    return rows[f"{metric}_base"] == good, rows[f"{metric}_head"] == good


def _differ(rows: pd.DataFrame, metric: str) -> pd.Series[bool]:
    return rows[f"{metric}_base"] != rows[f"{metric}_head"]


def _lower_is_better(row: Mapping[Any, Any] | pd.Series[Any], metric: str) -> bool:
    from harness.tasks.judging.specification import entry_of

    spec = row.get("spec_base")
    return isinstance(spec, str) and entry_of(metric, strict_json.loads(spec))["direction"] == Direction.LOWER.value


def _clusters(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The cluster of each document: its passage, or itself."""
    clusters = rows["cluster_base"] if "cluster_base" in rows.columns else [None] * len(rows)
    return [
        (task, "cluster", cluster) if isinstance(cluster, str) else (task, "document", document)
        for task, document, cluster in zip(rows["task"], rows["document"], clusters, strict=True)
    ]


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count:,} documents"


def _plain(value: Any) -> Any:
    """A list of a column as a tuple; what is missing as nothing."""
    if value is None or (isinstance(value, float) and value != value):
        return ()
    return tuple(value) if hasattr(value, "__iter__") and not isinstance(value, str) else value
