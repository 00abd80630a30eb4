"""The state of a training run in one file, so that a run which was killed goes on as if nothing had happened.

Everything that changes from step to step is in it, each part under its name: the models' weights that learn and their
buffers, what each optimizer remembers, the random state of torch and of each generator, what batches keep from step to
step, the sums behind the next report and the curve so far. Of weights that don't learn there is a SHA-256: they must be
there again. How fast to learn is a function of the step (`schedule.py`), and so is, in pretraining, which tokens come
next (`batches.py`). On a CPU, N steps and k steps, a kill and N - k more give the same bits.

One safetensors file, no pickle: tensors by name, the rest as JSON in its header with a SHA-256 over both. It
replaces the last one in a single rename, so at every moment there is one whole state on the disk.

    model.<module>.<parameter>, buffer.<module>.<buffer>
    optimizer.<optimizer>.<module>.<parameter>.<what it remembers>
    sum.<value>, sum of what the loop counts
    random.cpu, random.cuda, generator.<generator>
    held.<name>
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import from_json, to_json
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reference_impl.training.checkpoint_folder import CorruptCheckpoint
from reference_impl.training.state import COUNTS, Report, TrainingState
from reference_impl.training.state_of_version_1 import migrated
from reference_impl.training.weights_digest import weights_digest

VERSION = 2


@dataclass(frozen=True)
class RunIdentity:
    """What must be the same for a run to go on from a state."""

    settings: Mapping[str, Any]
    """By name: values that JSON has, as they are used (nothing in them is left to be decided)."""
    digests: Mapping[str, str]
    """SHA-256 of what a run reads, by what it is called: `train tokens`."""


@dataclass(frozen=True)
class Saving:
    """Where and how often a run keeps its state."""

    path: Path
    """One file, replaced each time."""
    every: int
    """Steps between two saves."""
    identity: RunIdentity = RunIdentity({}, {})
    """What a run that resumes must share. Whoever knows the run fills it in."""

    def __post_init__(self) -> None:
        """Refuse what can't be saved by."""
        if self.every < 1:
            raise ValueError(f"a state is saved every 1 or more steps, not every {self.every}.")


class OtherRun(ValueError):
    """A state of another run than the one that would go on from it."""


class CorruptState(CorruptCheckpoint):
    """A state that can't be gone on from: names the file, what is wrong and the fix."""

    def __init__(self, path: Path, message: str) -> None:
        good = good_state(path)
        earlier = f"copy the state before it, {good.name}, in its place and resume, or " if good.is_file() else ""
        super().__init__(path, message, f"{earlier}start again without resuming")


def good_state(path: Path) -> Path:
    """Where a run that keeps an earlier state (`on_policy.py`) has it, beside the last one."""
    return path.with_name(f"{path.name}.good")


class Header(BaseModel):
    """What is no tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["gpt-training-state"] = "gpt-training-state"
    version: int = VERSION
    settings: dict[str, JsonValue]
    digests: dict[str, str]
    frozen: str = ""
    """SHA-256 of the weights that don't learn; empty where all do."""
    step: int
    seconds: float
    phases: dict[str, float] = {}
    curve: tuple[Report, ...]


def save_state(path: str | os.PathLike[str], state: TrainingState, identity: RunIdentity) -> None:
    """Writes `path` whole or leaves what was there; its folder is made.

    Call it between two steps, inside the run's random state. Raises OSError if it can't be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(state).items()}
    header = Header(
        **_plain(identity),
        frozen=_frozen_digest(state),
        step=state.step,
        seconds=state.seconds,
        phases=state.phases,
        curve=tuple(state.curve),
    )
    told = header.model_dump_json(exclude=None if header.frozen else {"frozen"})
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
    """Puts what `path` holds into `state`, its modules, optimizers and generators, and torch's random generators.

    Raises CorruptState if the file is missing, cut off or changed, and OtherRun if it is of a run with other settings,
    another model or other data. Then nothing was changed.
    """
    path = Path(path)
    header, tensors = _read(path)
    _refuse_another_run(path, header, _plain(identity))
    _refuse_other_parts(path, state, tensors)
    if header.frozen != _frozen_digest(state):
        _refuse(path, "other frozen weights", "these")
    with torch.no_grad():
        for name, parameter in state.learning().items():
            parameter.copy_(tensors[f"model.{name}"])
            for key, stepping in state.optimizers.items():
                _restore_moments(stepping.optimizer, parameter, f"optimizer.{key}.{name}.", tensors)
        for name, buffer in state.buffers().items():
            buffer.copy_(tensors[f"buffer.{name}"])
    sums = {name: tensor.to(state.device) for name, tensor in _under("sum.", tensors).items()}
    for name in COUNTS:
        setattr(state, name, sums.pop(name))
    state.sums = {name.removeprefix("of."): tensor for name, tensor in sums.items()}
    state.held = {name: tensor.to(state.device) for name, tensor in _under("held.", tensors).items()}
    torch.set_rng_state(tensors["random.cpu"])
    if state.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], state.device)
    for name, generator in state.generators.items():
        generator.set_state(tensors[f"generator.{name}"])
    state.step, state.seconds, state.curve = header.step, header.seconds, list(header.curve)
    state.phases = dict(header.phases)


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    """All tensors of a state by name."""
    found = {f"sum.{name}": getattr(state, name) for name in COUNTS}
    found |= {f"sum.of.{name}": total for name, total in state.sums.items()}
    found |= {f"buffer.{name}": buffer for name, buffer in state.buffers().items()}
    found |= {f"held.{name}": tensor for name, tensor in state.held.items()}
    for name, parameter in state.learning().items():
        found[f"model.{name}"] = parameter
        for key, stepping in state.optimizers.items():
            for what, value in stepping.optimizer.state.get(parameter, {}).items():
                found[f"optimizer.{key}.{name}.{what}"] = value
    found["random.cpu"] = torch.get_rng_state()
    if state.device.type == "cuda":
        found["random.cuda"] = torch.cuda.get_rng_state(state.device)
    return found | {f"generator.{name}": generator.get_state() for name, generator in state.generators.items()}


def _frozen_digest(state: TrainingState) -> str:
    frozen = state.frozen()
    return weights_digest(frozen) if frozen else ""


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _restore_moments(
    optimizer: torch.optim.Optimizer, parameter: Tensor, prefix: str, tensors: dict[str, Tensor]
) -> None:
    """What the optimizer remembers of one parameter: each tensor beside it, as the fused kernels want it."""
    if held := _under(prefix, tensors):
        optimizer.state[parameter] = {key: value.to(parameter.device) for key, value in held.items()}


def _read(path: Path) -> tuple[Header, dict[str, Tensor]]:
    """Header and tensors of a whole, unchanged file; one of version 1 as it would be written now."""
    if not path.is_file():
        raise CorruptState(path, "there is no such training state")
    try:
        with safe_open(str(path), framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        version = json.loads(told["state"])["version"]
        if version == 1:
            migrated_header, named = migrated(told["state"], tensors)
            header = Header.model_validate(migrated_header)
        elif version == VERSION:
            header, named = Header.model_validate_json(told["state"]), tensors
        else:
            raise CorruptState(path, f"a training state of version {version}; this program reads 1 and {VERSION}")
    except CorruptCheckpoint:
        raise
    except (SafetensorError, ValidationError, ValueError, KeyError, TypeError) as error:
        raise CorruptState(path, f"not a whole training state ({str(error).splitlines()[0]})") from error
    if told.get("sha256") != _digest(told["state"], tensors):
        raise CorruptState(path, "changed since it was written: its SHA-256 is another")
    return header, named


def _digest(told: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(told.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _plain(identity: RunIdentity) -> dict[str, Any]:
    """As it is read back: a tuple is a list, and infinity, which JSON lacks, a word."""
    told = to_json({"settings": dict(identity.settings), "digests": dict(identity.digests)}, inf_nan_mode="strings")
    found: dict[str, Any] = from_json(told)
    return found


def _refuse_another_run(path: Path, saved: Header, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    settings, digests = wanted["settings"], wanted["digests"]
    for name in dict.fromkeys((*saved.settings, *settings)):
        was, value = saved.settings.get(name), settings.get(name)
        if was != value:
            _refuse(path, f"{name} {was!r}", f"{value!r}")
    for name in dict.fromkeys((*saved.digests, *digests)):
        if saved.digests.get(name) != digests.get(name):
            _refuse(path, f"other {name}", "these")


def _refuse_other_parts(path: Path, state: TrainingState, tensors: Mapping[str, Tensor]) -> None:
    """A run of the same settings that names its models, optimizers or generators otherwise."""

    def named(prefix: str) -> set[str]:
        return {name.partition(".")[0] for name in _under(prefix, tensors)}

    for what, was, now in (
        ("parameters", set(_under("model.", tensors)), set(state.learning())),
        ("buffers", set(_under("buffer.", tensors)), set(state.buffers())),
        ("generators", named("generator."), set(state.generators)),
    ):
        if other := sorted(was ^ now):
            _refuse(path, f"other {what} ({', '.join(other[:3])} on one side alone)", "these")
    for name, parameter in state.learning().items():
        shape = tensors[f"model.{name}"].shape
        if shape != parameter.shape:
            _refuse(path, f"{name} of shape {tuple(shape)}", f"{tuple(parameter.shape)}")
    if other := sorted(named("optimizer.") - set(state.optimizers)):
        _refuse(path, f"an optimizer {other[0]!r}", f"{', '.join(state.optimizers)}")


def _refuse(path: Path, was: Any, now: Any) -> None:
    raise OtherRun(
        f"{path}: this training state is of a run with {was}, not {now}: resume with the same model, tokens and "
        "settings, or start again."
    )
