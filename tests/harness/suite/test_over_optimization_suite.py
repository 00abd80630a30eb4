"""The suite of over-optimization: planned whole, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import harness
from harness.analysis.registry import ANALYSES
from harness.suite.load import find_suite, load_suite


def test_the_suite_is_read_and_its_curves_are_measured_by_their_proxy() -> None:
    file = Path(find_suite("alignment/over-optimization"))
    assert load_suite(str(file)).suite.name == "over-optimization"
    suite: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    measured: dict[str, set[str]] = {}
    for entry in suite["measures"]:
        if "responses" in entry:
            measured.setdefault(entry["responses"]["proxy"], set()).update(entry["models"])
    settings = ANALYSES["over_optimization"].settings
    for entry in suite["analyse"]:
        chosen: Any = settings.model_validate(entry["over_optimization"])
        of_curves = {model for models in chosen.curves.values() for model in models}
        assert of_curves | {"sft"} == measured[chosen.where["proxy"]]
    trained = {name: one["train"]["ppo"] for name, one in suite["models"].items() if "ppo" in (one.get("train") or {})}
    assert sorted(one["kl_coefficient"] for one in trained.values()) == [0, 0, 0, 0, 0.05, 0.3, 1, 2]
    for name, one in trained.items():
        moments = [model for model, entry in suite["models"].items() if entry.get("from") == name]
        assert len(moments) == len(one["checkpoints"]["kl"]) == 9


def test_its_quick_size_is_planned() -> None:
    measured = harness.plan("alignment/over-optimization-quick")["measure"]
    assert (measured == "train").any() and (measured != "train").sum() == 18
