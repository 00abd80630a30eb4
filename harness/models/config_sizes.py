"""Sizes that a `config.json` describes, compared with the headers of the weight files before any code of the
architecture sees them.

Classes of `transformers` make a list with an entry per layer while they read a configuration, and a module per layer
and expert while they are built. A number of a billion there never ends. Every layer and every expert has weights, so
the files say how many there can be. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import UserError
from harness.models.weight_header import TensorHeader

_COUNTS = re.compile(r"(?!.*_per_)(.*_)?(layers?|blocks?|stages?|levels?|depths?|groups?|repeats?|types|codebooks)")
"""Names of settings that say how often a part is there."""
_EXPERTS = re.compile(r"(.*_)?experts?")
MOST_EXPERTS = 20_000
"""That are always believed: one tensor may hold many, and a dense model may name some. The largest known has 16,384."""
_LISTS = re.compile(r"(.*_)?(layers?|layers?_\w*types?|block_types|pattern)")
_LABELS = "num_labels"
MOST_LABELS = 100_000
FEW = 64
"""So many are always believed: parts without weights of their own, parts that share them."""
MOST_NUMBER = 1 << 48
"""No size of a model is larger."""
_ANY = re.compile(r".*(theta|base|seed|flos|flops|tokens_seen|_length|_id)")
"""Names of settings that may hold any number."""


def refuse_sizes(config: Mapping[str, Any], tensors: Mapping[str, TensorHeader], place: str) -> None:
    """UserError where the configuration counts more layers or experts than the files have tensors for, or names a
    number that no size can be.

    place: of `config.json`."""
    most = FEW + len(tensors)
    experts = max(most, MOST_EXPERTS)
    for name, value in _numbers(config):
        if name == _LABELS and value > MOST_LABELS:
            _refuse(name, value, f"at most {MOST_LABELS:,} are read", place)
        counted = most if _COUNTS.fullmatch(name) else experts if _EXPERTS.fullmatch(name) else value
        if value > counted:
            _refuse(name, value, f"the weight files hold {len(tensors):,} tensors", place)
        if abs(value) > MOST_NUMBER and not _ANY.fullmatch(name):
            _refuse(name, value, "no size of a model is as large", place)
    for name, length in _lengths(config):
        if length > most:
            raise UserError(
                f"`{name}` lists {length:,} parts, and the weight files hold {len(tensors):,} tensors: is this the "
                "whole checkpoint, and its own config.json?",
                place=place,
            )


def _refuse(name: str, value: int, why: str, place: str) -> None:
    shown = f"{value:,}" if abs(value) < 10**24 else f"a number of {len(str(abs(value)))} digits"
    raise UserError(
        f"`{name}` is {shown}, and {why}: is this the whole checkpoint, and its own config.json?", place=place
    )


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """All whole numbers with the name of the setting that they stand under."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "quantization_config":
                yield from _numbers(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, name)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield name, value


def _lengths(value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, list | str | dict) and _LISTS.fullmatch(str(key)):
                yield str(key), len(inner)
            yield from _lengths(inner)
