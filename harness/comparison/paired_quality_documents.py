"""The documents of one metric in two runs, put together for a verdict: which pair, which the head lost, which were
edited.

A model, a tokenizer, a chat template and a prompt are the product: documents are paired by their place, however they
were asked. The question, its choices and its right answer are the task: where those differ there is nothing to pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.evidence.per_document import PerDocument, per_document
from harness.evidence.row_digest import ROW_DIGEST, row_digests
from harness.evidence.selection import Point
from harness.measures.measure import NOTES
from harness.measures.registry import declared
from harness.measures.task.samples.columns import (
    BROKEN,
    CHOICES,
    CONTINUATION_IDS,
    DOCUMENT,
    GOLD,
    ITEMS,
    LOG_PROBS,
    QUESTION_DIGEST,
    TARGET,
    TASK,
)
from harness.results.samples import reading_samples

if TYPE_CHECKING:
    import pandas as pd

TASK_OUTPUTS = (BROKEN, CONTINUATION_IDS, LOG_PROBS, ITEMS)
"""Columns of a task's samples that say what the model answered, and what that is worth."""
SHOWN = 3
"""Documents that a sentence names."""


@dataclass(frozen=True)
class PairedDocuments:
    """The documents that both sides scored, in the same order, and what became of the others."""

    base: PerDocument
    head: PerDocument
    lost: tuple[str, ...]
    """Documents that the base scored and the head did not, each with the reason where one is known."""
    gained: int
    """Documents that only the head scored."""
    identical: bool
    """Whether all that was put out is the same, bit for bit."""


@dataclass(frozen=True)
class Unpaired:
    """Why the two can't be paired."""

    reason: str
    is_incomparable: bool = True
    """False: nothing forbids it, but there is no evidence."""


def paired_documents(base: Point, head: Point) -> PairedDocuments | Unpaired:
    """The documents of a metric in two runs. Raises UserError where samples can't be read."""
    a, b = per_document(base), per_document(head)
    for side, evidence in (("base", a), ("head", b)):
        if evidence is None:
            return Unpaired(f"the {side} has no evidence per document of {base.record.metric}", is_incomparable=False)
    assert a is not None and b is not None
    frames = base.run.samples_of(base.cell), head.run.samples_of(head.cell)
    is_task = base.record.measure == "task"
    with reading_samples(base.run.samples_file(base.cell), head.run.samples_file(head.cell)):
        if is_task:
            edited = _edited_questions(*frames, set(a.documents) & set(b.documents))
        else:
            edited = _edited_texts(a, b)
            metric = declared(base.record)
            if not edited and metric is not None and metric.per_token and _other_tokens(a, b):
                return Unpaired(f"the tokenizers differ, and {metric.name} is per token of each one's own")
        if edited:
            what = "question, choices or right answer" if is_task else "text"
            return Unpaired(f"the {what} of {listed(edited)} changed: that is another test")
        why = _broken(frames[1]) if is_task else {}
        identical = _identical(*frames, is_task=is_task)
    return _put_together(a, b, why, identical=identical)


def paired_rows(base: pd.DataFrame, head: pd.DataFrame, a: PerDocument, b: PerDocument) -> PairedDocuments | Unpaired:
    """The same of samples of a text that lie in no run. a, b: their evidence (`of_rows`)."""
    if edited := _edited_texts(a, b):
        return Unpaired(f"the text of {listed(edited)} changed: that is another test")
    return _put_together(a, b, {}, identical=_identical(base, head, is_task=False))


def counted(documents: int) -> str:
    """`1 document`, `2,000 documents`."""
    return "1 document" if documents == 1 else f"{documents:,} documents"


def listed(documents: Sequence[str]) -> str:
    """`document 3`, `documents 3, 4 and 7`, `documents 3, 4, 7 and 5 more`."""
    if len(documents) == 1:
        return f"document {documents[0]}"
    if len(documents) <= SHOWN:
        return f"documents {', '.join(documents[:-1])} and {documents[-1]}"
    return f"documents {', '.join(documents[:SHOWN])} and {len(documents) - SHOWN} more"


def _put_together(
    a: PerDocument, b: PerDocument, why: dict[str, str], *, identical: bool
) -> PairedDocuments | Unpaired:
    places = {name: place for place, name in enumerate(b.documents)}
    both = [place for place, name in enumerate(a.documents) if name in places]
    if not both:
        return Unpaired("the two share no document")
    lost = [name for name in a.documents if name not in places]
    return PairedDocuments(
        base=a.only(both),
        head=b.only([places[a.documents[place]] for place in both]),
        lost=tuple(f"{name} ({why[name]})" if name in why else name for name in lost),
        gained=len(b.documents) - len(both),
        identical=identical,
    )


def _edited_texts(a: PerDocument, b: PerDocument) -> list[str]:
    texts = dict(zip(b.documents, b.texts, strict=True))
    return [name for name, text in zip(a.documents, a.texts, strict=True) if texts.get(name, text) != text]


def _other_tokens(a: PerDocument, b: PerDocument) -> bool:
    """Whether some document that both have was read as other tokens."""
    if a.ids is None or b.ids is None:
        counts = dict(zip(b.documents, b.tokens, strict=True))
        return any(counts.get(name, n) != n for name, n in zip(a.documents, a.tokens, strict=True))
    ids = dict(zip(b.documents, b.ids, strict=True))
    return any(ids.get(name, mine) != mine for name, mine in zip(a.documents, a.ids, strict=True))


def _edited_questions(base: pd.DataFrame, head: pd.DataFrame, names: set[str]) -> list[str]:
    """Documents of tasks whose question, choices or right answer is another. By the digest of the question where both
    have it; prompts don't count."""
    told = (CHOICES, GOLD, TARGET)
    if QUESTION_DIGEST.is_in(base) and QUESTION_DIGEST.is_in(head):
        told = (*told, QUESTION_DIGEST)  # type: ignore[assignment]
    questions = [
        dict(zip(_names(frame), zip(*(column.all(frame) for column in told), strict=True), strict=True))
        for frame in (base, head)
    ]
    return [name for name in questions[0] if name in names and questions[0][name] != questions[1][name]]


def _broken(frame: pd.DataFrame) -> dict[str, str]:
    return {name: why for name, why in zip(_names(frame), BROKEN.all(frame), strict=True) if why is not None}


def _names(frame: pd.DataFrame) -> list[str]:
    """As `PerDocument.documents` names documents of tasks."""
    return [f"{task} {number}" for task, number in zip(TASK.each(frame), DOCUMENT.each(frame), strict=True)]


def _identical(base: pd.DataFrame, head: pd.DataFrame, *, is_task: bool) -> bool:
    """Whether all that was put out is the same, bit for bit; of a baseline that kept no long lists by its digests."""
    if not is_task and (ROW_DIGEST in base or ROW_DIGEST in head):
        return row_digests(base) == row_digests(head)
    return _same(_outputs(base, is_task), _outputs(head, is_task))


def _outputs(frame: pd.DataFrame, is_task: bool) -> dict[str, list[Any]]:
    """What the model put out, by column."""
    if is_task:
        names = [column.name for column in TASK_OUTPUTS if column.name in frame.columns]
    else:
        names = [str(name) for name in frame.columns if name != NOTES]
    return {name: list(frame[name]) for name in names}


def _same(one: Any, other: Any) -> bool:
    """Bit for bit, NaN like NaN."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and one.dtype.kind in "biuf":
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, list | tuple | np.ndarray):
        return (
            isinstance(other, list | tuple | np.ndarray)
            and len(one) == len(other)
            and all(map(_same, list(one), list(other)))
        )
    return bool(one == other) or bool(one != one and other != other)
