"""Pipelines that a task file may not list are named before a model runs."""

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.config import FilterPipeline, FilterStep, TaskConfig
from harness.tasks.judging import filter_check


def pipeline(*steps: str | tuple[str, dict[str, Any]], name: str = "p") -> FilterPipeline:
    pairs = [(step, {}) if isinstance(step, str) else step for step in steps]
    return FilterPipeline(name=name, steps=tuple(FilterStep(function=f, options=o) for f, o in pairs))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("take_frist", "did you mean 'take_first'"),
        (("regex", {"regex_patern": "x"}), "did you mean 'regex_pattern'"),
        (("regex", {"regex_pattern": "("}), "not a valid regular expression"),
        ("take_first_k", "needs `k`"),
        (("take_first_k", {"k": 3}), "wants 3 samples, but 1 are drawn"),
        ("decontaminate", "does nothing"),
        (("map", {"mapping_dict": [1]}), "must map"),
    ],
)
def test_mistakes_are_named_before_a_model_runs(step: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        filter_check.check(TaskConfig(task="t", file=Path("t.yaml"), filter_list=(pipeline(step, name="strict"),)))
    assert str(caught.value).startswith("t.yaml:filter_list: strict")
