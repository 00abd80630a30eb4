"""A reward model's folder: its trunk, its head, and those of the other members where it is an ensemble.

model.safetensors ..., reward_head.safetensors     the first member, a reward model by itself
ensemble.json                                      how scores are combined, and a digest of every other member
member-2/, member-3/ ...                           the other members, each a reward model's folder
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from reference_impl.alignment.reward_ensemble import RewardEnsemble
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.settings.reward import Combine
from reference_impl.alignment.stages.learner import Learner, open_reward_model, write_reward_head
from reference_impl.training.checkpoint_folder import MANIFEST, CorruptCheckpoint, write_folder

ENSEMBLE = "ensemble.json"


@dataclass(frozen=True)
class _Ensemble:
    combine: Combine
    members: Mapping[str, str]
    """SHA-256 of the `checkpoint.json` of each other member, by the name of its folder."""


_READ = TypeAdapter(_Ensemble)


def open_reward(folder: Path, device: torch.device | str = "cpu") -> RewardModel | RewardEnsemble:
    """What a stage `reward` kept: one reward model, or an ensemble. Raises ValueError where it is none, or damaged."""
    first = open_reward_model(folder, device)
    path = folder / ENSEMBLE
    if not path.is_file():
        return first
    try:
        told = _READ.validate_json(path.read_bytes())
    except ValidationError as error:
        raise CorruptCheckpoint(path, "it says no members") from error
    members = [first]
    for name, digest in told.members.items():
        if Path(name).name != name or _digest(folder / name) != digest:
            raise CorruptCheckpoint(folder / name, "this member of the ensemble is another than when it was written")
        members.append(open_reward_model(folder / name, device))
    return RewardEnsemble(tuple(members), told.combine)


def write_reward_models(folder: Path, learner: Learner, models: Sequence[RewardModel], combine: Combine) -> None:
    """All members into an empty folder. The first one's trunk is the learner's."""
    learner.write(folder)
    write_reward_head(folder, models[0].head)
    if len(models) == 1:
        return
    module = learner.policy.module
    own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    digests = {}
    try:
        for number, model in enumerate(models[1:], start=2):
            module.load_state_dict(model.trunk.module.state_dict())  # the learner knows how to write its own model

            def write(new: Path, model: RewardModel = model) -> None:
                learner.write(new)
                write_reward_head(new, model.head)

            name = f"member-{number}"
            write_folder(folder / name, write)
            digests[name] = _digest(folder / name)
    finally:
        module.load_state_dict(own)
    (folder / ENSEMBLE).write_bytes(_READ.dump_json(_Ensemble(combine, digests), indent=2))


def _digest(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except OSError:
        return ""
