"""Several continuations in one row are what each of them is alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reference_impl.inference import tree_attention
from reference_impl.inference.kv_cache import KVCache
from reference_impl.inference.tree_attention import seeing
from reference_impl.inference.without_head import plain_head, without_head
from reference_impl.model.gpt import GPT

SHAPES: list[dict[str, Any]] = [
    {"heads": 2, "width": 16},
    {"heads": 4, "kv_heads": 2, "width": 16, "positions": "rotary", "norm": "rms", "ffn": "swiglu"},
]


@pytest.fixture(params=SHAPES, ids=["gpt2", "llama"])
def gpt(request: pytest.FixtureRequest, make_model: Any) -> GPT:
    model: GPT = make_model(**request.param).gpt
    return model


@pytest.fixture(params=[True, False], ids=["compiled", "torch"])
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(tree_attention, "kernel_attention", lambda *parts: None)


def row_of(sequences: list[list[int]], held: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sequences side by side: tokens, positions and what each sees."""
    time = sum(map(len, sequences))
    visible = torch.zeros(time, held + time, dtype=torch.bool)
    visible[:, :held] = True
    at, positions = 0, []
    for ids in sequences:
        end = at + len(ids)
        visible[at:end, held + at : held + end] = torch.ones(len(ids), len(ids)).tril().bool()
        positions += range(held, held + len(ids))
        at = end
    return torch.tensor([[token for ids in sequences for token in ids]]), torch.tensor([positions]), visible


@torch.inference_mode()
@pytest.mark.parametrize("prefix", [[], [5, 7, 1]])
@pytest.mark.usefixtures("compiled")
def test_side_by_side_is_as_alone(gpt: GPT, prefix: list[int]) -> None:
    sequences = [[3, 1, 4, 1, 5], [9], [2, 6, 5]]
    cache = KVCache.for_model(gpt, 1, 20)
    if prefix:
        gpt(torch.tensor([prefix]), cache)
    tokens, positions, visible = row_of(sequences, len(prefix))
    found = seeing(gpt, visible)(tokens, cache, positions)[0]
    alone = torch.cat([gpt(torch.tensor([prefix + ids]))[0, len(prefix) :] for ids in sequences])
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)
    assert gpt.attend is not seeing(gpt, visible).attend, "the model itself is as it was"


@torch.inference_mode()
@pytest.mark.usefixtures("compiled")
def test_a_fork_within_a_sequence(gpt: GPT) -> None:
    """Two continuations of [3, 1, 4]: the second doesn't see the first."""
    tokens, positions = torch.tensor([[3, 1, 4, 1, 5, 9, 2]]), torch.tensor([[0, 1, 2, 3, 4, 3, 4]])
    visible = torch.ones(7, 7).tril().bool()
    visible[5:, 3:5] = False
    found = seeing(gpt, visible)(tokens, None, positions)[0]
    torch.testing.assert_close(found[:5], gpt(tokens[:, :5])[0], atol=1e-5, rtol=1e-5)
    second = gpt(torch.tensor([[3, 1, 4, 9, 2]]))[0]
    torch.testing.assert_close(found[5:], second[3:], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_without_its_head(gpt: GPT) -> None:
    tokens, at = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([1, 4])
    features = without_head(gpt)(tokens, logits_at=at)
    head = plain_head(gpt)
    assert head is not None
    torch.testing.assert_close(features @ head.T, gpt(tokens, logits_at=at))
    assert gpt(tokens).shape[-1] == gpt.config.vocabulary, "the model itself has kept it"
