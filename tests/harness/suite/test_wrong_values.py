"""Wrong values under every key of a suite: each is taken, or refused in a suite's own words with its line."""

from __future__ import annotations

import copy
import datetime
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from harness.analysis.registry import ANALYSES
from harness.comparison.expectation import Expectation
from harness.comparison.gate_entry import GateEntry, Guard
from harness.errors import UserError
from harness.models.training_entry import ShapeChanges, Train
from harness.suite.cells import cells
from harness.suite.document import parse_suite_text
from harness.suite.mistakes import validated
from harness.suite.schema import SWEEPABLE, Matrix, Suite
from harness.suite.schema.call_entry import CallEntry
from harness.suite.schema.suite import Tasks
from harness.suite.wording import number_meant, written
from harness.yaml_files.document import Document
from tests.hostile.plain_words import forbidden_words

BASE: dict[str, Any] = {
    "name": "s",
    "models": {
        "a": {"reference": "nano", "train": {"tokens": 1000}, "shape": {}, "matrix": {}},
        "b": {"transformers": "m"},
    },
    "matrix": {},
    "measures": [{"perplexity": {"text": "microworld/test"}, "matrix": {}}],
    "tasks": {},
    "analyse": [{"scaling_law": {"of": "loss"}}],
    "expect": [{"metric": "loss", "at_most": 1}],
    "gate": [{"metric": "loss", "guarded_by": [{"metric": "loss"}]}],
    "calls": {"c": {"call": "a:b"}},
}
WRONG: list[Any] = [
    *(
        None,
        True,
        False,
        -1,
        0,
        1.5,
        10**30,
        float("nan"),
        float("inf"),
        "",
        " ",
        "text",
        "1e6",
        "5%",
        "1,000",
        "“fp32”",
    ),
    *(
        [],
        [None],
        [[1]],
        [True],
        ["a", "a"],
        {},
        {"a": {"b": 1}},
        {"a": None},
        datetime.date(2026, 1, 2),
        "a" * 300,
        "\\x",
    ),
]
PLACES: dict[tuple[Any, ...], Any] = {
    (): Suite,
    ("matrix",): Matrix,
    ("models", "a", "train"): Train,
    ("models", "a", "shape"): ShapeChanges,
    ("models", "a", "matrix"): Matrix,
    ("measures", 0, "matrix"): Matrix,
    ("tasks",): Tasks,
    ("expect", 0): Expectation,
    ("gate", 0): GateEntry,
    ("gate", 0, "guarded_by", 0): Guard,
    ("calls", "c"): CallEntry,
    **{("measures", 1, name): settings for name, settings in SWEEPABLE.items()},
    **{("analyse", 1, name): analysis.settings for name, analysis in ANALYSES.items()},
}
"""Where each class of settings stands in a suite."""


def keys() -> Iterator[tuple[tuple[Any, ...], str]]:
    for path, kind in PLACES.items():
        yield from ((path, name) for name in kind.model_fields)
    yield from (((), "unknown"), (("models",), "a"), (("models", "a"), "reference"), (("models", "b"), "revision"))
    yield from ((("measures",), 0), (("measures", 0), "models"), (("measures", 0), "perplexity"))  # type: ignore[misc]


def with_value(path: tuple[Any, ...], key: Any, value: Any) -> str:
    data = copy.deepcopy(BASE)
    here: Any = data
    for part in path:
        if isinstance(here, list):
            here += [{}] * (part + 1 - len(here))
            here[part] = here = dict(here[part])
        else:
            here = here.setdefault(part, {})
    here[key] = value
    return yaml.safe_dump(data, sort_keys=False)


def told(text: str) -> str:
    """What a suite is refused with; nothing where it is taken."""
    try:
        document = parse_suite_text(text, "s.yaml")
        cells(validated(document), document)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("part", range(4))
def test_every_key_with_values_that_it_may_not_have(part: int) -> None:
    drawn = random.Random(part)
    refused = 0
    for path, key in list(keys())[part::4]:
        for value in drawn.sample(WRONG, 5):
            sentences = told(with_value(path, key, value))
            refused += bool(sentences)
            assert not forbidden_words(sentences), (path, key, value)
            for line in sentences.splitlines():
                assert re.match(r"s\.yaml:\d+: ", line), (path, key, value, line)
    assert refused > 50


def test_a_mapping_from_python_is_told_by_keys() -> None:
    data = copy.deepcopy(BASE) | {"matrix": {"precision": ["float16"]}, "modles": {}}
    with pytest.raises(UserError) as refused:
        validated(Document(data))
    lines = str(refused.value).splitlines()
    assert {line.split(": ")[0] for line in lines} == {"matrix.precision.0", "modles"}
    assert any("write fp16" in line for line in lines)


def test_one_typo_hides_no_other_mistake() -> None:
    text = yaml.safe_dump(
        BASE | {"matrx": {"precision": ["fp23"]}, "about": 3, "matrix": {"seed": "x"}}, sort_keys=False
    )
    assert [line.split(": ")[1] for line in told(text).splitlines()] == ["matrix.seed", "matrx", "about"]
    assert "models.a.train" in told(
        "name: s\nmodels: {a: {reference: nano, train: {token: 1.5, see: -1}}}\nmeasures: []\n"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("1e6", 1_000_000),
            ("1,000", 1000),
            ("2.5M", 2_500_000),
            ("4k", 4000),
            ("5%", 0.05),
            ("1 000 000", 1_000_000),
        ),
        *(("lots", None), ("", None), ("1e", None), ("M", None), ("1,00", None), (3, None)),
    ],
)
def test_the_number_that_is_meant(text: object, value: float | None) -> None:
    assert number_meant(text) == value


def test_values_are_called_as_they_are_written() -> None:
    assert [written(value) for value in (None, True, [], {"a": 1}, "x", 3)] == [
        *("nothing", "true", "an empty list", "keys with values (a)", "the text 'x'", "3")
    ]
