"""Checkpoints and a training run of the first version compute what they computed then.

On a machine like the one that made them: the same bits. On another they may differ by rounding, which is why each
comparison has a limit beside it, far below what any change of the model makes.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reference_impl.model.gpt import GPT
from reference_impl.quantization.quantize import quantize_
from reference_impl.quantization.quantized_checkpoint import STORABLE, load_quantized
from reference_impl.training.checkpoint import load_checkpoint
from reference_impl.training.checkpoint_folder import checkpoint_digest

ROUNDING = 2e-6
"""Of fp32 logits, as a part of the largest. Sums of up to 64 products in another order differ by a few 2^-24 (6e-8) of
their size at each of a dozen places. Measured between torch's kernels for no vectors, AVX2 and AVX-512, with and
without the compiled kernel: 4.5e-7 at most."""
ROUNDING_OF_STORED = 2**-5
"""Of logits of quantized weights. Depending on the processor the activations between them are bf16 (each rounding of
them is 2^-9, 0.002) or fp32, and those before integer weights 8 or 16 bits. Measured as above: 0.011 at most."""
ROUNDING_OF_A_LOSS = 1e-6
"""In nats, of about 2. Measured: 8e-8 at most."""
ROUNDING_OF_A_STEP = 5e-5
"""Of weights after one step, which moves them by up to 2e-3: Adam divides by small numbers. Measured: 1e-5 at most."""


@pytest.fixture(scope="module")
def stored() -> ModuleType:
    """`tests/stored/checkpoints.py`, which made them."""
    spec = importlib.util.spec_from_file_location("checkpoints", Path(__file__).parents[2] / "stored/checkpoints.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told(stored: ModuleType) -> dict[str, Any]:
    """`expected.json`."""
    found: dict[str, Any] = json.loads((stored.FOLDER / "expected.json").read_text())
    return found


@pytest.fixture(scope="module")
def tensors(stored: ModuleType) -> dict[str, Tensor]:
    """`expected.safetensors`."""
    return load_file(stored.FOLDER / "expected.safetensors")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As they were made: who adds which share of a sum moves its last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def is_same(found: Tensor, expected: Tensor, alike: bool, limit: float) -> bool:
    """Equal bit for bit where the machine is alike, else within `limit` of the largest number."""
    if alike:
        return torch.equal(found, expected)
    return found.shape == expected.shape and bool((found - expected).abs().max() <= limit * expected.abs().max())


def test_logits_are_what_they_were(stored: ModuleType, told: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    alike = stored.machine() == told["machine"]
    found = stored.logits_of_all(tensors["tokens"])
    expected = {name for name in tensors if name != "tokens" and not name.startswith("after ")}
    assert set(found) == expected and len(expected) == 2 * 4 + 5 * 3
    wrong = [
        name
        for name, logits in found.items()
        if not is_same(
            logits, tensors[name], alike, ROUNDING if name.split()[0] in stored.SHAPES else ROUNDING_OF_STORED
        )
    ]
    assert wrong == [], f"on {'the same' if alike else 'another'} machine"


def test_digests_are_what_they_were(stored: ModuleType, told: dict[str, Any]) -> None:
    """They are in the keys of cached results."""
    assert {name: checkpoint_digest(stored.FOLDER / name) for name in stored.SHAPES} == told["digests"]
    for name, config in stored.SHAPES.items():
        checkpoint = load_checkpoint(stored.FOLDER / name)
        assert (checkpoint.digest, checkpoint.config) == (told["digests"][name], config)
        assert checkpoint.training is not None and checkpoint.training.steps == 40
        text = stored.TEXT[0]
        assert checkpoint.tokenizer.decode(checkpoint.tokenizer.encode(text)) == text


@pytest.mark.parametrize("scheme", [scheme for scheme in STORABLE if scheme != "int4-gptq"])
def test_quantizing_makes_the_same_bytes(stored: ModuleType, scheme: Any) -> None:
    """On every machine: each number is rounded by itself. (Calibrating solves equations, whose last bits differ.)"""
    made = quantize_(load_checkpoint(stored.FOLDER / "gpt2").model, scheme, torch.bfloat16)
    assert isinstance(made, GPT)
    kept = load_file(stored.FOLDER / f"gpt2-{scheme}" / "model.safetensors")
    again = made.state_dict()
    assert set(kept) <= set(again) and len(kept) > 20
    for name, tensor in kept.items():
        assert tensor.dtype == again[name].dtype and torch.equal(tensor, again[name]), name


def test_a_run_of_then_goes_on(
    stored: ModuleType, told: dict[str, Any], tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    """Weights, momentum, the random state behind dropout and the place in the data: the last step needs all of them."""
    state = Path(shutil.copy(stored.FOLDER / "state.safetensors", tmp_path))
    model, result = stored.resumed(state)
    losses = [point.loss for point in result.curve]
    assert losses[:-1] == told["losses"][:-1], "the curve up to there is read, not computed"
    alike = stored.machine() == told["machine"]
    limit = 0.0 if alike else ROUNDING_OF_A_LOSS
    assert abs(losses[-1] - told["losses"][-1]) <= limit
    assert abs(result.validation_loss - told["validation_loss"]) <= limit
    after = {name: tensor.detach() for name, tensor in model.named_parameters()}
    assert {f"after {name}" for name in after} == {name for name in tensors if name.startswith("after ")}
    for name, tensor in after.items():
        assert (tensor - tensors[f"after {name}"]).abs().max() <= (0.0 if alike else ROUNDING_OF_A_STEP), name


DEFECTS = {
    "blocks in another order": lambda model: model.blocks.insert(0, model.blocks.pop(1)),
    "a norm's weights left out": lambda model: model.final_norm.weight.data.fill_(1.0),
    "heads cut otherwise": lambda model: [
        block.attention.qkv.weight.data.copy_(block.attention.qkv.weight.data.roll(8, 0)) for block in model.blocks
    ],
    "an activation of another kind": lambda model: [
        setattr(block.ffn, "approximate", "none") for block in model.blocks
    ],
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_known_bad_defects_are_beyond_rounding(stored: ModuleType, tensors: dict[str, Tensor], defect: str) -> None:
    """The last of them changes a logit by 0.0001 and is seen too."""
    model = load_checkpoint(stored.FOLDER / "gpt2").model
    honest = stored.outputs(copy.deepcopy(model), tensors["tokens"], forward=True)
    DEFECTS[defect](model)
    for name, logits in stored.outputs(model, tensors["tokens"], forward=True).items():
        if (defect, name) != ("an activation of another kind", "step"):  # the kernel was told of the config's
            assert not is_same(logits, tensors[f"gpt2 {name}"], False, ROUNDING), name
        assert is_same(honest[name], tensors[f"gpt2 {name}"], False, ROUNDING)


def test_known_bad_other_positions_are_beyond_the_rounding_of_stored_weights(
    stored: ModuleType, tensors: dict[str, Tensor]
) -> None:
    for scheme in STORABLE:
        model = load_quantized(stored.FOLDER / f"gpt2-{scheme}").model
        with torch.inference_mode():
            wrong = model(tensors["tokens"][:, :9], positions=torch.arange(1, 10)[None])[:, -1].float()
        assert not is_same(wrong, tensors[f"gpt2-{scheme} prompt"], False, ROUNDING_OF_STORED), scheme
