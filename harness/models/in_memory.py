"""Models that live in this process: what is measured of them, what it is known by, and that it is given back as it was.

Importing this file imports no torch; who holds a model has it already.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.errors import UserError, shown
from harness.models.contract import Logits, Precision

KEY = "in_memory"
"""Its models in a suite, and their kind."""
PLACE = "a model in memory"
THEIRS = ("torch.", "transformers.", "reference_impl.")
"""Packages whose version or code is in a cell's key: classes of other ones may compute anything."""


@dataclass(frozen=True)
class InMemory:
    """A model of this process: a causal language model of `transformers` with its tokenizer, our `GPT` with its, or
    anything that keeps the contract (`harness.models.contract.LanguageModel`), which has its tokenizer itself."""

    model: Any
    tokenizer: Any = None
    name: str = ""
    """What tables call it; left out, the name of its class."""


@dataclass(frozen=True)
class Held:
    """A model in memory while it is measured."""

    given: InMemory
    digest: str
    """Hash of its weights, its configuration and its tokenizer."""
    precision: Precision
    device: str


_HELD: dict[str, Held] = {}


def held(key: str) -> Held | None:
    """The model of this process that a suite names so; None where there is none (any more)."""
    return _HELD.get(key)


@contextmanager
def lent(models: Mapping[str, InMemory]) -> Iterator[dict[str, dict[str, Any]]]:
    """In the block a suite may name these models: gives their entries of `models:`, by name. After it each is as it
    was: its modules' modes, what of it takes gradients, and the hooks on it. Raises UserError for what is no model."""
    entries: dict[str, dict[str, Any]] = {}
    kept: list[tuple[str, Any]] = []
    try:
        for name, given in models.items():
            state = None if _module(given) is None else _State(_module(given))
            kept.append(("", state))
            found = _looked_at(given)
            key = f"{found.digest[:16]}-{secrets.token_hex(4)}"
            _HELD[key] = found
            kept[-1] = (key, state)
            entries[name] = {KEY: key, "matrix": {"precision": found.precision, "device": found.device}}
        yield entries
    finally:
        for key, state in kept:
            _HELD.pop(key, None)
            if state is not None:
                state.restore()


def name_of(given: InMemory) -> str:
    """What tables call it."""
    identity = getattr(given.model, "identity", None)
    return given.name or str(getattr(identity, "name", "")) or type(given.model).__name__


def is_contract(model: Any) -> bool:
    """Whether a model keeps the contract itself."""
    return isinstance(model, Logits) and hasattr(model, "identity") and hasattr(model, "tokenizer")


def _module(given: InMemory) -> Any:
    """Its torch module; None of a model that keeps the contract in a way of its own."""
    return given.model if hasattr(given.model, "named_parameters") else None


def _looked_at(given: InMemory) -> Held:
    model, module = given.model, _module(given)
    if is_contract(model):
        identity = model.identity
        said = f"{identity.kind}\n{identity.digest}\n{identity.tokenizer_digest}\n{secrets.token_hex(16)}"
        return Held(given, hashlib.sha256(said.encode()).hexdigest(), identity.precision, _device(identity.device))
    if module is None:
        raise UserError(
            f"an object of the type {shown(type(model).__name__)} can't be measured: give a model of "
            "transformers or a GPT with its tokenizer, as (model, tokenizer), or what keeps "
            "harness.models.contract.LanguageModel",
            place=PLACE,
        )
    if given.tokenizer is None:
        raise UserError(f"{name_of(given)} needs its tokenizer: give (model, tokenizer)", place=PLACE)
    from harness.models.in_memory_opening import digest_of, precision_of, tokenizer_of

    tokenizer = tokenizer_of(given)
    precision, device = precision_of(module), _device(str(next(module.parameters()).device))
    digest = digest_of(module, tokenizer.digest)
    if not _computes_as_its_class(module):
        digest = hashlib.sha256(f"{digest}\n{secrets.token_hex(16)}".encode()).hexdigest()
    return Held(given, digest, precision, device)


def _device(device: str) -> str:
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError(f"it is on the device {device}; move it to cpu or cuda first", place=PLACE)
    return kind


def _computes_as_its_class(module: Any) -> bool:
    """Whether what the module computes follows from its class and weights: no class of the user's own, no hook, no
    `forward` put in its place. Nothing of another one is found in the cache again."""
    return not any(
        not f"{type(one).__module__}.".startswith(THEIRS)
        or one._forward_hooks
        or one._forward_pre_hooks
        or "forward" in vars(one)
        for one in module.modules()
    )


class _State:
    """What measuring may change of a module."""

    def __init__(self, module: Any) -> None:
        self._modes = [(one, one.training) for one in module.modules()]
        self._gradients = [(one, one.requires_grad) for one in module.parameters()]
        self._hooks = [(one, dict(one._forward_hooks), dict(one._forward_pre_hooks)) for one in module.modules()]

    def restore(self) -> None:
        """Make it as it was."""
        for module, mode in self._modes:
            module.training = mode
        for parameter, wanted in self._gradients:
            if parameter.requires_grad is not wanted:
                parameter.requires_grad_(wanted)
        for module, *before in self._hooks:
            for hooks, known in zip((module._forward_hooks, module._forward_pre_hooks), before, strict=True):
                for number in [number for number in hooks if number not in known]:
                    del hooks[number]
