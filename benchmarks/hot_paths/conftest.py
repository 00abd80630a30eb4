"""What the hot paths are timed on: a model of 11M random weights, one thread, and sizes that a smoke test makes small.

Each file checks once, outside of the timing, that what it times is right, by the slow way. Without timing
(`--benchmark-disable`, as in the smoke test) everything runs once and small.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from reference_impl.model.gpt import GPT
from reference_impl.model.presets import preset
from reference_impl.quantization.quantize import Scheme, quantize_
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint

CONTEXT = 512
FORMATS: tuple[Scheme | Literal["fp32"], ...] = ("fp32", "bf16", "int8", "int4")
"""How weights are stored. What a benchmark's parameters are is part of what it is in a history."""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As on a machine that others use too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def timed(request: pytest.FixtureRequest) -> bool:
    """Whether anything is timed."""
    return bool(request.config.getoption("benchmark_enable") or not request.config.getoption("benchmark_disable"))


@pytest.fixture(scope="session")
def tokenizer() -> ByteBPE:
    """Bytes and a few merges."""
    return ByteBPE.train(["the cat sat on the mat and the dog on the log"] * 4, 300)


@pytest.fixture(scope="session")
def gpt(timed: bool) -> GPT:
    """A GPT of `maxi`'s shape, whose weights are large enough for it to have preferences."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT(preset("maxi" if timed else "nano", vocabulary=1024, context=CONTEXT)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(4.0)
    return model.requires_grad_(False)


@pytest.fixture(scope="session", params=FORMATS)
def stored(request: pytest.FixtureRequest, gpt: GPT) -> GPT:
    """The model in each format of its weights."""
    scheme: Scheme | Literal["fp32"] = request.param
    if scheme == "fp32":
        return gpt
    model = deepcopy(gpt)
    quantize_(model, scheme)
    return model


@pytest.fixture(scope="session")
def tokens() -> Tensor:
    """(1, context) token ids."""
    return torch.randint(1024, (1, CONTEXT), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def checkpoint(gpt: GPT, tokenizer: ByteBPE, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a checkpoint."""
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    save_checkpoint(folder, gpt, tokenizer)
    return folder
