"""Several continuations in one row are what each of them is alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reference_impl.inference import tree_attention
from reference_impl.inference.kv_cache import KVCache
from reference_impl.inference.tree_attention import TreeAttention
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


def seen(
    gpt: GPT, tokens: torch.Tensor, cache: KVCache | None, positions: torch.Tensor, visible: torch.Tensor
) -> torch.Tensor:
    """Logits of the one row, in which each token sees the tokens where visible[i]: (time, vocabulary)."""
    given = gpt.begin(tokens, cache, positions, attention=TreeAttention(visible))
    return gpt.unembed(gpt.features(tokens, given))[0]


@torch.inference_mode()
@pytest.mark.parametrize("prefix", [[], [5, 7, 1]])
@pytest.mark.usefixtures("compiled")
def test_side_by_side_is_as_alone(gpt: GPT, prefix: list[int]) -> None:
    sequences = [[3, 1, 4, 1, 5], [9], [2, 6, 5]]
    cache = KVCache.for_model(gpt, 1, 20)
    if prefix:
        gpt(torch.tensor([prefix]), cache)
    tokens, positions, visible = row_of(sequences, len(prefix))
    found = seen(gpt, tokens, cache, positions, visible)
    alone = torch.cat([gpt(torch.tensor([prefix + ids]))[0, len(prefix) :] for ids in sequences])
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)
    assert gpt.attend is None, "the model itself is as it was"


@torch.inference_mode()
@pytest.mark.usefixtures("compiled")
def test_a_fork_within_a_sequence(gpt: GPT) -> None:
    """Two continuations of [3, 1, 4]: the second doesn't see the first."""
    tokens, positions = torch.tensor([[3, 1, 4, 1, 5, 9, 2]]), torch.tensor([[0, 1, 2, 3, 4, 3, 4]])
    visible = torch.ones(7, 7).tril().bool()
    visible[5:, 3:5] = False
    found = seen(gpt, tokens, None, positions, visible)
    torch.testing.assert_close(found[:5], gpt(tokens[:, :5])[0], atol=1e-5, rtol=1e-5)
    second = gpt(torch.tensor([[3, 1, 4, 9, 2]]))[0]
    torch.testing.assert_close(found[5:], second[3:], atol=1e-5, rtol=1e-5)
