"""bf16 products through fp32: equal to the plain ones within a rounding, and only where they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from harness.models.contract import ModelSource
from harness.models.open import open_model
from harness.scoring.bf16 import FEW_ROWS, bf16_through_fp32
from harness.scoring.loglikelihood import token_nlls

ULP = 2.0**-7
"""Distance of neighboring bf16 numbers, relative, at most."""


def tensors(*shapes: tuple[int, ...], dtype: torch.dtype = torch.bfloat16) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def test_linear_is_the_correctly_rounded_product() -> None:
    x, w, b = tensors((3, 20, 64), (48, 64), (48,))
    with bf16_through_fp32(True):
        found = functional.linear(x, w, b)
    exact = functional.linear(x.double(), w.double(), b.double())
    assert found.dtype == torch.bfloat16
    off = (found.double() - exact).abs()
    assert (off <= exact.abs() * ULP / 2 + 1e-5).all(), "further from the exact product than one rounding"
    plain = functional.linear(x, w, b)
    torch.testing.assert_close(found, plain, rtol=2 * ULP, atol=2e-2)


def test_addmm_keeps_its_factors() -> None:
    b, x, w = tensors((48,), (20, 64), (64, 48))
    with bf16_through_fp32(True):
        found = torch.addmm(b, x, w, beta=2, alpha=0.5)
    torch.testing.assert_close(found, torch.addmm(b, x, w, beta=2, alpha=0.5), rtol=2 * ULP, atol=2e-2)


@pytest.mark.parametrize(
    ("rows", "dtype", "active"),
    [(FEW_ROWS - 1, torch.bfloat16, True), (64, torch.float32, True), (64, torch.bfloat16, False)],
)
def test_everything_else_is_left_alone(
    rows: int, dtype: torch.dtype, active: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(*args: object, **kwargs: object) -> None:
        raise AssertionError("upcast where it should not be")

    monkeypatch.setattr("harness.scoring.bf16._linear", unexpected)
    x, w = tensors((rows, 64), (48, 64), dtype=dtype)
    with bf16_through_fp32(active):
        assert torch.equal(functional.linear(x, w), x @ w.T) or dtype == torch.bfloat16


def test_it_ends_with_the_context() -> None:
    x, w = tensors((64, 64), (48, 64))
    before = functional.linear(x, w)
    with bf16_through_fp32(True):
        pass
    assert torch.equal(functional.linear(x, w), before)


@pytest.mark.parametrize("name", ["llama_folder", "gpt2_folder"])
def test_a_models_losses_agree_within_bf16(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue(name)
    model = open_model(ModelSource("m", "transformers", str(folder), "digest", precision="bf16"))
    ids = [torch.randint(320, (90,), generator=torch.Generator().manual_seed(1)).tolist()]
    monkeypatch.setattr("harness.scoring.bf16.has_native_bf16", lambda: False)
    [upcast] = token_nlls(model, ids, 40, 20)
    monkeypatch.setattr("harness.scoring.bf16.has_native_bf16", lambda: True)
    [plain] = token_nlls(model, ids, 40, 20)
    assert upcast.mean() == pytest.approx(plain.mean(), rel=5e-3)
