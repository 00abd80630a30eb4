"""Which ids a model has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.errors import UserError
from harness.models.token_ids import check_ids, unknown_id, why_unknown


class Model:
    class identity:  # noqa: N801
        name = "m"
        vocabulary = 10

    class tokenizer:  # noqa: N801
        @staticmethod
        def decode(ids: list[int]) -> str:
            return {12: "<user>"}[ids[0]]


MODEL: Any = Model


@pytest.mark.parametrize(
    ("ids", "wrong"), [([], None), ([0, 9], None), ([3, 10, 11], 10), ([3, -1, 10], -1), (np.array([1, 12]), 12)]
)
def test_the_first_that_it_has_not(ids: Any, wrong: int | None) -> None:
    assert unknown_id(ids, 10) == wrong


def test_the_text_of_a_token_is_shown_where_it_has_one() -> None:
    assert "token id 12 ('<user>') is not one of the model's, which are 0 to 9" in str(why_unknown(MODEL, [12]))
    assert "token id 11 is not" in str(why_unknown(MODEL, [11]))
    assert why_unknown(MODEL, [0, 9]) is None


def test_the_document_and_its_text_are_named() -> None:
    with pytest.raises(UserError, match=r"^text\.jsonl: document 7: token id 12"):
        check_ids(MODEL, [1, 12], 7, "text.jsonl")
