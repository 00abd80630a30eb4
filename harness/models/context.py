"""How long a text a model of `transformers` can read, and at which lengths its computation changes.

Each family keeps these numbers in its configuration under names of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import nn

NAMES = (
    *("n_positions", "max_position_embeddings", "n_ctx", "max_seq_len", "max_sequence_length", "max_seq_length"),
    *("seq_length", "context_length", "max_context_length"),
)
"""Of a configuration's longest sequence; the first three as lm-eval looks for them."""
DEFAULT = 2048
"""Where nothing says (ALiBi, recurrent states), as lm-eval assumes."""
MOST_OF_TOKENIZER = 1 << 24
"""A tokenizer that names more tokens than this means that it knows no limit."""
_SEAMS = re.compile(r"window(?!_layers|_pattern)|chunk|local_attention|block_size|original_max|floor_scale")


class Limit(NamedTuple):
    """A length beyond which all that was computed for a shorter text is void."""

    tokens: int
    reason: str


def longest_text(config: Any, model: nn.Module, tokenizer_limit: int | None = None) -> int:
    """Tokens of the longest text. config: of the text part. tokenizer_limit: what the tokenizer says.

    A position table bounds it whatever the configuration says, and dynamic NTK scaling, which begins beyond the
    configuration's length, multiplies that by its factor.
    """
    found = next((n for name in NAMES if (n := _length(config, name)) is not None), None)
    if found is None:
        known = tokenizer_limit is not None and 0 < tokenizer_limit <= MOST_OF_TOKENIZER
        return tokenizer_limit if known and tokenizer_limit is not None else DEFAULT
    for rope in _ropes(config):
        if rope.get("rope_type") == "dynamic":
            found = max(found, round(found * float(rope.get("factor") or 1)))
    return min([found, *_position_tables(model)])


def void_beyond(config: Any) -> Limit | None:
    """The length beyond which rotary positions are scaled in another way, so that cached keys are wrong."""
    found = []
    for rope in _ropes(config):
        kind = rope.get("rope_type")
        if kind == "dynamic":
            found.append((_length(config, "max_position_embeddings"), "dynamic NTK"))
        elif kind == "longrope":
            original = rope.get("original_max_position_embeddings") or _length(
                config, "original_max_position_embeddings"
            )
            found.append((original, "longrope"))
    known = [(tokens, kind) for tokens, kind in found if tokens is not None]
    if not known:
        return None
    tokens, kind = min(known)
    return Limit(tokens, f"longer texts have their rotary positions scaled in another way ({kind})")


def seams(config: Any) -> list[int]:
    """Lengths at which something changes (a sliding window is full, a chunk ends, positions are scaled), ascending."""
    written = config.to_dict()
    found = set(_numbers(written))
    limit = void_beyond(config)
    if limit is not None:
        found.add(limit.tokens)
    return sorted(n for n in found if n > 1)


def _numbers(value: Any, named: bool = False) -> Iterator[int]:
    """All numbers under names that speak of a seam."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _numbers(inner, bool(_SEAMS.search(str(name))))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner, named)
    elif named and isinstance(value, int) and not isinstance(value, bool):
        yield value


def _ropes(config: Any) -> Iterator[Mapping[str, Any]]:
    """Each way in which positions are rotated: one, or one per kind of layer."""
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None)
    if not isinstance(given, Mapping):
        return
    if "rope_type" in given or "type" in given:
        yield {"rope_type": given.get("type"), **given}
        return
    yield from (inner for inner in given.values() if isinstance(inner, Mapping))


def _length(config: Any, name: str) -> int | None:
    try:
        found = getattr(config, name, None)
    except (AttributeError, NotImplementedError):  # a property that says that there is none
        return None
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 1 else None


def _position_tables(model: nn.Module) -> Iterator[int]:
    """Positions that learned tables hold: one that keeps a row for padding begins after it."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and re.search(r"wpe|position", name.rpartition(".")[2]):
            skipped = module.padding_idx + 1 if module.padding_idx is not None else getattr(module, "offset", 0)
            yield module.num_embeddings - int(skipped)
