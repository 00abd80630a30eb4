"""How an opened model's cache behaves: compared once, and kept by what determines it."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
import transformers
from pydantic import ValidationError

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.errors import UserError
from harness.models.cache_behavior import CacheBehavior
from harness.models.causality import refuse_lookahead
from harness.models.context import seams, void_beyond
from harness.models.probe import probe, tensors_of
from harness.models.transformers import TransformersPasses
from harness.results.conditions import taken_now
from harness.threads import beside_others

SMALL = 4_000_000
"""A model of up to so many parameters in bf16 or fp16 is compared as a copy in fp32, where rounding hides less."""
HALVES = {torch.bfloat16, torch.float16}
DECIDES = (
    *(f"harness.models.{name}" for name in ("cache_behavior", "causality", "context", "dynamic_positions")),
    *(f"harness.models.{name}" for name in ("growing_cache", "known_behavior", "probe", "token_tree")),
    *("harness.models.transformers", "reference_impl.decoding.reading", "reference_impl.decoding.running_batch"),
)
"""Modules whose code the answer depends on."""


def behavior_of(model: TransformersPasses, place: str, digest: str, parameters: int) -> CacheBehavior:
    """The behavior of a model as it was loaded, before it is quantized: known from earlier, or compared now.

    digest: of its weights. parameters: that each token is multiplied by.

    Raises UserError if it isn't a causal language model. An answer is kept under the digest of the weights.
    """
    kept = _kept_in(model, digest)
    if kept is not None and (known := _known(kept)) is not None:
        return known
    config = model.module.config.get_text_config()
    types = {parameter.dtype for parameter in model.module.parameters()}
    halves = types & HALVES and types <= {torch.float32, *HALVES}
    if parameters <= SMALL and halves and not getattr(model.module, "is_quantized", False):
        same = (model.name, model.config.vocabulary, model.config.context, model.device)
        model = TransformersPasses(copy.deepcopy(model.module).float(), *same)
    try:
        with _giving_way():
            refuse_lookahead(model.module, model.plain, model.config.vocabulary, place)
            behavior = probe(model, parameters, seams(config), void_beyond(config))
    except UserError:
        raise
    except Exception as error:  # a class says in its own way that it can't read a text
        first = [*str(error).strip().splitlines(), type(error).__name__][0].rstrip(".")
        raise UserError(
            f"the model can't read a text of up to {model.config.context} tokens in one pass ({first}): are its "
            "config.json and its weights of one model?",
            place=place,
        ) from error
    if kept is not None:
        kept_file.keep_json(kept, behavior.model_dump_json())
    return behavior


def with_bytes(model: TransformersPasses, behavior: CacheBehavior) -> tuple[int, CacheBehavior]:
    """Bytes of keys and values per token, and the behavior with what its windows and states hold, from a cache that is
    filled: in the type that the model computes in now."""
    if not behavior.serves(1):
        return 0, behavior
    time = min(4, model.config.context)
    tokens = torch.arange(time, device=model.device).remainder(model.config.vocabulary)[None]
    cache = model.new_cache(1, time, sliding=True)
    model.forward(tokens, cache=cache)
    per_token, state_bytes = 0, 0
    windows: dict[int, int] = {}
    for layer in cache.grown.layers:
        held, states = tensors_of(layer)
        each = sum(t.nbytes // t.shape[-2] for t in held if t.numel())
        per_token += each
        state_bytes += sum(t.nbytes for t in states)
        if getattr(layer, "is_sliding", False) and each:
            size = int(layer.sliding_window) - 1  # the token that is read now is not counted
            windows[size] = windows.get(size, 0) + each
    update = {"windows": tuple(sorted(windows.items())), "state_bytes": state_bytes}
    return per_token, behavior.model_copy(update=update)


@contextlib.contextmanager
def _giving_way() -> Iterator[None]:
    """In the block no more threads than there are cores beside others. Most passes read a token or a few: on a machine
    that is busy, two threads took thirteen times as long over them as one."""
    threads = torch.get_num_threads()
    if threads > 1:
        torch.set_num_threads(beside_others(threads, taken_now(0.1)))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _kept_in(model: TransformersPasses, digest: str) -> Path | None:
    """Where the answer is kept; None for a model whose digest is none, such as one that is made up for a moment."""
    if re.fullmatch("[0-9a-f]{64}", digest) is None:
        return None
    determined_by = [
        *(digest, str(model.module.dtype), model.device.partition(":")[0]),
        *(model.module.config.to_json_string(), transformers.__version__, torch.__version__, _code()),
    ]
    key = hashlib.sha256(strict_json.dumps(determined_by).encode()).hexdigest()
    return cache_folder("cache-behavior") / f"{key[:32]}.json"


def _known(kept: Path) -> CacheBehavior | None:
    if (content := kept_file.kept_json(kept)) is None:
        return None
    try:
        return CacheBehavior.model_validate_json(content)
    except ValidationError:
        kept_file.drop(kept, "no behavior of a cache")
        return None


@cache
def _code() -> str:
    """Digest of the code that decides."""
    found = hashlib.sha256()
    for name in DECIDES:
        found.update(Path(str(importlib.import_module(name).__file__)).read_bytes())
    return found.hexdigest()
