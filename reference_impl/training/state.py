"""The state of a training run in one file, so that a run which was killed goes on as if nothing had happened.

Everything that changes from step to step is in it: weights, the optimizer's moments, torch's random state, the sums
behind the next report and the curve so far. Which tokens come next and how fast to learn are functions of the
step (`batches.py`, `schedule.py`). On a CPU, N steps and k steps, a kill and N - k more give the same bits.

One safetensors file, no pickle: tensors by name, the rest as JSON in its header with a SHA-256 over both. It
replaces the last one in a single rename, so at every moment there is one whole state on the disk.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.packing import Tokens
from reference_impl.training.checkpoint import CorruptCheckpoint
from reference_impl.training.result import Progress
from reference_impl.training.settings import TrainingSettings

VERSION = 1


class RunIdentity(BaseModel):
    """What must be the same for a run to go on from a state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: GPTConfig
    settings: TrainingSettings
    """As they are used: nothing in them is None or auto any more."""
    train_tokens: str
    """SHA-256 of the tokens and their type."""
    validation_tokens: str


class _Header(BaseModel):
    """What is no tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["gpt-training-state"] = "gpt-training-state"
    version: int = VERSION
    identity: RunIdentity
    step: int
    seconds: float
    curve: tuple[Progress, ...]


@dataclass
class TrainingState:
    """Everything that a run changes as it goes. Sums are scalars on the model's device, which is never waited for."""

    model: GPT
    optimizer: torch.optim.Optimizer
    skipped: Tensor
    """Steps left out so far because their gradient wasn't finite."""
    skipped_in_a_row: Tensor
    """The last so many steps were left out."""
    loss_sum: Tensor
    """Of the steps since the last report that were not left out."""
    loss_steps: Tensor
    """How many those are."""
    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Training alone, without validation."""
    curve: list[Progress] = field(default_factory=list)

    @classmethod
    def at_start(cls, model: GPT, optimizer: torch.optim.Optimizer) -> TrainingState:
        """Before the first step."""
        skipped, in_a_row, loss_sum, loss_steps = torch.zeros(4, device=model.device).unbind()
        return cls(model, optimizer, skipped, in_a_row, loss_sum, loss_steps)


def tokens_digest(tokens: Tokens) -> str:
    """SHA-256 of a stream of tokens, in pieces: a mapped one need not fit in memory."""
    digest = hashlib.sha256(str(tokens.dtype).encode())
    for start in range(0, len(tokens), 1 << 22):
        digest.update(tokens[start : start + (1 << 22)].tobytes())
    return digest.hexdigest()


def save_state(path: str | os.PathLike[str], state: TrainingState, identity: RunIdentity) -> None:
    """Writes `path` whole or leaves what was there; its folder is made.

    Call it between two steps, inside the run's random state. Raises OSError if it can't be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(state).items()}
    header = _Header(identity=identity, step=state.step, seconds=state.seconds, curve=tuple(state.curve))
    told = header.model_dump_json()
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        save_file(tensors, str(temporary), {"state": told, "sha256": _digest(told, tensors)})
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except SafetensorError as error:  # its own name for a full disk
        raise OSError(
            f"{path}: the training state can't be written ({error}); make room or give another place"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_state(path: str | os.PathLike[str], state: TrainingState, identity: RunIdentity) -> None:
    """Puts what `path` holds into `state`, its model, its optimizer and torch's random generators.

    Raises CorruptCheckpoint if the file is missing, cut off or changed, and ValueError if it is of a run with other
    settings, another model or other tokens. Then nothing was changed.
    """
    path = Path(path)
    header, tensors = _read(path)
    _refuse_another_run(path, header.identity, identity)
    device = state.model.device
    with torch.no_grad():
        for name, parameter in state.model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
            _restore_moments(state.optimizer, parameter, f"optimizer.{name}.", tensors)
        for name in _SUMS:
            setattr(state, name, tensors[f"sum.{name}"].to(device))
    torch.set_rng_state(tensors["random.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
    state.step, state.seconds, state.curve = header.step, header.seconds, list(header.curve)


_SUMS = ("skipped", "skipped_in_a_row", "loss_sum", "loss_steps")


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    """All tensors of a state by name; a tied parameter once."""
    found = {f"sum.{name}": getattr(state, name) for name in _SUMS}
    for name, parameter in state.model.named_parameters():
        found[f"model.{name}"] = parameter
        for key, value in state.optimizer.state.get(parameter, {}).items():
            found[f"optimizer.{name}.{key}"] = value
    found["random.cpu"] = torch.get_rng_state()
    if state.model.device.type == "cuda":
        found["random.cuda"] = torch.cuda.get_rng_state(state.model.device)
    return found


def _restore_moments(
    optimizer: torch.optim.Optimizer, parameter: Tensor, prefix: str, tensors: dict[str, Tensor]
) -> None:
    """What the optimizer remembers of one parameter: each tensor beside it, as the fused kernels want it."""
    held = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if held:
        optimizer.state[parameter] = {key: value.to(parameter.device) for key, value in held.items()}


def _read(path: Path) -> tuple[_Header, dict[str, Tensor]]:
    """Header and tensors of a whole, unchanged file."""
    if not path.is_file():
        raise CorruptCheckpoint(path, "there is no such training state")
    try:
        with safe_open(str(path), framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        header = _Header.model_validate_json(told["state"])
        if header.version != VERSION:
            raise CorruptCheckpoint(path, f"a training state of version {header.version}; this program reads {VERSION}")
    except (SafetensorError, ValidationError, KeyError) as error:
        raise CorruptCheckpoint(path, f"not a whole training state ({str(error).splitlines()[0]})") from error
    if told.get("sha256") != _digest(told["state"], tensors):
        raise CorruptCheckpoint(path, "changed since it was written: its SHA-256 is another")
    return header, tensors


def _digest(told: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(told.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _refuse_another_run(path: Path, saved: RunIdentity, wanted: RunIdentity) -> None:
    for part in ("config", "settings"):
        before, now = getattr(saved, part), getattr(wanted, part)
        for item in fields(before):
            was, value = getattr(before, item.name), getattr(now, item.name)
            if was != value:
                _refuse(path, f"{item.name} {was!r}", f"{value!r}")
    for which in ("train", "validation"):
        if getattr(saved, f"{which}_tokens") != getattr(wanted, f"{which}_tokens"):
            _refuse(path, f"other {which} tokens", "these")


def _refuse(path: Path, was: Any, now: Any) -> None:
    raise ValueError(
        f"{path}: this training state is of a run with {was}, not {now}: resume with the same model, tokens and "
        "settings, or start again."
    )
