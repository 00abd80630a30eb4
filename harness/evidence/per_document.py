"""The evidence of a quality metric document by document, from a cell's samples: what pairing two cells needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.evidence.selection import Point
from harness.measures.task.samples.columns import CLUSTER, DOCUMENT, ITEMS, TASK
from harness.measures.task.samples.frames import digests, in_order, judged, tasks_of
from harness.measures.task.summary import groups_of
from harness.results.samples import reading_samples
from harness.tasks.aggregation.group_scores import by_size

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from harness.results.record import Sums


@dataclass(frozen=True)
class PerDocument:
    """The evidence of a quality metric, one entry per document that scored anything."""

    documents: tuple[str, ...]
    sums: NDArray[np.float64]
    """(documents,) what the mean is of, summed: negative log-likelihood in nats, or a divergence."""
    weights: NDArray[np.float64]
    """(documents,) tokens or bytes: what the mean is taken over."""
    tokens: NDArray[np.float64]
    """(documents,) scored tokens."""
    bytes: NDArray[np.float64]
    """(documents,) bytes of text that the scored tokens stand for."""
    texts: tuple[str, ...]
    """(documents,) digests of the text that was read, after cutting."""
    ids: tuple[str, ...] | None
    """(documents,) digests of the token ids, where the measure keeps them."""
    clusters: tuple[str, ...]
    """(documents,) what is not independent: documents of one cluster share it; a document by itself is its own."""

    def only(self, places: Sequence[int]) -> PerDocument:
        """The same of some documents, in this order."""
        at = list(places)
        return PerDocument(
            tuple(self.documents[place] for place in at),
            self.sums[at],
            self.weights[at],
            self.tokens[at],
            self.bytes[at],
            tuple(self.texts[place] for place in at),
            None if self.ids is None else tuple(self.ids[place] for place in at),
            tuple(self.clusters[place] for place in at),
        )

    def same_tokens(self, other: PerDocument) -> bool:
        """Whether both read the same tokens: the same text under the same tokenizer."""
        if not self.same_text(other):
            return False
        if self.ids is not None and other.ids is not None:
            return self.ids == other.ids
        return bool((self.tokens == other.tokens).all() and (self.bytes == other.bytes).all())

    def same_text(self, other: PerDocument) -> bool:
        """Whether both read the same text, under whatever tokenizer."""
        return self.documents == other.documents and self.texts == other.texts


def per_document(point: Point) -> PerDocument | None:
    """The per-document evidence of a record; None where its metric or its measure has none.

    Raises UserError where the samples can't be read, or have other columns than this measure writes.
    """
    with reading_samples(point.run.samples_file(point.cell)):
        return _of_task(point) if point.record.measure == "task" else _of_text(point)


def _of_text(point: Point) -> PerDocument | None:
    from harness.measures.registry import declared

    metric = declared(point.record)
    sums = None if metric is None else metric.sums
    if sums is None or sums.over is None or point.cell.samples is None:
        return None
    return of_rows(point.run.samples_of(point.cell), sums)


def of_rows(samples: pd.DataFrame, sums: Sums) -> PerDocument:
    """The evidence in samples of a text, one row per document. Raises LookupError for columns that aren't there.

    sums: of a metric that is a mean: it has an `over`.
    """
    over = sums.over or "tokens"
    scored = samples[samples["tokens"] > 0].sort_values("document")
    column = {name: scored[name].to_numpy(dtype=float) for name in {sums.of, over, "tokens", "bytes"}}
    documents = tuple(map(str, scored["document"]))
    return PerDocument(
        documents,
        column[sums.of],
        column[over],
        column["tokens"],
        column["bytes"],
        tuple(map(str, scored["text_digest"])),
        tuple(map(str, scored["ids_digest"])) if "ids_digest" in scored else None,
        documents,
    )


def shared(points: Sequence[Point]) -> tuple[PerDocument, ...] | None:
    """The evidence of points on the documents that all of them have; None where one has none, or none are shared."""
    known = [item for item in map(per_document, points) if item is not None]
    if len(known) < len(points):
        return None
    found = together(known)
    return tuple(found) if len(found[0].documents) > 1 else None


def together(evidence: Sequence[PerDocument]) -> list[PerDocument]:
    """The same, of the documents alone that all of them have with the same text: what can be paired."""
    shared = set.intersection(*(set(zip(item.documents, item.texts, strict=True)) for item in evidence))
    return [
        item.only([place for place, one in enumerate(zip(item.documents, item.texts, strict=True)) if one in shared])
        for item in evidence
    ]


def _of_task(point: Point) -> PerDocument | None:
    """Of a metric that is a mean over the documents of a task, or of a group's documents or tasks."""
    import numpy as np

    if point.cell.samples is None:
        return None
    samples, part, aggregate = _part_of(point.run.samples_of(point.cell), point.record.part or "")
    key = f"{point.record.metric}/{part}" if part else str(point.record.metric)
    rows = in_order(judged(samples))
    rows = rows[[key in each for each in ITEMS.each(rows)]]  # of a group, the tasks that have it
    items = [each.get(key) for each in ITEMS.each(rows)]
    if len(items) < 2 or not all(_is_mean_or_ratio(item) for item in items):
        return None
    pairs = np.array([item if isinstance(item, list) else [item, 1.0] for item in items], dtype=float)
    sums, weights = pairs[:, 0], pairs[:, 1]
    if isinstance(items[0], list):
        sums = -sums / math.log(2)
    value = math.nan if point.record.value is None else point.record.value  # of nothing right it is 0
    counted = _as_the_group_counts(TASK.each(rows), by_size(aggregate, key), sums, weights, value)
    if counted is None:
        return None  # summed up in another way: a perplexity, say
    sums, weights = counted
    names = tuple(f"{task} {number}" for task, number in zip(TASK.each(rows), DOCUMENT.each(rows), strict=True))
    clusters = tuple(
        name if cluster is None else f"{task} cluster {cluster}"
        for name, task, cluster in zip(names, TASK.each(rows), CLUSTER.all(rows), strict=True)
    )
    ones = np.ones(len(rows))
    return PerDocument(names, sums, weights, ones, ones, tuple(map(str, digests(rows))), None, clusters)


def _part_of(samples: pd.DataFrame, part: str) -> tuple[pd.DataFrame, str, Sequence[Mapping[str, Any]]]:
    """The rows of the task or group that a part names, what is left of its name, and how a group sums up its tasks."""
    tasks = tasks_of(samples)
    (_, _, of_all), *groups = groups_of(samples, "", tasks)
    for name, members, aggregate in [*((task, [task], ()) for task in tasks), *groups]:
        if part == name or part.startswith(f"{name}/"):
            return samples[samples[TASK.name].isin(members)], part[len(name) :].removeprefix("/"), aggregate
    return samples, part, of_all


def _as_the_group_counts(
    tasks: Sequence[str],
    by_size: Sequence[bool],
    sums: NDArray[np.float64],
    weights: NDArray[np.float64],
    value: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Sums and weights of documents that make this value: all documents count the same, or all tasks do. None: neither
    of what the group declares is it."""
    import numpy as np

    _, which, sizes = np.unique(np.array(tasks), return_inverse=True, return_counts=True)
    equally = len(tasks) / (len(sizes) * sizes[which])
    for times in (1.0 if documents else equally for documents in by_size):
        a, b = sums * times, weights * times
        if math.isclose(a.sum() / b.sum(), value, rel_tol=1e-9, abs_tol=1e-12):
            return a, b
    return None


def _is_mean_or_ratio(item: object) -> bool:
    """A number, or the log-probability of something with its length."""
    if isinstance(item, list):
        return len(item) == 2 and all(isinstance(entry, int | float) for entry in item) and item[1] > 0
    return isinstance(item, int | float)
