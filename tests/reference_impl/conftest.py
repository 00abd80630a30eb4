"""A small random GPT with opinions, the two kernels for few rows, and what arithmetic allows them to be off by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.native import build, matrix
from reference_impl.quantization import int4, int8
from reference_impl.quantization.quantized_modules import QuantizedEmbedding, QuantizedLinear
from tests.tiny_models import sharp_gpt


class Plain:
    """A GPT in eager PyTorch as a `CausalModel`; counts the token positions that it computes."""

    def __init__(self, gpt: GPT) -> None:
        self.gpt, self.config, self.positions = gpt.eval(), gpt.config, 0

    def new_cache(self, batch: int, length: int) -> KVCache:
        return KVCache.for_model(self.gpt, batch, length)

    def forward(self, tokens: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.positions += tokens.numel()
        with torch.inference_mode():
            logits: Tensor = self.gpt(tokens, *args, **kwargs)
        return logits

    __call__ = forward


def random_model(seed: int = 0, sharpness: float = 8.0, **shape: Any) -> Plain:
    """Weights times `sharpness`, so that it has preferences; an untied head, or it would repeat its input."""
    config = GPTConfig(
        **({"vocabulary": 61, "context": 32, "layers": 2, "heads": 2, "width": 16, "tie_head": False} | shape)
    )
    return Plain(sharp_gpt(config, sharpness, seed).requires_grad_(False))


@pytest.fixture(scope="session")
def make_model() -> Any:
    return random_model


@pytest.fixture(scope="session")
def model() -> Plain:
    return random_model()


def exact(gpt: GPT) -> GPT:
    """The model with its stored weights widened to what they stand for, in fp32."""
    if not isinstance(gpt.head, QuantizedLinear):
        return gpt
    wide = GPT(replace(gpt.config, tie_head=False)).eval()  # with 4 bits the embedding has 8, and its head has not
    kept = {name: tensor.float() for name, tensor in gpt.named_parameters()}
    for name, module in gpt.named_modules():
        if isinstance(module, QuantizedLinear | QuantizedEmbedding):
            rows, columns = wide.get_submodule(name).weight.shape
            kept[f"{name}.weight"] = module.weight.dense(0, rows)[:, :columns]  # type: ignore[operator]
            if getattr(module, "bias", None) is not None:
                kept[f"{name}.bias"] = module.bias.float()  # type: ignore[union-attr]
    wide.load_state_dict(kept)
    return wide.requires_grad_(False)


@pytest.fixture(scope="session")
def widened() -> Callable[[GPT], GPT]:
    return exact


BF16 = 2.0**-8
"""Largest relative error of one rounding to bf16, whose significand has 8 bits."""


def off_by_rounding(y: Tensor, x: Tensor, weight: Tensor) -> bool:
    """Whether every number of a product x W^T of bf16 activations is within what its roundings allow.

    The result is rounded to bf16. Before that, on whatever processor: the dense product rounds each weight to bf16, the
    compiled kernel rounds the activations to 16-bit integers in units of the largest, and sums of n terms in fp32 are
    off by n 2^-24 of their terms' sizes. x: (rows, in), weight: (out, in), what the stored numbers stand for.
    """
    wide, dense = x.double(), weight.double()
    expected, sizes = wide @ dense.t(), wide.abs() @ dense.abs().t()
    before = (BF16 + x.size(1) * 2.0**-24) * sizes + 2.0**-16 * wide.abs().amax(1, keepdim=True) * dense.abs().sum(1)
    return bool(((y.double() - expected).abs() <= before + BF16 * (expected.abs() + before)).all())


@pytest.fixture(scope="session")
def rounded() -> Callable[[Tensor, Tensor, Tensor], bool]:
    return off_by_rounding


@pytest.fixture(params=["compiled kernel", "torch's kernel"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to multiply few rows with integer weights."""
    native = build.native_library()
    if request.param == "torch's kernel":
        for module in (matrix, int4, int8):
            monkeypatch.setattr(module, "native_library", lambda: build.Native(None, "not wanted here"))
    elif native.library is None:
        pytest.skip(native.reason)
    return request.param
