"""A document as one row of samples, and back. Columns are told in `docs/tasks.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from harness.measures.measure import Sample
from harness.measures.task.samples import columns
from harness.measures.task.samples.cell import CellFacts
from harness.measures.task.samples.document import Document, Request, Right
from harness.scoring.round_trip import RoundTrip

T = TypeVar("T")


def write(document: Document) -> Sample:
    """The row of a document. Raises where something in it can't be stored."""
    row = (
        columns.TASK.cell(document.task) | columns.DOCUMENT.cell(document.number) | columns.BROKEN.cell(document.broken)
    )
    if document.broken is None:
        row |= _asked(document) | _answered(document) | _judged(document)
    if document.row is not None:
        row |= columns.ROW.cell(document.row) | columns.SHOWN_TARGET.cell(document.shown_target)
    return row | _lost(document.lost) | (columns.SPEC.cell(document.spec) if document.spec else {})


def in_first_row(facts: CellFacts) -> Sample:
    """What the first row of a cell has beside its document."""
    return (
        columns.GROUPS.cell(facts.groups)
        | columns.TASKS.cell(facts.tasks)
        | columns.CONTEXT.cell(facts.context)
        | columns.WHOLE_DOCUMENTS.cell(facts.whole_documents)
        | columns.FAILED.cell(facts.failed)
        | columns.PIECES.cell(facts.pieces)
    )


def read(row: Mapping[Any, Any]) -> Document:
    """The document of a row, as `frame.loc[i].to_dict()` gives it, with whatever columns it has."""
    scored = columns.SCORED_BYTES.of(row)
    return Document(
        task=columns.TASK.of(row),
        number=columns.DOCUMENT.of(row),
        broken=columns.BROKEN.of(row),
        cluster=columns.CLUSTER.of(row),
        shots=columns.SHOTS.of(row),
        gold=columns.GOLD.of(row),
        target=columns.TARGET.of(row),
        choices=columns.CHOICES.of(row),
        chance=columns.CHANCE.of(row),
        text_digest=columns.TEXT_DIGEST.of(row),
        question_digest=columns.QUESTION_DIGEST.of(row),
        prompts=columns.PROMPTS.of(row),
        requests=_requests(row),
        right=right(row),
        extracted=columns.EXTRACTED.of(row),
        programs=columns.PROGRAMS.of(row),
        wrong_by_space=columns.WRONG_BY_SPACE.of(row),
        predictions=columns.PREDICTIONS.of(row),
        items=columns.ITEMS.of(row),
        row=columns.ROW.of(row),
        shown_target=columns.SHOWN_TARGET.of(row),
        lost=None if scored is None else _round_trip(row, scored),
        spec=columns.SPEC.of(row),
    )


def right(row: Mapping[Any, Any]) -> Right | None:
    """What a row tells of the right answer's likelihood, beside a written one."""
    log_probs = columns.RIGHT_LOG_PROBS.of(row)
    return None if log_probs is None else Right(log_probs, columns.RIGHT_HITS.of(row) or 0, columns.RIGHT.of(row))


def _asked(document: Document) -> Sample:
    return (
        columns.CLUSTER.cell(document.cluster)
        | columns.SHOTS.cell(document.shots)
        | columns.GOLD.cell(document.gold)
        | columns.TARGET.cell(document.target)
        | columns.CHOICES.cell(document.choices)
        | columns.CHANCE.cell(document.chance)
        | columns.TEXT_DIGEST.cell(document.text_digest)
        | columns.QUESTION_DIGEST.cell(document.question_digest)
        | columns.PROMPTS.cell(document.prompts)
    )


def _answered(document: Document) -> Sample:
    """Prompts as tokens stand there once, however many requests share them."""
    requests, written = document.requests, document.written
    places: dict[tuple[int, ...], int] = {}
    prompt_of = tuple(places.setdefault(request.prompt, len(places)) for request in requests)
    contexts = tuple(request.context for request in requests if request.context is not None)
    cut = tuple(request.cut for request in requests)
    row = {} if written else columns.CONTEXT_OF.cell(contexts)
    row |= (
        columns.PROMPT_IDS.cell(tuple(places))
        | columns.PROMPT_OF.cell(prompt_of)
        | columns.CUT.cell(cut[:1] if written else cut)
        | columns.CONTINUATIONS.cell(tuple(request.text for request in requests if request.text is not None))
        | columns.CONTINUATION_IDS.cell(tuple(request.continuation for request in requests))
        | columns.LOG_PROBS.cell(tuple(request.log_probs for request in requests))
    )
    return row | (_written(document) if written else _scored(requests))


def _scored(requests: Sequence[Request]) -> Sample:
    greedy = columns.GREEDY.cell(tuple(request.greedy is True for request in requests))
    return greedy | columns.HITS.cell(tuple(request.hits or 0 for request in requests))


def _written(document: Document) -> Sample:
    requests = document.requests
    row = columns.FINISH.cell(tuple(request.finish or "" for request in requests))
    if any(request.thought is not None for request in requests):
        row |= columns.THOUGHTS.cell(tuple(request.thought or "" for request in requests))
        row |= columns.ANSWERED.cell(tuple(request.answered for request in requests))
    row |= (
        columns.EXTRACTED.cell(document.extracted)
        | columns.PROGRAMS.cell(document.programs)
        | columns.WRONG_BY_SPACE.cell(document.wrong_by_space)
    )
    if document.right is None:
        return row
    row |= columns.RIGHT_LOG_PROBS.cell(document.right.log_probs) | columns.RIGHT_HITS.cell(document.right.hits)
    return row | (columns.RIGHT.cell(document.right.text) if document.right.text is not None else {})


def _judged(document: Document) -> Sample:
    """Items as they are summed up, and those that are numbers in columns of their own."""
    numbers = {
        key: float(item)
        for key, item in document.items.items()
        if isinstance(item, int | float) and key not in columns.NAMES
    }
    return columns.PREDICTIONS.cell(document.predictions) | columns.ITEMS.cell(document.items) | numbers


def _lost(lost: RoundTrip | None) -> Sample:
    if lost is None:
        return {}
    return (
        columns.SCORED_BYTES.cell(lost.bytes)
        | columns.LOST_BYTES.cell(lost.lost)
        | columns.ADDED_BYTES.cell(lost.added)
        | columns.LOST_EXAMPLE.cell(lost.example or None)
    )


def _round_trip(row: Mapping[Any, Any], scored: int) -> RoundTrip:
    return RoundTrip(
        scored, columns.LOST_BYTES.of(row) or 0, columns.ADDED_BYTES.of(row) or 0, columns.LOST_EXAMPLE.of(row) or ""
    )


def _requests(row: Mapping[Any, Any]) -> tuple[Request, ...]:
    continuations, prompts = columns.CONTINUATION_IDS.of(row), columns.PROMPT_IDS.of(row)
    count = len(continuations)
    places, cut = _padded(columns.PROMPT_OF.of(row), count), _padded(columns.CUT.of(row), count)
    log_probs, texts = _padded(columns.LOG_PROBS.of(row), count), _padded(columns.CONTINUATIONS.of(row), count)
    greedy, hits = _padded(columns.GREEDY.of(row), count), _padded(columns.HITS.of(row), count)
    contexts, finish = _padded(columns.CONTEXT_OF.of(row), count), _padded(columns.FINISH.of(row), count)
    thoughts, answered = _padded(columns.THOUGHTS.of(row), count), _padded(columns.ANSWERED.of(row), count)
    return tuple(
        Request(
            prompt=prompts[places[at] or 0] if prompts else (),
            cut=cut[at] or 0,
            continuation=continuations[at],
            log_probs=log_probs[at] or (),
            text=texts[at],
            greedy=greedy[at],
            finish=finish[at],
            thought=thoughts[at],
            answered=answered[at] is not False,
            hits=hits[at],
            context=contexts[at],
        )
        for at in range(count)
    )


def _padded(told: Sequence[T], count: int) -> list[T | None]:
    """One entry per request: a single entry holds for all, what is missing is None."""
    return [*told] * count if len(told) == 1 else [*told, *[None] * (count - len(told))]
