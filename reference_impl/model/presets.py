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
class Preset:
    """A model's sizes without its vocabulary."""

    layers: int
    heads: int
    width: int
    context: int
    """The context that the shape is usually trained with."""


PRESETS: dict[str, Preset] = {
    # Ours; parameters with 1024 tokens.
    "nano": Preset(2, 2, 48, 256),  # 0.12M
    "micro": Preset(3, 4, 80, 256),  # 0.34M
    "mini": Preset(4, 4, 128, 256),  # 0.96M
    "midi": Preset(6, 6, 192, 256),  # 2.9M
    "maxi": Preset(6, 6, 384, 256),  # 11.1M; nanoGPT's config/train_shakespeare_char.py
    # GPT-2: Radford et al. 2019, table 2, under the sizes of the released weights (with 50257 tokens).
    "gpt2-124m": Preset(12, 12, 768, 1024),
    "gpt2-355m": Preset(24, 16, 1024, 1024),
    "gpt2-774m": Preset(36, 20, 1280, 1024),
    "gpt2-1558m": Preset(48, 25, 1600, 1024),
    # GPT-3: Brown et al. 2020, table 2.1, under the paper's names. Two of its rows contradict themselves
    # and are read as width = heads * head width: 1.3b has 16 heads of 128 (the table says 24, which would make
    # 3072 of a width of 2048) and 13b is 5120 wide (the table says 5140 with 40 heads of 128).
    # All attend densely here; the paper alternates dense and banded layers.
    "gpt3-125m": Preset(12, 12, 768, 2048),
    "gpt3-350m": Preset(24, 16, 1024, 2048),
    "gpt3-760m": Preset(24, 16, 1536, 2048),
    "gpt3-1.3b": Preset(24, 16, 2048, 2048),
    "gpt3-2.7b": Preset(32, 32, 2560, 2048),
    "gpt3-6.7b": Preset(32, 32, 4096, 2048),
    "gpt3-13b": Preset(40, 40, 5120, 2048),
    "gpt3-175b": Preset(96, 96, 12288, 2048),
}


def preset(name: str, vocabulary: int, context: int | None = None) -> GPTConfig:
    """The config of a named shape, with the shape's own context unless one is given.

    Raises ValueError for a name that isn't in `PRESETS`, with the nearest one.
    """
    sizes = PRESETS.get(name)
    if sizes is None:
        near = difflib.get_close_matches(name.lower(), PRESETS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no preset {name!r}: {hint}The presets are {', '.join(PRESETS)}.")
    return GPTConfig(
        vocabulary=vocabulary,
        context=sizes.context if context is None else context,
        layers=sizes.layers,
        heads=sizes.heads,
        width=sizes.width,
    )
