"""A small random GPT with opinions, as decoding sees a model, and the two kernels for few rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.inference import int4, int8
from reference_impl.inference.kv_cache import KVCache
from reference_impl.inference.native import build, matrix
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT


class Plain:
    """A GPT in eager PyTorch as a `CausalModel`; counts the token positions that it computes."""

    def __init__(self, gpt: GPT) -> None:
        self.gpt, self.config, self.positions = gpt.eval(), gpt.config, 0

    def new_cache(self, batch: int, length: int) -> KVCache:
        return KVCache.for_model(self.gpt, batch, length)

    def __call__(self, tokens: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.positions += tokens.numel()
        with torch.inference_mode():
            logits: Tensor = self.gpt(tokens, *args, **kwargs)
        return logits


def random_model(seed: int = 0, sharpness: float = 8.0, **shape: Any) -> Plain:
    """Weights times `sharpness`, so that it has preferences; an untied head, or it would repeat its input."""
    config = GPTConfig(
        **({"vocabulary": 61, "context": 32, "layers": 2, "heads": 2, "width": 16, "tie_head": False} | shape)
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gpt = GPT(config)
    with torch.no_grad():
        for parameter in gpt.parameters():
            if parameter.dim() == 2:
                parameter.mul_(sharpness)
    return Plain(gpt.requires_grad_(False))


@pytest.fixture(scope="session")
def make_model() -> Any:
    return random_model


@pytest.fixture(scope="session")
def model() -> Plain:
    return random_model()


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
