"""Every quantized precision opens, through both adapters, and says what it can't do."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from harness.errors import UserError
from harness.models.contract import PRECISIONS, ModelSource, Precision
from harness.models.open import open_model
from harness.models.quantized import CALIBRATION_WINDOWS, SCHEMES, calibration_batches
from reference_impl.text.tokenizer import ByteBPE


@pytest.mark.parametrize("precision", SCHEMES)
@pytest.mark.parametrize("folder", ["llama_folder", "gpt2_folder"])
def test_a_transformers_model_opens_at_every_precision(
    precision: Precision, folder: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(folder)
    exact, model = (
        open_model(ModelSource("m", "transformers", str(path), "d", precision=which)) for which in ("fp32", precision)
    )
    tokens = torch.arange(1, 25)[None]
    want, got = exact.forward(tokens).float(), model.forward(tokens).float()
    assert 0 < float((got - want).norm() / want.norm()) < (0.1 if precision.startswith("int8") else 0.6)
    assert model.identity.precision == precision
    assert model.identity.weight_bytes < 0.6 * exact.identity.weight_bytes


def test_every_precision_is_a_cast_or_a_scheme() -> None:
    assert set(PRECISIONS) == {"fp32", "bf16", "fp16", *SCHEMES}


def test_the_calibration_text_is_the_same_every_time() -> None:
    tokenizer = ByteBPE.train(["the cat sat on the mat"] * 9, 280)
    batches = calibration_batches(tokenizer, 64)
    assert len(batches) == CALIBRATION_WINDOWS and {batch.shape for batch in batches} == {(1, 64)}
    assert all(torch.equal(a, b) for a, b in zip(batches, calibration_batches(tokenizer, 64), strict=True))


def test_a_missing_package_is_one_sentence(llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> object:
        if name.startswith("bitsandbytes"):
            raise ModuleNotFoundError("No module named 'bitsandbytes'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UserError, match=r"can't be opened as nf4: .*pip install bitsandbytes"):
        open_model(ModelSource("m", "transformers", str(llama_folder), "d", precision="nf4"))
