"""What a tokenizer puts before a text, be it several tokens: given to every measure, once, and scored by none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.measures.activations import ActivationsSettings
from harness.measures.activations import collect as activations
from harness.measures.diversity import DiversitySettings
from harness.measures.diversity import collect as diversity
from harness.measures.fidelity import FidelitySettings
from harness.measures.fidelity import collect as fidelity
from harness.measures.in_context import InContextSettings
from harness.measures.in_context import collect as in_context
from harness.measures.perplexity import PerplexitySettings
from harness.measures.perplexity import collect as perplexity
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model

TEXTS = ["The cat sat on the mat, and the dog sat on the cat. " * 2, "def add(a, b):\n    return a + b\n" * 2]
FIRST = {"none": (), "bos": (0,), "two": (7, 0)}


def with_prefix(source: Path, folder: Path, ids: tuple[int, ...]) -> LanguageModel:
    """The same model, whose tokenizer puts these tokens first."""
    from tokenizers import processors
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    if ids:
        pieces = tokenizer.convert_ids_to_tokens(list(ids))
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join([*pieces, "$A"]), special_tokens=list(zip(pieces, ids, strict=True))
        )
    ends = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, **ends).save_pretrained(folder)
    return open_model(ModelSource("m", "converted", str(folder), "d"))


@pytest.fixture(params=FIRST)
def model(request: pytest.FixtureRequest, llama_folder: Path, tmp_path: Path) -> LanguageModel:
    opened = with_prefix(llama_folder, tmp_path / "m", FIRST[request.param])
    assert opened.identity.prefix == FIRST[request.param]
    return opened


@pytest.fixture
def text(tmp_path: Path) -> str:
    file = tmp_path / "text.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return str(file)


def nll(model: LanguageModel, given: list[int], ids: list[int]) -> float:
    """One pass over the whole."""
    logits = model.forward(torch.tensor([given + ids])).double().log_softmax(-1)[0]
    first = len(given) or 1
    return -sum(float(logits[place - 1, token]) for place, token in enumerate([*given, *ids]) if place >= first)


@pytest.mark.parametrize("window", [None, 16])
def test_perplexity(model: LanguageModel, text: str, window: int | None) -> None:
    rows = perplexity(lambda: model, PerplexitySettings(text=text, window=window))
    for row, document in zip(rows, TEXTS, strict=True):
        ids = model.tokenizer.encode(document)
        assert row["tokens"] == len(ids) - (not model.identity.prefix)
        assert sum(row["window_tokens"]) == row["tokens"]
        assert sum(row["window_nll"]) == pytest.approx(row["nll"])
        if window is None:
            assert row["nll"] == pytest.approx(nll(model, list(model.identity.prefix), ids), abs=1e-3)


def test_a_prefix_that_the_text_spells_stands_there_once(model: LanguageModel, tmp_path: Path) -> None:
    spelled = "<|endoftext|>" + TEXTS[0]
    file = tmp_path / "spelled.txt"
    file.write_text(spelled)
    [row] = perplexity(lambda: model, PerplexitySettings(text=str(file)))
    ids = model.tokenizer.encode(spelled)
    prefix = model.identity.prefix
    written = ids[0] == 0  # else the tokenizer reads it as ordinary text
    given = [*prefix[:-1], 0] if prefix and written else list(prefix)
    assert row["nll"] == pytest.approx(nll(model, given, ids[1:] if prefix and written else ids), abs=1e-3)


def test_fidelity(model: LanguageModel, text: str) -> None:
    rows = fidelity(lambda precision=None: model, FidelitySettings(text=text, generate=0))  # type: ignore[arg-type]
    for row, other in zip(rows, perplexity(lambda: model, PerplexitySettings(text=text)), strict=True):
        assert row["tokens"] == other["tokens"] == len(row["kl"])
        assert row["nll"] == pytest.approx(other["nll"], abs=1e-3)


def test_diversity(model: LanguageModel, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.models import decoding

    seen: list[Any] = []
    real = decoding.continue_prompts

    def listening(model: LanguageModel, prompts: Any, *given: Any, **more: Any) -> Any:
        seen.extend(prompts)
        return real(model, prompts, *given, **more)

    monkeypatch.setattr(decoding, "continue_prompts", listening)
    diversity(lambda: model, DiversitySettings(text=text, prompt=4, generate=3))
    assert [tuple(prompt) for prompt in seen] == [
        (*model.identity.prefix, *model.tokenizer.encode(document)[:4]) for document in TEXTS
    ]


def test_in_context_and_activations_take_as_many_tokens_as_they_say(model: LanguageModel, text: str) -> None:
    rows = in_context(lambda: model, InContextSettings(text=text, tokens=18, sequences=2))
    assert len(rows) == 4 and all(row["early"] > 0 for row in rows if "early" in row)
    told = activations(lambda: model, ActivationsSettings(text=text, document_tokens=9))
    assert [row["tokens"] for row in told] == [9, 9]
