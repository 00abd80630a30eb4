"""Every function that takes a model takes each kind of one in memory: of `transformers`, our GPT, and what keeps the
contract and no more."""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.results.record import Status
from tests.harness.character_ngram import Counts, WithLogits

SHORT = {"max_tokens": 3}


def _whole(results: harness.Results) -> None:
    assert results.cells
    for cell in results.cells:
        assert cell.status is Status.OK, cell.reason


def _run(model: Any, text: str) -> None:
    held = model if isinstance(model, harness.InMemory) else harness.InMemory(*_pair(model))
    suite = {"name": "x", "models": {"mine": held}, "measures": [{"perplexity": {"text": text, "documents": 2}}]}
    _whole(harness.run(suite))
    assert list(harness.plan(suite)["model"]) == ["mine"]
    assert harness.preview(suite).suite == "x"


def _pair(model: Any) -> tuple[Any, ...]:
    return model if isinstance(model, tuple) else (model,)


def _converse(model: Any, text: str) -> None:
    conversation = harness.converse(model, template="plain", **SHORT)
    writer = conversation.ask("a cat")
    assert isinstance("".join(writer), str)
    conversation.take(writer)
    assert writer.written.tokens


CALLS: dict[str, Callable[[Any, str], Any]] = {
    "perplexity": lambda model, text: _whole(harness.perplexity(model, text=text, documents=2)),
    "eval": lambda model, text: _whole(harness.eval(model, "microworld_addition_1", limit=1)),
    "bench": lambda model, text: _whole(harness.bench(model, prompt=4, new=2, memory=False, compare=False, launches=1)),
    "run": _run,
    "generate": lambda model, text: (
        harness.generate(model, "a cat", **SHORT) + harness.generate(model, ["a"], **SHORT)[0]
    ),
    "stream": lambda model, text: "".join(harness.stream(model, "a cat", **SHORT)),
    "write_all": lambda model, text: harness.write_all(model, ["a", "a cat"], **SHORT)[1][0].text,
    "converse": _converse,
}
OTHERS = {
    "ab": "its arms open models in processes of their own, by name",
    "explain": "a name in a run",
    "wrong_answers": "a name in a run",
}
"""Functions with an argument of that name that is no model."""


def test_every_function_that_takes_a_model_is_called() -> None:
    taking = {
        name
        for name in harness.HOME
        if inspect.isfunction(function := getattr(harness, name))
        and {"model", "models"} & set(inspect.signature(function).parameters)
    }
    assert taking - set(OTHERS) == set(CALLS) - {"run"} and set(OTHERS) <= taking


@pytest.fixture(params=["transformers", "gpt", "contract"])
def model(request: pytest.FixtureRequest, llama_folder: Path, tmp_path: Path) -> Any:
    if request.param == "transformers":
        from transformers import AutoModelForCausalLM, AutoTokenizer

        return AutoModelForCausalLM.from_pretrained(llama_folder), AutoTokenizer.from_pretrained(llama_folder)
    if request.param == "contract":
        return WithLogits(Counts(string.printable + "a cat sat on the mat. the dog ran."))
    import torch

    from reference_impl.model.config import GPTConfig
    from reference_impl.model.gpt import GPT
    from reference_impl.text.tokenizer import ByteBPE

    torch.manual_seed(0)
    tokenizer = ByteBPE.train(["a story of the cat and the dog"], 262)
    return GPT(GPTConfig(vocabulary=262, context=64, layers=1, heads=2, width=16)), tokenizer


@pytest.mark.parametrize("name", CALLS)
def test_it_takes_it(name: str, model: Any, tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("a cat sat on the mat. the dog ran.\n\na dog sat. the cat ran.\n")
    CALLS[name](model, str(text))
