"""Checkpoints of the first version, and what they computed: `python tests/stored/checkpoints.py` made what lies in
`checkpoints/`.

They are to be read by every later version, so they are not made again when the code changes: a checkpoint whose logits
are others now is what they are there to show. Where a format gets a new version, these stay beside its own.

    gpt2, llama            trained for a few steps: two shapes that between them have every kind of layer
    gpt2-int8 …            the first of them, quantised, in every format that can be stored
    state.safetensors      a training run after STEPS - 1 of its STEPS steps, with momentum, dropout and random state
    expected.safetensors   tokens, logits, and the weights after the last step
    expected.json          losses, digests, and the machine that it all was computed on
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from harness.results.fingerprint import cpu_flags, fingerprint
from harness.results.instructions import instructions
from reference_impl.inference.engine import Engine
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.native.build import native_library
from reference_impl.quantization.quantize import quantize_
from reference_impl.quantization.quantized_checkpoint import STORABLE, load_quantized, save_quantized
from reference_impl.quantization.weight_format import dense_type
from reference_impl.text.packing import pack
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint
from reference_impl.training.checkpoint_folder import checkpoint_digest
from reference_impl.training.pretraining import train
from reference_impl.training.result import TrainingResult
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.state_file import Saving

FOLDER = Path(__file__).parent / "checkpoints"
TEXT = [f"The {what} sees {number} {what}s, and {number} {what}s see the {what}." for what in ("cat", "dog", "owl")
        for number in ("two", "three", "four")]  # fmt: skip
_SIZE = {"vocabulary": 264, "context": 24, "layers": 2, "width": 16}
SHAPES = {
    "gpt2": GPTConfig(**_SIZE, heads=2),
    "llama": GPTConfig(
        **{**_SIZE, "heads": 4, "kv_heads": 2, "ffn_width": 24},
        **{"positions": "rotary", "norm": "rms", "ffn": "swiglu", "bias": False, "tie_head": False},  # type: ignore[arg-type]
    ),
}
SETTINGS = TrainingSettings(tokens=40 * 4 * 24, batch=4, learning_rate=2e-2, threads=1, precision="fp32")
RESUMED = GPTConfig(vocabulary=16, context=16, layers=1, heads=2, width=16, dropout=0.1)
STEPS = 12
RESUMED_SETTINGS = replace(SETTINGS, tokens=STEPS * 4 * 16, validations=2)


def machine() -> dict[str, Any]:
    """What decides the last bits of a number: equal here and there, they must be equal too."""
    found = fingerprint()
    return {
        "cpu": found.cpu_model,
        "instructions": instructions(os.environ, cpu_flags()),
        "torch": torch.__version__,
        "kernel": native_library().identity,
        "activations of stored weights": str(dense_type("cpu")),
    }


def outputs(model: GPT, tokens: Tensor, forward: bool) -> dict[str, Tensor]:
    """Logits by every way that a model is read. tokens: (2, 10)."""
    found, prompt = {}, tokens[:, :9]  # more than a step of the kernel takes
    if forward:
        with torch.inference_mode():
            found["forward"] = model(tokens)
    engine = Engine(model)
    cache = engine.new_cache(2, 12)
    found["prompt"] = engine(prompt, cache)[:, -1]
    found["step"] = engine(tokens[:, 9:], cache)[:, -1]
    mask = torch.ones_like(tokens)
    mask[0, :3] = 0
    found["padded"] = engine(tokens, attention_mask=mask, logits_at=torch.tensor([9]))[:, -1]
    return {name: logits.float().contiguous() for name, logits in found.items()}


def stream() -> np.ndarray[Any, Any]:
    """Tokens of the run that is resumed: each says what the next one is, with noise."""
    draw = np.random.Generator(np.random.PCG64(0))
    return ((np.arange(400) % 13) + draw.integers(0, 3, size=400)).astype(np.uint16)


def resumed(state: Path) -> tuple[GPT, TrainingResult]:
    """The last step of the run whose state it is; the file stays as it was."""
    torch.manual_seed(5)  # the state's weights and random numbers count, not these
    model = GPT(RESUMED)
    return model, train(model, stream(), stream()[:100], RESUMED_SETTINGS, saving=Saving(state, STEPS - 1), resume=True)


def logits_of_all(tokens: Tensor) -> dict[str, Tensor]:
    """Logits of every stored checkpoint, by its name and the way of reading."""
    found = {}
    for name in SHAPES:
        found |= _named(name, outputs(load_checkpoint(FOLDER / name).model, tokens, forward=True))
    for scheme in STORABLE:
        name = f"gpt2-{scheme}"
        found |= _named(name, outputs(load_quantized(FOLDER / name).model, tokens, forward=False))
    return found


def _named(name: str, found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name} {way}": logits for way, logits in found.items()}


def _make() -> None:
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    tokenizer = ByteBPE.train(TEXT, _SIZE["vocabulary"])
    text = pack(tokenizer, TEXT * 8)
    for name, config in SHAPES.items():
        torch.manual_seed(0)
        model = GPT(config)
        result = train(model, text, text[:200], SETTINGS)
        save_checkpoint(FOLDER / name, model, tokenizer, replace(result, curve=result.curve[-2:]))
    tokens = torch.from_numpy(text[:20].astype(np.int64)).view(2, 10)
    full = load_checkpoint(FOLDER / "gpt2").model
    for scheme in STORABLE:
        calibration = (tokens,) if scheme == "int4-gptq" else ()
        stored = cast(GPT, quantize_(copy.deepcopy(full), scheme, torch.bfloat16, calibration))
        save_quantized(FOLDER / f"gpt2-{scheme}", stored, scheme)
    state = FOLDER / "state.safetensors"
    torch.manual_seed(1)
    straight = train(GPT(RESUMED), stream(), stream()[:100], RESUMED_SETTINGS, saving=Saving(state, STEPS - 1))
    model, result = resumed(state)
    assert result.curve[-1].loss == straight.curve[-1].loss
    weights = {f"after {name}": tensor.detach() for name, tensor in model.named_parameters()}
    save_file({"tokens": tokens, **logits_of_all(tokens), **weights}, str(FOLDER / "expected.safetensors"))
    expected = {
        "machine": machine(),
        "digests": {name: checkpoint_digest(FOLDER / name) for name in SHAPES},
        "losses": [point.loss for point in result.curve],
        "validation_loss": result.validation_loss,
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    _make()
