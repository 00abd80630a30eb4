"""Sizes by depth, against a forward pass written out, and a model without norms seen as such."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from harness.errors import Unsupported, UserError
from harness.execution.opened_model import Loader, OpenedModel
from harness.execution.requests import Collect
from harness.measures.activations import ACTIVATIONS, ActivationsSettings, collect, summarize
from harness.measures.measure import Facts
from harness.models.activations import activations, untrained
from harness.models.contract import ModelSource
from harness.results.record import Measurement
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint

CONFIG = GPTConfig(vocabulary=320, context=32, layers=3, heads=2, width=16)


def saved(
    folder: Path, tokenizer_file: Path, config: GPTConfig = CONFIG, std: float = 0.2, times: float = 1.0
) -> Loader:
    """times: what embeddings are multiplied by, but for those of the first tokens, which are tried at opening."""
    torch.manual_seed(0)
    model = GPT(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=std)
    model.token_embedding.weight.data[8:] *= times
    save_checkpoint(folder, model, ByteBPE.load(tokenizer_file))
    return loader(ModelSource("m", "reference", str(folder), "d"))


def loader(source: ModelSource) -> Loader:
    return Loader(Collect("activations", ActivationsSettings(text="x"), source), OpenedModel(), lambda step: None)


def measured(load: Loader, text: Path, **given: object) -> dict[str, Measurement]:
    settings = ActivationsSettings.model_validate({"text": str(text), **given})
    rows = pd.DataFrame(collect(load, settings))
    return {m.metric.name: m for m in summarize(rows, settings, Facts(load().identity))}


def rms(x: torch.Tensor) -> float:
    return math.sqrt(float((x.double() ** 2).mean()))


def test_by_depth_against_a_pass_written_out(tmp_path: Path, tiny_tokenizer_file: Path) -> None:
    saved(tmp_path / "m", tiny_tokenizer_file)
    gpt = load_checkpoint(tmp_path / "m").model
    tokens = torch.arange(10)[None] * 7
    found = activations(gpt, tokens)
    with torch.inference_mode():
        assert gpt.position_embedding is not None
        given = gpt.begin(tokens)
        x = gpt.token_embedding(tokens) + gpt.position_embedding(torch.arange(10)[None])
        stream, read, largest = [rms(x)], [], float(x.abs().max())
        for block in gpt.blocks:
            normed = block.attention_norm(x)
            read.append(rms(normed))
            x = x + block.attention(normed, given)
            x = x + block.ffn(block.ffn_norm(x))
            stream.append(rms(x))
            largest = max(largest, float(x.abs().max()))
    assert found.stream == pytest.approx(stream)
    assert found.read == pytest.approx(read)
    assert found.largest == pytest.approx(largest)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in gpt.modules())


def test_norms_make_every_layer_read_the_same_size(tmp_path: Path, tiny_tokenizer_file: Path, story: Path) -> None:
    sound = measured(saved(tmp_path / "a", tiny_tokenizer_file), story, documents=5)
    bare = measured(saved(tmp_path / "b", tiny_tokenizer_file, replace(CONFIG, norm="none"), std=0.5), story)
    assert sound["input_spread"].value == pytest.approx(1, abs=1e-2)
    assert sound["input_size"].value == pytest.approx(1, abs=1e-2)
    assert bare["input_spread"].value > 3
    assert bare["residual_growth"].value > 3
    assert sound["residual_growth"].n == 5
    assert set(sound) == {metric.name for metric in ACTIVATIONS.metrics}


def test_initial_weights_are_those_of_a_new_model(tmp_path: Path, tiny_tokenizer_file: Path, story: Path) -> None:
    load = saved(tmp_path / "m", tiny_tokenizer_file)
    torch.manual_seed(3)
    fresh = GPT(CONFIG)
    state = torch.random.get_rng_state()
    again = untrained(load().gpt, 3)  # type: ignore[attr-defined]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), again.parameters(), strict=True))
    trained, initial = (measured(load, story, weights=name, documents=3) for name in ("trained", "initial"))
    assert initial["residual_growth"].value < 2 < trained["residual_growth"].value


def test_scaled_projections_keep_a_deep_stream_from_growing(tiny_tokenizer_file: Path) -> None:
    deep = replace(CONFIG, layers=24)
    tokens = torch.arange(20)[None]
    growth = {}
    for scaled in (True, False):
        found = activations(untrained(GPT(replace(deep, residual_scaling=scaled)), 0), tokens)
        growth[scaled] = found.stream[-1] / found.stream[0]
    assert growth[True] < 1.3
    assert growth[False] > 1.2 * growth[True]


def test_known_bad_activations_that_explode(tmp_path: Path, tiny_tokenizer_file: Path, story: Path) -> None:
    """Without norms and with weights that are too large every layer multiplies the stream, until it is no number."""
    load = saved(tmp_path / "m", tiny_tokenizer_file, replace(CONFIG, norm="none", layers=12), std=20.0)
    with pytest.raises(UserError, match="logits are NaN or infinite in fp32"):
        measured(load, story)
    load = saved(tmp_path / "some", tiny_tokenizer_file, replace(CONFIG, norm="none"), times=1e30)
    with pytest.raises(UserError, match="activations are not finite numbers in document 0"):
        measured(load, story)


def test_what_can_t_be_looked_into(llama_folder: Path, story: Path, tmp_path: Path, tiny_tokenizer_file: Path) -> None:
    other = loader(ModelSource("m", "transformers", str(llama_folder), "d"))
    with pytest.raises(Unsupported, match="only a reference model"):
        measured(other, story)
    load = saved(tmp_path / "m", tiny_tokenizer_file)
    with pytest.raises(Unsupported, match="33 tokens do not fit"):
        measured(load, story, document_tokens=33)
