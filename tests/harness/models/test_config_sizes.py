"""Sizes of a configuration beside what the weight files hold: what can't be, and what must not be refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import UserError
from harness.models.config_sizes import refuse_sizes
from harness.models.weight_header import TensorHeader


def held(count: int, *shapes: tuple[int, ...]) -> dict[str, TensorHeader]:
    every = [*shapes, *[(8, 8)] * (count - len(shapes))]
    return {f"t{n}": TensorHeader("F32", shape, "model.safetensors") for n, shape in enumerate(every)}


@pytest.mark.parametrize(
    ("config", "tensors"),
    [
        ({"num_hidden_layers": 32, "vocab_size": 128_256, "rope_theta": 10**7}, held(291)),
        ({"num_hidden_layers": 1, "hidden_size_per_layer": 4096}, held(1)),
        ({"num_hidden_layers": 28, "max_window_layers": 70}, held(338)),
        ({"num_hidden_layers": 36, "num_local_experts": 128, "layer_types": ["a"] * 36}, held(40, (128, 64, 64))),
        ({"num_hidden_layers": 2, "num_experts": 16_384}, held(33)),
        ({"num_hidden_layers": 61, "n_routed_experts": 256, "n_group": 8, "topk_group": 4}, held(91_000)),
        ({"attention_types": [[["global", "local"], 12]], "num_layers": 24}, held(300)),
        ({"max_position_embeddings": 10_485_760, "block_size": 131_072, "sliding_window": 10**6}, held(30)),
        ({"bos_token_id": 2**40, "model_max_length": 10**30, "seed": 2**63, "total_flos": 10**20}, held(30)),
        ({"attention_multiplier": 1e30, "mask_value": -3.4e38, "num_hidden_layers": None}, held(30)),
        ({"quantization_config": {"group_size": 128, "groups": 10**9, "num_layers": 10**9}}, held(30)),
        ({"id2label": {str(n): "x" for n in range(1000)}, "num_labels": 21_843}, held(30)),
    ],
)
def test_what_can_be(config: dict[str, Any], tensors: dict[str, TensorHeader]) -> None:
    refuse_sizes(config, tensors, "config.json")


@pytest.mark.parametrize(
    ("config", "tensors", "sentence"),
    [
        (
            {"num_hidden_layers": 10**9},
            held(291),
            "`num_hidden_layers` is 1,000,000,000, and the weight files hold 291",
        ),
        ({"n_layer": 400}, held(291), "`n_layer` is 400"),
        ({"text_config": {"num_hidden_layers": 10**9}}, held(9), "`num_hidden_layers`"),
        ({"depths": [2, 10**9]}, held(9), "`depths`"),
        ({"attention_types": [[["global", "local"], 10**9]]}, held(9), "`attention_types`"),
        ({"num_experts": 10**6}, held(9, (10**6, 1, 1)), "`num_experts`"),
        ({"num_hidden_layers": 500}, held(9, (8192, 1, 1)), "`num_hidden_layers`"),
        ({"layers_block_type": ["mamba"] * 10**5}, held(9), "`layers_block_type` lists 100,000 parts"),
        ({"hybrid_override_pattern": "M*" * 10**5}, held(9), "`hybrid_override_pattern` lists 200,000 parts"),
        ({"num_labels": 10**6}, held(9), "`num_labels`"),
        ({"hidden_size": 10**18}, held(9), "no size of a model is as large"),
        ({"max_position_embeddings": -(10**40)}, held(9), "a number of 41 digits"),
    ],
)
def test_what_can_not_be(config: dict[str, Any], tensors: dict[str, TensorHeader], sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        refuse_sizes(config, tensors, "config.json")
    assert sentence in refused.value.message and refused.value.place == "config.json"
