"""Cells whose models settled an open setting differently are neither compared nor ranked without a word."""

from __future__ import annotations

from typing import Any

import pytest

from harness.evidence.definition import definition, why_no_ranking, why_other_definition
from harness.results.record import CellResult, Status


def cell(model: str = "a", settings: dict[str, Any] | None = None, **resolved: Any) -> CellResult:
    return CellResult(
        key=model,
        model=model,
        measure="perplexity",
        axes={},
        settings=settings or {"text": "t", "window": None},
        status=Status.OK,
        records=[],
        resolved=resolved,
    )


WHOLE = {"whole_documents": True, "first_token": "given"}
CUT = {"whole_documents": False, "first_token": "given"}


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (
            {"window": 32, "stride": 16, **CUT},
            {"window": 512, "stride": 256, **CUT},
            "window 32 and 512, stride 16 and 256",
        ),
        ({"window": 32, "stride": 16, **CUT}, {"window": 32, "stride": 8, **CUT}, "stride 16 and 8"),
        ({"window": 32, "stride": 16, **CUT}, {"window": 512, "stride": 256, **WHOLE}, "window 32 and whole documents"),
        ({"window": 128, "stride": 64, **WHOLE}, {"window": 512, "stride": 256, **WHOLE}, None),
        ({"window": 32, "stride": 16, **CUT}, {"window": 32, "stride": 16, **CUT}, None),
        ({"first_token": "given"}, {"first_token": "scored"}, "first token given and scored"),
        ({"tokens": 64}, {"tokens": 1024}, "tokens 64 and 1,024"),
        ({"context": 64, "whole_documents": False}, {"context": 1024, "whole_documents": True}, "context 64 and whole"),
        ({}, {"window": 32, **CUT}, None),  # a run of before: nothing is known
    ],
)
def test_what_differs_is_told(ours: dict[str, Any], theirs: dict[str, Any], told: str | None) -> None:
    for a, b in ((ours, theirs), (theirs, ours)):
        why = why_other_definition(cell(**a), cell(**b))
        assert (why is None) if told is None else (why is not None)
    if told is not None:
        assert told in str(why_other_definition(cell(**ours), cell(**theirs)))


def test_the_fix_names_the_settings() -> None:
    why = why_other_definition(cell(window=32, first_token="given"), cell(window=64, first_token="scored"))
    assert why is not None and why.endswith("give all the same `window` and `bos` in the suite")


def test_models_that_read_other_windows_are_not_ranked() -> None:
    cells = [cell(name, window=window, stride=16, **CUT) for name, window in (("a", 32), ("b", 512), ("c", 32))]
    assert why_no_ranking(cells) == (
        "these rows can't be ranked, because they were measured differently (window 32 (a, c), 512 (b)): give all the "
        "same `window` in the suite"
    )
    assert why_no_ranking(cells[::2]) is None


def test_windows_that_the_suite_asked_for_are_no_surprise() -> None:
    cells = [cell("a", {"window": window}, window=window, stride=window // 2, **CUT) for window in (32, 512)]
    assert why_no_ranking(cells) is None


def test_windows_that_hold_every_document_are_one_definition() -> None:
    assert definition(cell(window=64, stride=32, **WHOLE)) == {"window": "whole documents", "first_token": "given"}
