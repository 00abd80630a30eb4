"""How a loaded model comes to a quantized precision, whatever loaded it, and the text that GPTQ is calibrated on.

The calibration text is fixed, so that a suite needn't name one and a key needn't hold one: windows of microworld's
training documents, which our own code tells and which no measure tests on. Documents are spaced evenly over the
corpus, joined, and cut into windows; the same tokenizer always gives the same windows.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from harness import corpora
from harness.errors import UserError
from harness.models.contract import Precision, Tokenizer
from reference_impl.quantization.quantize import Scheme, left_wide, quantize_

CALIBRATION_TEXT = "microworld/train"
CALIBRATION_WINDOWS = 16
CALIBRATION_TOKENS = 256
"""Windows and tokens in each: 4096 tokens in all, or fewer where the context is shorter."""

SCHEMES: dict[Precision, Scheme] = {
    "int8": "int8",
    "int8-dynamic": "int8-dynamic",
    "int4": "int4",
    "int4-gptq": "int4-gptq",
    "nf4": "nf4",
    "fp4": "fp4",
}
"""The precisions that are quantizations."""


def quantize(
    model: nn.Module, precision: Precision, tokenizer: Tokenizer, context: int, activations: torch.dtype | None = None
) -> None:
    """Quantize the weights in place. Raises UserError where that can't be, such as without bitsandbytes.

    activations: the type between the layers; by default the one that the device is fast in.
    """
    scheme = SCHEMES[precision]
    batches: list[Tensor] = []
    if scheme == "int4-gptq":
        device = next(model.parameters()).device
        batches = [window.to(device) for window in calibration_batches(tokenizer, context)]
    choose: Any = getattr(model, "set_experts_implementation", None)
    if choose is not None:
        choose("eager")  # the one that reads an expert at a time
    try:
        quantize_(model, scheme, activations, calibration=batches)
    except ValueError as error:
        raise UserError(f"the model can't be opened as {precision}: {error}") from error


def type_buffers_like(model: nn.Module, skeleton: nn.Module) -> None:
    """Give tables that follow from the configuration the types that they have in `skeleton`, a model of the type of the
    activations: what is added to those gets their type, rotary frequencies stay in fp32. So does what the architecture
    keeps in fp32 of a checkpoint.
    """
    kept = {
        *(getattr(model, "_keep_in_fp32_modules", None) or ()),
        *(getattr(model, "_keep_in_fp32_modules_strict", None) or ()),
    }
    types = {name: buffer.dtype for name, buffer in skeleton.named_buffers() if kept.isdisjoint(name.split("."))}
    for prefix, module in model.named_modules():
        for name, buffer in module._buffers.items():
            wanted = types.get(f"{prefix}.{name}" if prefix else name)
            if buffer is not None and wanted is not None and buffer.is_floating_point():
                module._buffers[name] = buffer.to(wanted)  # not `.data`: a pass may have made it in inference mode


def left_wide_by(model: nn.Module, precision: Precision) -> dict[str, str]:
    """Matrices that are stored wider than `precision` says: name and reason. Empty for a type, which takes all."""
    return left_wide(model, SCHEMES[precision]) if precision in SCHEMES else {}


def calibration_batches(tokenizer: Tokenizer, context: int) -> list[Tensor]:
    """The windows of calibration text, each (1, time) int64."""
    length = min(CALIBRATION_TOKENS, context)
    wanted = CALIBRATION_WINDOWS * length
    texts = corpora.documents(CALIBRATION_TEXT)
    bos = () if tokenizer.bos_id is None else (tokenizer.bos_id,)
    start = list(tokenizer.prefix or bos)
    # every 61st document, 61 having no factor in common with their number, so that all come before one returns
    order = (texts[61 * i % len(texts)] for i in itertools.count())
    stream: list[int] = []
    while len(stream) < wanted:
        stream += start + tokenizer.encode(next(order))
    return [torch.tensor([stream[i : i + length]]) for i in range(0, wanted, length)]
