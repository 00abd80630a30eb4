"""Checkpoints that came quantized: their label, what loads them, and no second quantization."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import UserError
from harness.models.already_quantized import already_quantized, quantized_label
from harness.models.contract import ModelIdentity, ModelSource, Precision
from harness.models.open import open_model
from tests.tiny_models import llama


@pytest.mark.parametrize(
    ("said", "label"),
    [
        (None, None),
        ({}, None),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4 by bitsandbytes"),
        ({"load_in_4bit": True}, "fp4 by bitsandbytes"),
        ({"load_in_8bit": True}, "int8 by bitsandbytes"),
        ({"quant_method": "gptq", "bits": 4}, "4 bits by gptq"),
        ({"quant_method": "awq", "w_bit": 4}, "4 bits by awq"),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized"}, "pack-quantized by compressed-tensors"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "fp8"}, "fp8"),
    ],
)
def test_labels(said: dict[str, Any] | None, label: str | None, tmp_path: Path) -> None:
    for config in ({"quantization_config": said}, {"text_config": {"quantization_config": said}}):
        found = already_quantized(config)
        assert (found.label if found else None) == label
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert quantized_label(tmp_path) == (label or "")


def test_a_label_of_nothing_is_empty(tmp_path: Path) -> None:
    assert quantized_label(tmp_path) == ""
    for text in ("{", "[]", '{"quantization_config": [1]}'):
        (tmp_path / "config.json").write_text(text)
        assert quantized_label(tmp_path) == ""


def identity(folder: Path, precision: Precision = "fp32") -> ModelIdentity:
    return open_model(ModelSource("m", "transformers", str(folder), "d", precision=precision)).identity


def refusal(folder: Path, precision: Precision = "fp32") -> str:
    with pytest.raises(UserError) as caught:
        identity(folder, precision)
    assert "\n" not in str(caught.value) and str(caught.value.place).startswith(str(folder))
    return caught.value.message


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> Path:
    """A Llama whose matrices are wide enough for blocks of 64."""
    folder = tmp_path_factory.mktemp("wide")
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    sizes = {"hidden_size": 128, "intermediate_size": 256, "tie_word_embeddings": False, "initializer_range": 0.02}
    llama(**heads, **sizes).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(llama_folder / name, folder)
    return folder


@pytest.fixture(scope="module")
def four_bit(tmp_path_factory: pytest.TempPathFactory, wide: Path) -> Path:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    folder = tmp_path_factory.mktemp("quantized") / "nf4"
    AutoModelForCausalLM.from_pretrained(wide, quantization_config=config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(wide / name, folder)
    return folder


def test_its_parameters_are_those_before_packing(wide: Path, four_bit: Path) -> None:
    full, found = identity(wide), identity(four_bit)
    assert found.parameters == full.parameters
    assert found.parameters_non_embedding == full.parameters_non_embedding
    assert found.parameters_matmul == full.parameters_matmul
    assert found.quantized_by == "nf4 by bitsandbytes" and not full.quantized_by
    assert any("came quantized (nf4 by bitsandbytes)" in note for note in found.notes)


def test_its_storage(four_bit: Path) -> None:
    """Half a byte a weight; of each block of 64 a byte, of 256 blocks an fp32; and the tables of the codes."""
    weights = 2 * (4 * 128 * 128 + 3 * 128 * 256)
    tables = 14 * (16 * 4 + 256 * 4 + 4)
    scales = weights // 64 + 2 * (4 * 1 + 3 * 2) * 4
    rest = 2 * 320 * 128 + 5 * 128
    for precision, width in (("fp32", 4), ("bf16", 2)):
        stored = identity(four_bit, precision).stored  # type: ignore[arg-type]
        assert stored is not None
        assert {each.format: each.bytes for each in stored.formats} == {
            "nf4": weights // 2 + scales + tables,
            precision: width * rest,
        }
        assert {each.name for each in stored.wide} == {"model.embed_tokens.weight", "lm_head.weight"}


@pytest.mark.parametrize("precision", ["int8", "int4", "nf4"])
def test_it_is_not_quantized_twice(four_bit: Path, precision: Precision) -> None:
    assert f"quantizing them again as {precision} would measure neither" in refusal(four_bit, precision)


def test_the_reference_reads_none(four_bit: Path) -> None:
    with pytest.raises(UserError, match="the reference GPT reads none such"):
        open_model(ModelSource("m", "converted", str(four_bit), "d"))


def test_eight_bit_floats_are_widened_and_told(tmp_path: Path, wide: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(wide, tmp_path / "fp8"))
    tensors = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        tensors[name] = weight
        if "_proj" in name:
            scale = weight.abs().amax() / 448
            tensors[name] = (weight / scale).to(torch.float8_e4m3fn)
            tensors[f"{name}_scale_inv"] = scale.expand(weight.shape[0] // 128, weight.shape[1] // 128).contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    says(folder, quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]})
    found = identity(folder, "bf16")
    assert found.parameters == identity(wide).parameters
    assert found.quantized_by == "fp8" and found.weight_bytes == 2 * found.parameters
    assert "fp8: widened to bf16 when it is loaded" in found.notes


def says(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            {"quant_method": "gptq", "bits": 4},
            "needs optimum and gptqmodel: `pip install optimum gptqmodel`",
        ),
        ({"quant_method": "awq", "bits": 4}, "loading them needs gptqmodel"),
        ({"quant_method": "compressed-tensors"}, "loading them needs compressed-tensors"),
        ({"quant_method": "zip"}, "knows no quantization `zip`"),
        ({"quant_method": "fp8"}, "the files hold none that are"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "the files hold none that are"),
        ({"bits": 4}, "doesn't say its `quant_method`"),
        ([4], "is no object"),
    ],
)
def test_what_can_not_be_loaded_is_one_sentence(
    wide: Path, tmp_path: Path, said: Any, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    absent = ("optimum", "gptqmodel", "compressed_tensors")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in absent else real(name, *rest))
    folder = Path(shutil.copytree(wide, tmp_path / "model"))
    says(folder, quantization_config=said)
    assert sentence in refusal(folder)


def test_packed_weights_that_nobody_declares(wide: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(wide, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj"
    tensors[f"{name}.qweight"] = torch.ones(16, 128, dtype=torch.int32)
    del tensors[f"{name}.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert "packed by a quantizer" in refusal(folder)
    tensors[f"{name}.weight"] = torch.ones(128, 128, dtype=torch.int8)
    del tensors[f"{name}.qweight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert f"the weight {name}.weight holds integers" in refusal(folder)
