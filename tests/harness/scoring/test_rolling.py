"""Windows over a whole text: lm-eval's by example, all of them by what they must be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.contract import ModelSource
from harness.models.open import open_model
from harness.scoring.rolling import rolling_requests


class Letters:
    """A token per character; 1 is BOS."""

    bos_id, eos_id, size, digest, suffix = 1, 2, 2000, "", ()

    def __init__(self, *prefix: int) -> None:
        self.prefix = prefix

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, ids: list[int]) -> str:
        return "".join("<s>" if i == 1 else chr(i) for i in ids)

    def token_bytes(self, ids: list[int]) -> list[int]:
        return [1 for _ in ids]


def model(*prefix: int) -> Any:
    identity = SimpleNamespace(prefix=prefix, start=prefix or (1,))
    return SimpleNamespace(tokenizer=Letters(*prefix), identity=identity)


def windows(text: str, context: int, **settings: object) -> list[tuple[str, str]]:
    requests = rolling_requests(model(), text, context, **settings)  # type: ignore[arg-type]
    told = Letters()
    return [(told.decode(list(r.ids[: r.start])), told.decode(list(r.ids[r.start :]))) for r in requests]


def test_windows_of_lm_eval() -> None:
    assert windows("abcdefghij", 4) == [("<s>", "abcd"), ("d", "efgh"), ("fgh", "ij")]
    assert windows("abcdefgh", 4) == [("<s>", "abcd"), ("d", "efgh")]
    assert windows("abc", 4) == [("<s>", "abc")]
    assert windows("", 4) == []
    assert windows("abcde", 1) == [("<s>", "a"), *[(a, b) for a, b in zip("abcd", "bcde", strict=True)]]


def test_windows_with_a_stride() -> None:
    assert windows("abcdefgh", 4, stride=2) == [("<s>", "abcd"), ("bcd", "ef"), ("def", "gh")]


@pytest.mark.parametrize("stride", [None, 1, 2])
@given(text=st.text("abc", max_size=30), context=st.integers(2, 9))
def test_each_token_is_scored_once_with_what_fits(stride: int | None, text: str, context: int) -> None:
    found = rolling_requests(model(), text, context, stride=stride)
    assert [token for request in found for token in request.ids[request.start :]] == Letters().encode(text)
    assert all(len(request.ids) <= context + 1 for request in found)


def test_a_tokenizer_that_adds_bos() -> None:
    adding = model(1)
    [right] = rolling_requests(adding, "ab", 9)
    assert right.ids == (1, ord("a"), ord("b")) and right.start == 1
    [theirs] = rolling_requests(adding, "ab", 9, "lm-eval")
    assert theirs.ids == (1, 1, ord("a"), ord("b")) and theirs.start == 1, "P(BOS | BOS) is scored too"


@pytest.mark.parametrize("stride", [None, 1, 2])
@given(text=st.text("abc", max_size=30), context=st.integers(3, 9))
def test_several_tokens_that_stand_first_are_given_together(stride: int | None, text: str, context: int) -> None:
    found = rolling_requests(model(8, 9), text, context, stride=stride)
    assert [token for request in found for token in request.ids[request.start :]] == Letters().encode(text)
    assert all(len(request.ids) <= context + 1 for request in found)
    assert not found or (found[0].ids[:2] == (8, 9) and found[0].start == 2)


def test_a_real_tokenizer(llama_folder: Path) -> None:
    opened = open_model(ModelSource("llama", "transformers", str(llama_folder), "d"))
    [request] = rolling_requests(opened, "The cat sat.", 64)
    assert request.ids == (opened.tokenizer.bos_id, *opened.tokenizer.encode("The cat sat."))
