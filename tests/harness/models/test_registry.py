"""Adapters by name and by kind: what ships, what each declares, and that nobody needs torch to know it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.errors import UserError
from harness.measures.registry import MEASURES
from harness.models.registry import ADAPTERS, adapter_of, has, kinds, opening_of
from harness.tasks.files.library import TaskLibrary


def test_what_ships() -> None:
    assert {"reference", "transformers"} <= set(ADAPTERS)
    assert {kind: adapter_of(kind).name for kind in kinds()}.items() >= {
        ("reference", "reference"),
        ("converted", "reference"),
        ("transformers", "transformers"),
    }
    assert ADAPTERS["reference"].keys == ["shape", "train"] and ADAPTERS["transformers"].keys == ["revision"]


def test_nobody_needs_torch_to_know_it() -> None:
    program = "import sys, harness.models.registry; print({'torch', 'transformers', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_kind_that_nothing_opens() -> None:
    with pytest.raises(UserError, match="no adapter that is installed here opens models of the kind 'ngram'"):
        opening_of("ngram")


def test_logits_give_texts_and_their_likelihood() -> None:
    for kind in ("reference", "converted", "transformers"):
        assert has(kind, "logits") and has(kind, "scores") and has(kind, "generates")
    assert has("converted", "blocks") and not has("transformers", "blocks")


@pytest.mark.parametrize(
    ("measure", "settings", "why"),
    [
        ("perplexity", {"text": "microworld/test"}, None),
        ("activations", {"text": "microworld/test"}, "only a reference model shows its activations"),
        ("in_context_regression", {}, "only blocks of a reference model are trained to regress"),
        ("in_context_regression", {"reader": "linear_attention"}, None),
    ],
)
def test_what_a_model_of_transformers_can_t_be_asked(measure: str, settings: dict[str, str], why: str | None) -> None:
    asked = MEASURES[measure]
    given = asked.settings.model_validate(settings)
    told = asked.why_not(TaskLibrary(), given, ADAPTERS["transformers"])
    assert told is None if why is None else told is not None and why in told
    assert asked.why_not(TaskLibrary(), given, ADAPTERS["reference"]) is None
