"""The weights of a checkpoint: put into a model that has none yet, where they fit it and are numbers."""

from __future__ import annotations

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from reference_impl.model.config import GPTConfig
from reference_impl.model.counting import count_parameters
from reference_impl.model.gpt import GPT
from reference_impl.training.checkpoint_folder import CONFIG, MODEL, CorruptCheckpoint, short

TIED = ("token_embedding.weight", "head.weight")
"""The two names of a tied weight."""


def check_sizes(config: GPTConfig, folder: Path, packed_by: int = 1) -> None:
    """CorruptCheckpoint where the shape is that of far more weights than the file has room for: a module of it isn't
    even begun. packed_by: the most weights that one element of the file stands for."""
    try:
        with safe_open(folder / MODEL, framework="pt") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise CorruptCheckpoint(folder / MODEL, f"its weights can't be read ({short(error)})") from error
    held = packed_by * sum(map(math.prod, shapes))
    described = count_parameters(config).total
    if config.layers > len(shapes) or described > 2 * held:
        raise CorruptCheckpoint(
            folder / CONFIG,
            f"it describes {config.layers:,} layers of {described:,} weights in all, and {MODEL} has less",
        )


def load_weights(model: GPT, folder: Path) -> None:
    """Put the tensors of a checkpoint in the place of a model's, which has none yet (on the meta device).

    The tensors look into the mapped file: there is no second copy. Raises CorruptCheckpoint where they don't fit, or
    aren't finite: torch's attention on a CPU hides a NaN, and the model would talk on.
    """
    try:
        tensors = load_file(folder / MODEL)
        tied = model.config.tie_head and isinstance(model.head, nn.Linear)
        if tied:  # saved under one of its two names
            for name, other in (TIED, TIED[::-1]):
                if name not in tensors and other in tensors:
                    tensors[name] = tensors[other]
        if broken := next((name for name, tensor in tensors.items() if not all_finite(tensor)), None):
            raise CorruptCheckpoint(folder / MODEL, f"{broken} holds values that aren't finite numbers")
        _, unexpected = model.load_state_dict(tensors, strict=False, assign=True)
        if tied:
            model.head.weight = model.token_embedding.weight
        lacking = [name for name, tensor in model.state_dict().items() if tensor.is_meta]
        if lacking or unexpected:
            raise RuntimeError(
                f"missing: {', '.join(lacking[:3]) or 'none'}; unknown: {', '.join(unexpected[:3]) or 'none'}"
            )
    except (RuntimeError, SafetensorError) as error:
        raise CorruptCheckpoint(folder / MODEL, f"its weights don't fit {CONFIG} ({short(error)})") from error


def all_finite(tensor: Tensor) -> bool:
    """Whether there is neither NaN nor infinity in it. One pass; a sum tells it without a copy unless it overflows."""
    return not tensor.is_floating_point() or bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())
