"""Beam search of written answers: with every kind of model as `generate` of transformers searches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.models.contract import ModelSource
from harness.models.open import open_model
from harness.scoring.generation import Completed, TextRequest, complete_texts

PROMPTS = ["The cat sat", "a", "def add(a, b):\n  "]
SETTINGS: list[dict[str, Any]] = [
    {"num_beams": 2},
    {"num_beams": 4},
    {"num_beams": 5, "length_penalty": 0.0},
    {"num_beams": 3, "length_penalty": 2.0},
    {"num_beams": 3, "length_penalty": -1.0},
    {"num_beams": 4, "early_stopping": True},
    {"num_beams": 4, "early_stopping": "never"},
]


def folder_with(source: Path, folder: Path, ends: list[int]) -> Path:
    """The same model under other end tokens."""
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    for name in ("config.json", "generation_config.json"):
        said = json.loads((folder / name).read_bytes())
        said["eos_token_id"] = ends if name == "generation_config.json" else None
        (folder / name).write_text(json.dumps(said))
    return folder


@pytest.mark.parametrize("kind", ["transformers", "converted"])
@pytest.mark.parametrize("several", [False, True])
def test_the_same_as_transformers(kind: str, several: bool, llama_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    plain = open_model(ModelSource("m", "converted", str(llama_folder), "d"))
    likely = [found.answers[0].tokens[2] for found in complete_texts(plain, [TextRequest(p, (), 3) for p in PROMPTS])]  # type: ignore[union-attr]
    ends = likely if several else likely[:1]
    folder = folder_with(llama_folder, tmp_path / "m", ends)
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = open_model(ModelSource("m", kind, str(folder), "d"))
    ended = 0
    for said in SETTINGS:
        asked = [
            TextRequest(
                *(prompt, (), 10),
                beams=said["num_beams"],
                length_penalty=said.get("length_penalty", 1.0),
                early_stopping=said.get("early_stopping", False),
            )
            for prompt in PROMPTS
        ]
        for prompt, found in zip(PROMPTS, complete_texts(model, asked, mode="lm-eval"), strict=True):
            assert isinstance(found, Completed)
            ids = torch.tensor([model.tokenizer.encode(prompt)])
            wanted = theirs.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False, pad_token_id=0, **said
            )
            [answer] = found.answers
            assert list(answer.tokens) == wanted[0, ids.shape[1] :].tolist(), (said, prompt)
            assert len(answer.log_probs) == len(answer.tokens)
            ended += answer.finish == "end"
    assert ended > 0, "some answers end before they are as long as allowed"


def test_a_hypothesis_ends_at_its_own_stop_string(llama_folder: Path) -> None:
    """In mode lm-eval the search ends as soon as the best extension has one, so the two may differ."""
    model = open_model(ModelSource("m", "transformers", str(llama_folder), "d"))
    whole = complete_texts(model, [TextRequest(prompt, (), 12, beams=4) for prompt in PROMPTS])
    for prompt, one in zip(PROMPTS, whole, strict=True):
        assert isinstance(one, Completed)
        stop = one.texts[0].strip()[:1]
        for mode in ("right", "lm-eval"):
            [cut] = complete_texts(model, [TextRequest(prompt, (stop,), 12, beams=4)], mode=mode)  # type: ignore[arg-type]
            assert isinstance(cut, Completed)
            assert stop not in cut.texts[0]


def test_several_samples_of_one_search_are_the_same(llama_folder: Path) -> None:
    model = open_model(ModelSource("m", "transformers", str(llama_folder), "d"))
    [found] = complete_texts(model, [TextRequest("a", (), 6, beams=3, samples=3)])
    assert isinstance(found, Completed)
    assert len(found.texts) == 3 and len(set(found.texts)) == 1
