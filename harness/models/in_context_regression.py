"""Readers of pairs, trained for a suite to regress in context and kept by what determines them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load, save

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.errors import UserError
from harness.file_digest import file_sha256
from harness.models.activations import as_reference
from reference_impl.interpret.in_context_regression import gpt_reader, linear_attention, task, training
from reference_impl.interpret.in_context_regression.comparison import Comparison as Comparison
from reference_impl.interpret.in_context_regression.comparison import compare as compare
from reference_impl.interpret.in_context_regression.task import Task as Task
from reference_impl.interpret.in_context_regression.training import Recipe as Recipe
from reference_impl.model import config, dropout, forward_pass, gpt
from reference_impl.training import loop, optimizer, schedule, settings, state

if TYPE_CHECKING:
    from harness.models.contract import LanguageModel

Reader = gpt_reader.GPTReader | linear_attention.LinearAttention

DETERMINES = (
    *(task, training, gpt_reader, linear_attention),
    *(gpt, forward_pass, config, dropout),
    *(loop, state, optimizer, schedule, settings),
)
"""The modules that determine what comes of a training, beside this one."""


@dataclass(frozen=True)
class Regression:
    """Everything that determines a trained reader, beside the code."""

    shape: config.GPTConfig | None
    """Of a GPT's blocks; None is a layer of linear attention."""
    task: Task
    pairs: int
    """Most pairs that it reads, and as many as it is trained on."""
    recipe: Recipe

    @property
    def digest(self) -> str:
        """A hash of all of it, and of the code."""
        files = (Path(str(name)) for name in (__file__, *(module.__file__ for module in DETERMINES)))
        told = strict_json.dumps(asdict(self), sort_keys=True) + "".join(map(file_sha256, files))
        return hashlib.sha256(told.encode()).hexdigest()


def blocks_shape(model: LanguageModel) -> config.GPTConfig:
    """The shape of a reference model's blocks, without what only its texts determined. Unsupported for other kinds."""
    return replace(as_reference(model).gpt.config, vocabulary=1, context=1, dropout=0.0)


def untrained(regression: Regression) -> Reader:
    """The reader as it starts from the recipe's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(regression.recipe.seed)
        dimensions = regression.task.dimensions
        if regression.shape is None:
            return linear_attention.LinearAttention(dimensions)
        return gpt_reader.GPTReader(regression.shape, dimensions, regression.pairs + 1)


def trained(regression: Regression, tell: Callable[[float, str], None]) -> Reader:
    """The reader with its weights: from the cache, or from a training whose share done and last loss `tell` hears.

    Linear attention learns from the last point of a sequence alone, a GPT from every point: the best step size depends
    on the number of pairs, and linear attention has one.
    """
    reader = untrained(regression)
    path = cache_folder("readers") / f"{regression.digest[:24]}.reader"
    kept = kept_file.kept_bytes(path)  # safetensors, after its checksum
    if kept is not None:
        reader.load_state_dict(load(kept))
    else:  # not there yet, or damaged: train it (again)
        steps = regression.recipe.steps
        try:
            training.train(
                reader,
                regression.task,
                regression.pairs + 1,
                regression.recipe,
                lambda step, loss: tell(step / steps, f"loss {loss:.3f}") if step % 20 == 0 else None,
                last_point_only=regression.shape is None,
            )
        except loop.DivergenceError as error:
            raise UserError(str(error)) from error
        kept_file.keep_bytes(path, save(reader.state_dict()))
    return reader.eval()
