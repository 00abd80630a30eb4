"""What a configuration may choose, what is passed over, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import UserError
from harness.models.code_choices import note_of, passed_over, paths_in, refuse_choices, settle


@pytest.mark.parametrize(
    "config",
    [
        {"attn_implementation": "sdpa", "experts_implementation": "grouped_mm", "torch_dtype": "bfloat16"},
        {"_attn_implementation": "eager", "dtype": "float8_e4m3fn", "tokenizer_class": "LlamaTokenizerFast"},
        {"attn_implementation": None, "conv_kernel": 4, "kernel_size": 3, "transformers_weights": None},
        {"text_config": {"attn_implementation": {"": "sdpa"}, "torch_dtype": None}},
        {"quantization_config": {"attn_implementation": "x", "dtype": "int4"}},
    ],
)
def test_what_is_taken(config: dict[str, Any]) -> None:
    refuse_choices(config, "config.json")
    assert note_of(config, "config.json") == ()


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"attn_implementation": "kernels-community/flash-attn"}, "attn_implementation: kernels-community/flash-attn"),
        ({"_attn_implementation_internal": "flash_attention_2"}, "_attn_implementation_internal: flash_attention_2"),
        ({"attn_implementation": {"": "sdpa", "text": "a/b@main:f"}}, "attn_implementation: a/b@main:f"),
        ({"vision_config": {"attention_implementation": "flex_attention"}}, "attention_implementation: flex_attention"),
        ({"experts_implementation": "sdpa"}, "experts_implementation: sdpa"),
        ({"attn_implementation": 7}, "attn_implementation: 7"),
        ({"use_kernels": True}, "use_kernels: True"),
        ({"parts": [{"fusion_config": {"a": 1}}]}, "fusion_config: {'a': 1}"),
    ],
)
def test_what_is_passed_over_is_one_note(config: dict[str, Any], named: str) -> None:
    refuse_choices(config, "config.json")
    [note] = note_of(config, "config.json")
    assert f"`{named}`" in note and "passed over" in note


def test_many_are_one_note() -> None:
    config = {str(n): {"attn_implementation": f"owner/{n}"} for n in range(50)}
    assert len(list(passed_over(config, ""))) == 50
    [note] = note_of(config, "")
    assert note.count("owner/") == 3 and "and 47 more" in note


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"transformers_weights": "../other/model.safetensors"},
            "`transformers_weights` names another file of weights",
        ),
        ({"text_config": {"configuration_files": ["config.4.0.json"]}}, "`configuration_files` names other files"),
        ({"torch_dtype": "load"}, "`torch_dtype` is load"),
        ({"text_config": {"dtype": ["float32"]}}, "`dtype` is ['float32']"),
        ({"tokenizer_class": "Trainer"}, "`tokenizer_class` is Trainer, which is no tokenizer"),
        ({"tokenizer_class": ["LlamaTokenizer"]}, "which is no tokenizer"),
    ],
)
def test_what_is_refused(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        refuse_choices(config, "config.json")
    assert sentence in refused.value.message


def test_deep_nesting_is_refused() -> None:
    config: dict[str, Any] = {}
    for _ in range(100):
        config = {"a": [config]}
    with pytest.raises(UserError, match="nested too deeply"):
        refuse_choices(config, "config.json")


def test_an_opened_configuration_is_settled_in_all_its_parts() -> None:
    from transformers import LlamaConfig

    config = LlamaConfig(attn_implementation="owner/kernel", fusion_config={"a": 1}, transformers_weights="x")
    config.part = LlamaConfig(attn_implementation="flash_attention_2", experts_implementation="owner/x")
    kept = LlamaConfig(attn_implementation="eager")
    config.other = kept
    settle(config)
    assert config._attn_implementation is None and config.part._attn_implementation is None
    assert config.part._experts_implementation is None and kept._attn_implementation == "eager"
    assert not hasattr(config, "fusion_config") and not hasattr(config, "transformers_weights")


def test_paths_of_a_tokenizer_are_passed_over() -> None:
    written = {"vocab_file": "/etc/passwd", "tokenizer_file": None, "tokenizer_object": "x", "bos_token": "<s>"}
    assert paths_in(written, "m") == {"vocab_file": None, "tokenizer_object": None}
    for name in ("fast_tokenizer_files", "tokenizer_class"):
        with pytest.raises(UserError):
            paths_in({name: ["../tokenizer.9.json"]}, "m")
