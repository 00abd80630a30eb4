"""`--set train.steps=20` beside a model that is not trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.shorthand.model_name import named_models
from harness.suite.load import load_suite

STEPS = {"train": {"steps": 2}}


def test_a_budget_is_of_the_trained_models(llama_folder: Path) -> None:
    models = named_models(["nano", str(llama_folder)], Path("runs"), STEPS)
    assert models["nano"]["train"] == {"corpus": "microworld", "steps": 2}, "in place of the usual tokens"
    assert list(models[llama_folder.name]) == ["transformers"]


def test_a_budget_of_no_model_is_refused(llama_folder: Path) -> None:
    models = named_models([str(llama_folder)], Path("runs"), STEPS)
    with pytest.raises(UserError, match="only a preset is trained from nothing"):
        load_suite({"name": "one", "models": models, "measures": [{"perplexity": {"text": "microworld/test"}}]})
