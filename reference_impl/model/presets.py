"""Shapes that have a name: from what trains in a minute on two cores to GPT-3.

A shape says everything but the vocabulary, which the tokenizer brings. The smallest three are for the quick start
and are sized with a vocabulary of 1024; `nano` to `maxi` are about 3x apart, as a scaling ladder should be.
"""

import difflib
from dataclasses import dataclass

from reference_impl.model.config import GPTConfig

GPT2_VOCABULARY = 50_257
"""Tokens of GPT-2's byte-level BPE, which GPT-3 shares."""


@dataclass(frozen=True)
class Shape:
    """A model's shape without its vocabulary."""

    layers: int
    heads: int
    width: int
    context: int
    """The context that the shape is usually trained with."""


PRESETS: dict[str, Shape] = {
    # Ours; parameters with 1024 tokens.
    "nano": Shape(2, 2, 48, 256),  # 0.12M
    "micro": Shape(3, 4, 80, 256),  # 0.34M
    "mini": Shape(4, 4, 128, 256),  # 0.96M
    "midi": Shape(6, 6, 192, 256),  # 2.9M
    "maxi": Shape(6, 6, 384, 256),  # 11.1M; nanoGPT's config/train_shakespeare_char.py
    # GPT-2: Radford et al. 2019, table 2, under the sizes of the released weights (with 50257 tokens).
    "gpt2-124m": Shape(12, 12, 768, 1024),
    "gpt2-355m": Shape(24, 16, 1024, 1024),
    "gpt2-774m": Shape(36, 20, 1280, 1024),
    "gpt2-1558m": Shape(48, 25, 1600, 1024),
    # GPT-3: Brown et al. 2020, table 2.1, under the paper's names. Two of its rows contradict themselves
    # and are read as width = heads * head width: 1.3b has 16 heads of 128 (the table says 24, which would make
    # 3072 of a width of 2048) and 13b is 5120 wide (the table says 5140 with 40 heads of 128).
    # All attend densely here; the paper alternates dense and banded layers.
    "gpt3-125m": Shape(12, 12, 768, 2048),
    "gpt3-350m": Shape(24, 16, 1024, 2048),
    "gpt3-760m": Shape(24, 16, 1536, 2048),
    "gpt3-1.3b": Shape(24, 16, 2048, 2048),
    "gpt3-2.7b": Shape(32, 32, 2560, 2048),
    "gpt3-6.7b": Shape(32, 32, 4096, 2048),
    "gpt3-13b": Shape(40, 40, 5120, 2048),
    "gpt3-175b": Shape(96, 96, 12288, 2048),
}


def preset(name: str, vocabulary: int, context: int | None = None) -> GPTConfig:
    """The config of a named shape, with the shape's own context unless one is given.

    Raises ValueError for a name that isn't in `PRESETS`, with the nearest one.
    """
    shape = PRESETS.get(name)
    if shape is None:
        near = difflib.get_close_matches(name.lower(), PRESETS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no preset {name!r}: {hint}The presets are {', '.join(PRESETS)}.")
    return GPTConfig(
        vocabulary=vocabulary,
        context=shape.context if context is None else context,
        layers=shape.layers,
        heads=shape.heads,
        width=shape.width,
    )
