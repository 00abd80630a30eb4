"""`--set train.steps=20` beside a model that is not trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.shorthand.evaluating import Evaluation, evaluation_suite
from harness.shorthand.model_name import named_models
from harness.suite.load import load_suite

STEPS = {"train": {"steps": 2}}


def test_a_budget_is_of_the_trained_models(llama_folder: Path) -> None:
    models = named_models(["nano", str(llama_folder)], Path("runs"), STEPS)
    assert models["nano"]["train"] == {"steps": 2} and list(models[llama_folder.name]) == ["transformers"]
    plain = named_models(["nano", str(llama_folder)], Path("runs"))
    asked = evaluation_suite(plain, Evaluation(tasks=["microworld_facts"], settings=STEPS))
    assert asked["models"]["nano"]["train"]["steps"] == 2 and "train" not in asked["models"][llama_folder.name]


def test_a_budget_of_no_model_is_refused(llama_folder: Path) -> None:
    models = named_models([str(llama_folder)], Path("runs"), STEPS)
    with pytest.raises(UserError, match="only a reference model can be trained"):
        load_suite({"name": "one", "models": models, "measures": [{"perplexity": {"text": "microworld/test"}}]})
