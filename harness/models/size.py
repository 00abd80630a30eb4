"""How many parameters a model has, without loading it: for plans and listings. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import assets
from harness.errors import UserError
from harness.models.weight_header import read_header

if TYPE_CHECKING:
    from harness.models.resolved import Resolved
    from reference_impl.model.config import GPTConfig


@dataclass(frozen=True)
class ModelSize:
    """Parameters in all, and those that take part in matrix products (the head counts, look-ups don't)."""

    parameters: int
    matmul: int


def config_size(config: GPTConfig) -> ModelSize:
    """The size of a reference GPT of this shape."""
    from reference_impl.model.counting import count_parameters

    count = count_parameters(config)
    return ModelSize(count.total, count.matmul)


def preset_rows(vocabulary: int = 1024, context: int = 256) -> list[tuple[str, int, int, int, int]]:
    """(name, parameters, layers, heads, width) of every preset at a vocabulary and context."""
    from reference_impl.model.counting import count_parameters
    from reference_impl.model.presets import PRESETS, preset

    configs = {name: preset(name, vocabulary=vocabulary, context=context) for name in PRESETS}
    return [(name, count_parameters(c).total, c.layers, c.heads, c.width) for name, c in configs.items()]


def preset_names() -> tuple[str, ...]:
    """The presets of reference_impl."""
    from reference_impl.model.presets import PRESETS

    return tuple(PRESETS)


def check_preset(name: str, *, place: str) -> None:
    """UserError with the nearest spelling where there is no preset of that name."""
    from reference_impl.model.presets import preset

    try:
        preset(name, vocabulary=1024, context=256)
    except ValueError as error:
        raise UserError(str(error), place=place) from None


def stored_size(resolved: Resolved) -> ModelSize | None:
    """Parameters of a model that isn't trained here; None where they are not known (a hub model, say)."""
    if resolved.asset is not None and not resolved.ready:
        parameters = assets.asset(resolved.asset).parameters
        return None if parameters is None else ModelSize(parameters, parameters)
    return folder_size(resolved.source.path)


def folder_size(folder: str) -> ModelSize | None:
    """Parameters of a model folder from the headers of its safetensors files; None where there are none."""
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        for path in sorted(Path(folder).glob("*.safetensors")):
            shapes |= {name: tensor.shape for name, tensor in read_header(path).items()}
    except UserError:
        return None  # a plan is no place to find a corrupted file; opening the model is
    total = sum(math.prod(shape) for shape in shapes.values())
    return ModelSize(total, total) if total else None
