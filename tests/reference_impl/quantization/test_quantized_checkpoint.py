"""Quantized weights kept in a folder: the same model back, and nothing but that model."""

import json
from pathlib import Path

import pytest
import torch

from reference_impl.inference.engine import Engine
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.quantization import quantize as quantization
from reference_impl.quantization import quantized_checkpoint, weight_format
from reference_impl.quantization.quantize import quantize_
from reference_impl.quantization.quantized_checkpoint import STORABLE, is_quantized, load_quantized, save_quantized
from reference_impl.quantization.weight_bytes import weight_bytes
from reference_impl.quantization.weight_format import dense_type
from reference_impl.training.checkpoint_folder import CorruptCheckpoint
from tests import tiny_models

TIED = GPTConfig(61, 16, 2, 4, 40)
LLAMA = GPTConfig(61, 16, 2, 4, 24, kv_heads=2, tie_head=False, **tiny_models.LLAMA)
TEXT = torch.arange(12)[None]


def quantized(config: GPTConfig, scheme: str) -> GPT:
    torch.manual_seed(0)
    return quantize_(GPT(config), scheme, calibration=[TEXT] if scheme == "int4-gptq" else ())  # type: ignore


@pytest.mark.parametrize("scheme", STORABLE)
@pytest.mark.parametrize("config", [TIED, LLAMA])
def test_the_same_model_comes_back(config: GPTConfig, scheme: str, tmp_path: Path) -> None:
    model = quantized(config, scheme)
    save_quantized(tmp_path / "q", model, scheme)  # type: ignore[arg-type]
    assert is_quantized(tmp_path / "q")
    loaded = load_quantized(tmp_path / "q")
    assert loaded.scheme == scheme and loaded.model.config == config
    assert weight_bytes(loaded.model) == weight_bytes(model)
    with torch.inference_mode():
        assert torch.equal(loaded.model(TEXT), model(TEXT))
        engines = [Engine(model), Engine(loaded.model)]
        steps = [engine(TEXT[:, :1], engine.new_cache(1, 2)) for engine in engines]
    assert torch.equal(*steps)


@pytest.mark.parametrize("scheme", STORABLE)
@pytest.mark.parametrize("config", [TIED, LLAMA])
def test_it_is_read_where_another_type_is_fast(
    config: GPTConfig, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written on a processor with bf16 instructions, read on one without, and the other way round."""
    save_quantized(tmp_path / "q", quantized(config, scheme), scheme)  # type: ignore[arg-type]
    here = load_quantized(tmp_path / "q").model
    other = torch.float32 if dense_type("cpu") == torch.bfloat16 else torch.bfloat16
    for module in (quantization, quantized_checkpoint, weight_format):
        monkeypatch.setattr(module, "dense_type", lambda device: other)
    there = load_quantized(tmp_path / "q").model
    with torch.inference_mode():
        assert {there.dtype, there(TEXT).dtype} == {other} != {here(TEXT).dtype}
        torch.testing.assert_close(there(TEXT).float(), here(TEXT).float(), atol=0.02, rtol=0)


def test_a_tied_head_stays_tied(tmp_path: Path) -> None:
    save_quantized(tmp_path / "q", quantized(TIED, "int8"), "int8")
    model = load_quantized(tmp_path / "q").model
    assert model.head.weight is model.token_embedding.weight


def test_the_file_has_the_bytes_of_the_weights(tmp_path: Path) -> None:
    model = quantized(TIED, "int4")
    save_quantized(tmp_path / "q", model, "int4")
    size = (tmp_path / "q" / "model.safetensors").stat().st_size
    assert weight_bytes(model) < size < weight_bytes(model) + 10_000


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "q"
    save_quantized(folder, quantized(TIED, "int4"), "int4")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CorruptCheckpoint, match="its SHA-256 is another"):
        load_quantized(folder)
    weights.write_bytes(whole[:-4])
    with pytest.raises(CorruptCheckpoint, match="should have"):
        load_quantized(folder)
    weights.unlink()
    with pytest.raises(CorruptCheckpoint, match="missing"):
        load_quantized(folder)


def reseal(folder: Path, name: str, content: bytes) -> None:
    """Change a file and its hash: what is left is content that doesn't fit."""
    import hashlib

    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "checkpoint.json").read_bytes())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "checkpoint.json").write_text(json.dumps(manifest))


def test_another_shape_or_scheme_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "q"
    save_quantized(folder, quantized(TIED, "int4"), "int4")
    config = json.loads((folder / "config.json").read_bytes())
    reseal(folder, "config.json", json.dumps(config | {"layers": 3}).encode())
    with pytest.raises(CorruptCheckpoint, match=r"its weights don't fit config\.json.*missing"):
        load_quantized(folder)
    reseal(folder, "config.json", json.dumps(config | {"width": 80}).encode())
    with pytest.raises(CorruptCheckpoint, match=r"its weights don't fit config\.json"):
        load_quantized(folder)
    reseal(folder, "config.json", json.dumps(config).encode())
    reseal(folder, "quantization.json", b'{"scheme": "int8"}')
    with pytest.raises(CorruptCheckpoint, match=r"its weights don't fit config\.json"):
        load_quantized(folder)
    reseal(folder, "quantization.json", b'{"scheme": "int3"}')
    with pytest.raises(CorruptCheckpoint, match="'int3' is no scheme"):
        load_quantized(folder)


def test_what_can_not_be_stored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nf4 weights can't be stored"):
        save_quantized(tmp_path / "q", GPT(TIED), "nf4")
