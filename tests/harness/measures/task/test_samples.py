"""The layout of the measure `task`'s samples: what is written is what is read, whatever kind of document."""

from __future__ import annotations

import ast
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.measures.task.samples import columns
from harness.measures.task.samples.cell import CellFacts, Group, ToldTask
from harness.measures.task.samples.column import Column
from harness.measures.task.samples.document import Document, Request, Right
from harness.measures.task.samples.frames import document as document_of
from harness.measures.task.samples.frames import documents, metrics_of, values_of
from harness.measures.task.samples.rows import in_first_row, read, write
from harness.scoring.round_trip import RoundTrip

NUMBERS = st.floats(-1e9, 1e9)
COUNTS = st.integers(0, 10**6)
TOKENS = st.lists(COUNTS, max_size=4).map(tuple)
TEXTS = st.lists(st.text(max_size=6), max_size=3).map(tuple)
ITEMS = st.dictionaries(
    st.sampled_from(["acc", "acc_norm", "exact_match/strict", "f1", "hits", "document"]),
    NUMBERS | st.integers(0, 9) | st.lists(NUMBERS, min_size=2, max_size=2),
)
JSON = st.dictionaries(st.text(max_size=4), NUMBERS | st.text(max_size=4) | st.none() | st.lists(COUNTS, max_size=2))


@st.composite
def scored(draw: st.DrawFn, text: str | None, context: int | None) -> Request:
    """A request whose likelihood was taken."""
    continuation = draw(st.lists(COUNTS, min_size=1, max_size=3).map(tuple))
    hits = draw(st.integers(0, len(continuation)))
    log_probs = draw(st.tuples(*[NUMBERS] * len(continuation)))
    whole = hits == len(continuation)
    return Request(draw(TOKENS), draw(COUNTS), continuation, log_probs, text, whole, None, None, True, hits, context)


@st.composite
def written(draw: st.DrawFn) -> tuple[Request, ...]:
    """Answers that a model wrote, with or without thoughts."""
    prompt, cut, thinks = draw(TOKENS), draw(COUNTS), draw(st.booleans())
    found = []
    for _ in range(draw(st.integers(1, 3))):
        tokens = draw(TOKENS)
        log_probs = draw(st.tuples(*[NUMBERS] * len(tokens)))
        finish = draw(st.sampled_from(["stop_string", "end", "length"]))
        thought, answered = (draw(st.text(max_size=4)), draw(st.booleans())) if thinks else (None, True)
        found.append(
            Request(prompt, cut, tokens, log_probs, draw(st.text(max_size=4)), None, finish, thought, answered)
        )
    return tuple(found)


@st.composite
def answered(draw: st.DrawFn, document: Document) -> Document:
    """The document with what was asked and answered, in one of the ways of asking."""
    kind = draw(st.sampled_from(["choices", "continuation", "windows", "written"]))
    if kind == "choices":
        choices = draw(st.lists(st.text(max_size=4), min_size=1, max_size=3).map(tuple))
        prompts = ("Q", "")
        asked = [(choice, 0) for choice in choices] + draw(st.sampled_from([[], [(choice, 1) for choice in choices]]))
        requests = tuple(draw(scored(text, context)) for text, context in asked)
        gold = draw(st.lists(st.integers(0, len(choices) - 1), max_size=2).map(tuple))
        rules = draw(st.dictionaries(st.sampled_from(["acc", "acc_norm"]), st.integers(0, 2)))
        return replace(document, choices=choices, prompts=prompts, requests=requests, gold=gold, predictions=rules)
    if kind == "continuation":
        return replace(document, prompts=("Q",), requests=(draw(scored(draw(st.text(max_size=4)), 0)),))
    if kind == "windows":
        windows = range(draw(st.integers(0, 3)))
        return replace(document, prompts=("A text",), requests=tuple(draw(scored(None, None)) for _ in windows))
    numbers = st.lists(NUMBERS, max_size=3).map(tuple)
    return replace(
        document,
        prompts=("Q",),
        requests=draw(written()),
        target=draw(TEXTS),
        extracted=draw(JSON),
        programs=draw(st.dictionaries(st.text(max_size=4), st.lists(st.text(max_size=4), max_size=2))),
        wrong_by_space=draw(st.none() | st.booleans()),
        right=draw(st.none() | st.builds(Right, numbers, COUNTS, st.none() | st.text(max_size=4))),
    )


@st.composite
def drawn(draw: st.DrawFn, number: int = 0) -> Document:
    """A document of any kind."""
    lost = draw(st.none() | st.builds(RoundTrip, COUNTS, COUNTS, COUNTS, st.text(max_size=4)))
    spec = draw(JSON)
    task = draw(st.sampled_from(["one", "two"]))
    if draw(st.integers(0, 3)) == 0:
        return Document(task, number, draw(st.text(max_size=6)), lost=lost, spec=spec)
    row = draw(st.none() | JSON)
    whole = Document(
        task,
        number,
        None,
        cluster=draw(st.none() | st.text(max_size=4)),
        shots=draw(TOKENS),
        chance=draw(st.none() | st.floats(0, 1)),
        text_digest=draw(st.none() | st.text(max_size=4)),
        question_digest=draw(st.none() | st.text(max_size=4)),
        items=draw(ITEMS),
        row=row,
        shown_target=None if row is None else draw(st.text(max_size=4)),
        lost=lost,
        spec=spec,
    )
    return draw(answered(whole))


def stored(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows, to a file and back."""
    file = io.BytesIO()
    pd.DataFrame(rows).to_parquet(file)
    return pd.read_parquet(file)


@given(st.integers(1, 4).flatmap(lambda count: st.tuples(*map(drawn, range(count)))))
def test_what_is_written_is_what_is_read(asked: tuple[Document, ...]) -> None:
    rows = [write(one) for one in asked]
    assert [read(row) for row in rows] == list(asked)
    frame = stored(rows)
    assert tuple(documents(frame)) == asked
    assert all(document_of(frame, one.task, one.number) == one for one in asked)
    assert document_of(frame, "one", len(asked)) is None


@given(st.integers(1, 4).flatmap(lambda count: st.tuples(*map(drawn, range(count)))))
def test_an_item_that_is_a_number_has_a_column(asked: tuple[Document, ...]) -> None:
    frame = stored([write(one) for one in asked])
    numbers = [{key: item for key, item in one.items.items() if isinstance(item, int | float)} for one in asked]
    for name in {key for each in numbers for key in each}:
        if name in columns.NAMES:  # whose column it would overwrite
            assert name not in metrics_of(frame)
            continue
        assert name in metrics_of(frame)
        told = values_of(frame, name)
        assert [value for value in told if value == value] == [each[name] for each in numbers if name in each]


@given(
    st.builds(
        CellFacts,
        groups=st.lists(
            st.builds(Group, *[st.text(max_size=4)] * 2, st.none(), TEXTS, st.lists(JSON, max_size=2).map(tuple), JSON),
            max_size=2,
        ).map(tuple),
        tasks=st.dictionaries(
            st.text(max_size=4), st.builds(ToldTask, JSON, st.text() | st.just(1.5), COUNTS, COUNTS, JSON), max_size=2
        ),
        context=COUNTS,
        whole_documents=st.booleans(),
        failed=st.dictionaries(st.text(max_size=4), st.text(max_size=4)),
        pieces=st.dictionaries(COUNTS, st.text(max_size=4)),
    )
)
def test_the_first_row_tells_of_the_cell(facts: CellFacts) -> None:
    first = write(Document("one", 0, "no column `x`")) | in_first_row(facts)
    frame = stored([first, write(Document("one", 1, "no column `x`"))])
    assert facts == CellFacts(
        groups=columns.GROUPS.first(frame),
        tasks=columns.TASKS.first(frame),
        context=columns.CONTEXT.first(frame) or 0,
        whole_documents=columns.WHOLE_DOCUMENTS.first(frame) is True,
        failed=columns.FAILED.first(frame),
        pieces=columns.PIECES.first(frame),
    )


@given(drawn(), st.sets(st.sampled_from(sorted(vars(columns)))))
def test_a_row_of_another_version_may_lack_columns(document: Document, kept: set[str]) -> None:
    """What is there is read; the rest is as if it had not been."""
    names = {column.name for key, column in vars(columns).items() if key in kept and isinstance(column, Column)}
    names |= {"task", "document", "broken", "continuation_ids"}
    found = read({name: value for name, value in write(document).items() if name in names})
    assert (found.task, found.number, found.broken) == (document.task, document.number, document.broken)
    assert [request.continuation for request in found.requests] == [one.continuation for one in document.requests]
    if "items" in names:
        assert found.items == document.items
    if "prompt_ids" not in names:
        assert all(request.prompt == () for request in found.requests)


def test_every_column_is_declared_once() -> None:
    names = [column.name for column in vars(columns).values() if isinstance(column, Column)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "name",
    [
        *("prompt_ids", "prompt_of", "context_of", "continuations", "continuation_ids", "finish"),
        *("thoughts", "right_log_probs", "right_hits", "predictions", "programs", "shown_target", "question_digest"),
        *("scored_bytes", "lost_example", "pieces"),
    ],
)
def test_no_other_module_names_a_column(name: str) -> None:
    """Of the columns whose names mean nothing else in the project."""
    assert any(isinstance(column, Column) and column.name == name for column in vars(columns).values())
    assert harness.__file__ is not None
    package = Path(harness.__file__).parent
    named = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.parent != package / "measures/task/samples" and name in path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == name
    ]
    assert not named
