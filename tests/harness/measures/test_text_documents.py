"""Documents of a text: which of them, how much of each, and as which tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import corpora
from harness.measures.evenly_spaced import evenly_spaced
from harness.measures.text_documents import before_documents, cut, text_documents
from harness.models.contract import ModelSource
from harness.models.open import open_model


@pytest.mark.parametrize(
    ("texts", "count", "indexes"), [(10, 5, [0, 2, 4, 6, 8]), (7, 3, [0, 2, 4]), (3, 9, [0, 1, 2])]
)
def test_documents_are_evenly_spaced(texts: int, count: int, indexes: list[int]) -> None:
    assert evenly_spaced(range(texts), count) == indexes


@given(st.lists(st.integers(), max_size=30), st.none() | st.integers(1, 40))
def test_evenly_spaced_things_keep_their_order_and_come_once(things: list[int], count: int | None) -> None:
    places = evenly_spaced(range(len(things)), count)
    assert places == sorted(set(places)) and len(places) == min(len(things), count or len(things))
    assert evenly_spaced(things, count) == [things[place] for place in places]


@given(st.text(), st.integers(1, 40))
def test_cut_is_the_longest_beginning_that_fits(text: str, size: int) -> None:
    found = cut(text, size)
    assert text.startswith(found)
    assert len(found.encode()) <= size
    assert found == text or len(text[: len(found) + 1].encode()) > size


def test_what_stands_before_a_document_stands_there_once(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = open_model(ModelSource("m", "transformers", str(llama_folder), "d"))
    first = model.tokenizer.encode("The")[0]
    monkeypatch.setattr(corpora, "documents", lambda spec: ["The cat", "", "a mat"])
    spelled, empty, other = text_documents(model, "fixture", (first,))
    assert spelled.ids == spelled.encoded and spelled.own == spelled.ids[1:]
    assert (empty.ids, empty.own, empty.encoded) == ((first,), (), ())
    assert other.ids == (first, *other.encoded) and other.own == other.encoded
    [kept] = text_documents(model, "fixture", (), count=1, size=3)
    assert (kept.number, kept.text) == (0, "The") and kept.text_digest != spelled.text_digest
    assert before_documents(model, "none") == ()
