"""A folder of transformers through the reference's engine: the same numbers as through transformers."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from harness.errors import UserError
from harness.models.contract import LanguageModel, ModelSource, Precision
from harness.models.open import open_model
from reference_impl.quantization.quantized_checkpoint import save_quantized

TEXT = torch.arange(3, 15)[None]


def opened(folder: Path, kind: str, precision: Precision = "fp32") -> LanguageModel:
    return open_model(ModelSource("m", kind, str(folder), "d", precision))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8", "int4"])
def test_llama(llama_folder: Path, precision: Precision) -> None:
    ours, theirs = opened(llama_folder, "converted", precision), opened(llama_folder, "transformers", precision)
    text = TEXT % ours.identity.vocabulary
    expected, found = theirs.forward(text).float(), ours.forward(text).float()
    assert (found - expected).norm() / expected.norm() < (1e-5 if precision == "fp32" else 0.03)
    same = ("parameters", "parameters_non_embedding", "parameters_matmul", "parameters_head", "vocabulary", "context",
            "layers", "width", "tokenizer_digest")  # fmt: skip
    for name in same:
        assert getattr(ours.identity, name) == getattr(theirs.identity, name), name
    cache = ours.new_cache(1, 12)
    ours.forward(text[:, :9], cache)
    steps = torch.cat([ours.forward(text[:, i : i + 1], cache) for i in range(9, 12)], 1).float()
    assert (steps - found[:, 9:]).norm() / found[:, 9:].norm() < (1e-5 if precision == "fp32" else 0.03)


def test_gpt2(gpt2_folder: Path) -> None:
    ours, theirs = opened(gpt2_folder, "converted"), opened(gpt2_folder, "transformers")
    text = TEXT % ours.identity.vocabulary
    torch.testing.assert_close(ours.forward(text), theirs.forward(text), rtol=0, atol=1e-5)


def test_a_quantized_checkpoint_of_it(llama_folder: Path, tmp_path: Path) -> None:
    ours = opened(llama_folder, "converted", "int4")
    files = [p for p in llama_folder.iterdir() if p.name.startswith("tokenizer")]
    save_quantized(tmp_path / "q", ours.gpt, "int4", files)  # type: ignore[attr-defined]
    kept = opened(tmp_path / "q", "reference", "int4")
    text = TEXT % ours.identity.vocabulary
    assert torch.equal(kept.forward(text), ours.forward(text))
    assert kept.tokenizer.digest == ours.tokenizer.digest
    assert kept.identity.weight_bytes == ours.identity.weight_bytes
    with pytest.raises(UserError, match="this checkpoint is int4 and can't be opened as int8"):
        opened(tmp_path / "q", "reference", "int8")


def test_what_is_wrong_is_said(llama_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(llama_folder, folder)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:200])
    with pytest.raises(UserError, match="weights are damaged"):
        opened(folder, "converted")
    weights.write_bytes(whole)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "mixtral"}))
    with pytest.raises(UserError, match=r"reads gpt2 and llama, not 'mixtral'|tokenizer can't be loaded"):
        opened(folder, "converted")
