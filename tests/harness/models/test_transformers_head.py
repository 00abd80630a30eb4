"""A model in two halves against the same model whole, for heads that are more than one product."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from harness.models.transformers_head import SplitHead, split_head

VOCABULARY = 97
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.5,
}
GPT2_SHAPE = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
OPT_SHAPE = {**SHAPE, "ffn_dim": 48, "word_embed_proj_dim": 16, "init_std": 0.5}

ARCHITECTURES: dict[str, tuple[dict[str, Any], bool]] = {
    "llama": (SHAPE, True),
    "gpt2": (GPT2_SHAPE, True),
    "opt": (OPT_SHAPE, True),  # its body is a part of its base model, and narrower than its layers
    "gemma2": ({**SHAPE, "head_dim": 8, "final_logit_softcapping": 3.0}, False),
    "cohere": ({**SHAPE, "logit_scale": 0.3}, False),
    "granite": ({**SHAPE, "logits_scaling": 4.0}, False),
    "phi": (SHAPE, False),  # with a bias
    "gptj": ({**GPT2_SHAPE, "rotary_dim": 4}, False),  # with a bias
    "bert": ({**SHAPE, "is_decoder": True}, False),  # with layers of its own
}
"""The configuration of each, and whether its logits are the plain product of features with a matrix."""


def built(name: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **ARCHITECTURES[name][0])).eval()
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.endswith("bias"):  # a new model's biases are 0
            nn.init.normal_(parameter, std=0.5)
    return model


def whole(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    return logits


IDS = torch.arange(22).remainder(VOCABULARY).reshape(2, 11)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_halves_give_what_the_whole_gives(name: str) -> None:
    model = built(name)
    parted = split_head(model, VOCABULARY, "cpu")
    assert parted is not None
    features = parted.features(input_ids=IDS, use_cache=False)
    expected = whole(model, IDS)
    torch.testing.assert_close(parted.logits(features), expected, atol=1e-4, rtol=1e-5)
    at = torch.tensor([7, 2, 9])
    torch.testing.assert_close(parted.logits(features[1:, at]), expected[1:, at], atol=1e-4, rtol=1e-5)
    assert (parted.matrix is not None) is ARCHITECTURES[name][1]
    if parted.matrix is not None:
        torch.testing.assert_close(features @ parted.matrix.T, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_the_model_itself_stays_as_it_was(name: str) -> None:
    model = built(name)
    before = whole(model, IDS)
    parted = split_head(model, VOCABULARY, "cpu")
    assert parted is not None
    parted.logits(parted.features(input_ids=IDS, use_cache=False)[:, :1])
    assert torch.equal(whole(model, IDS), before)


def test_logits_of_bf16_are_the_models_own() -> None:
    model = built("granite").to(torch.bfloat16)
    parted = split_head(model, VOCABULARY, "cpu")
    assert parted is not None and parted.matrix is None
    features = parted.features(input_ids=IDS, use_cache=False)
    torch.testing.assert_close(parted.logits(features), whole(model, IDS), atol=0.02, rtol=0.02)


class _Last(nn.Module):
    """A last step that looks at more than its own position."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: torch.Tensor) -> Any:
        return self.head(features + features.mean(dim=1, keepdim=True))


def test_known_bad_last_steps_over_several_positions_are_left_whole() -> None:
    model = built("llama")
    model.lm_head = _Last(model.lm_head)
    assert split_head(model, VOCABULARY, "cpu") is None


def test_known_bad_a_forward_of_the_instance_is_left_whole() -> None:
    """Such a one is bound to the whole model: a copy of it would still run the whole."""
    model = built("llama")
    model.forward = model.forward
    assert split_head(model, VOCABULARY, "cpu") is None


def test_known_bad_a_cap_is_no_plain_product() -> None:
    """A soft cap that hardly shows in small logits must not be taken for a product."""
    model = built("gemma2")
    model.config.final_logit_softcapping = 1e4
    parted = split_head(model, VOCABULARY, "cpu")
    assert parted is not None and parted.matrix is None
    assert isinstance(parted, SplitHead)
