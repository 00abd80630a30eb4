"""A training as data: one stage of how a model comes about, whatever is learned in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.models.contract import ModelSource


class Stage(Protocol):
    """A frozen dataclass: everything that determines what comes of a training, beside the code, the bytes that it reads
    and the models that it starts from and asks."""

    @property
    def method(self) -> str:
        """What is done: `pretrain`, `sft`, `ppo` …"""

    @property
    def what(self) -> str:
        """What is done, for a person: `train nano on microworld`."""

    @property
    def length(self) -> str:
        """How long it goes on, for a person: `500,000 tokens`."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Texts that have to be within reach (`harness.corpora`)."""

    @property
    def work(self) -> float | None:
        """About how many FLOPs it takes; None where that isn't known before its data were read."""


@dataclass(frozen=True)
class Making:
    """A training that is to be done: where to, from what, and who hears of it."""

    source: ModelSource
    """What will be there then; the folder of its path doesn't exist yet."""
    start: ModelSource | None
    """What the weights start from; None: from nothing."""
    asked: Mapping[str, ModelSource]
    """Models that are asked meanwhile, by what they are asked for."""
    state: Path | None
    """A file in which the state of a longer training is kept while it goes, so that after a kill it goes on from there
    to the same bits; it is gone at the end. None: no state is kept."""
    on_step: Callable[[float, str], None]
    """Hears the share done and the last numbers."""
    on_sample: Callable[[str], None] | None
    """Hears now and then what the model writes."""


class Maker(Protocol):
    """What a module has that does trainings of a method."""

    def read(self, stage: Any) -> None:
        """Make ready what it reads (texts as tokens), which is cached: what that takes is not the training's."""

    def make(self, stage: Any, making: Making) -> dict[str, Any]:
        """Do it, and keep the model; returns the summary that the manifest keeps. Raises UserError."""


def state_file(folder: Path) -> Path:
    """Where the state of a training that is under way is kept, beside the folder that its model will be in."""
    return folder.with_name(f"{folder.name}.state")


def training_lock(folder: Path) -> Path:
    """Who trains the model of a folder holds this file, beside it."""
    return folder.with_name(f".{folder.name}.lock")


PRETRAINING, ALIGNING = "harness.models.training", "harness.models.aligning"
COPYING, MERGING = "harness.models.checkpoint_making", "harness.models.adapter_merging"
"""The modules that are `Maker`s."""


def maker_of(stage: Stage) -> str:
    """The module that does trainings of a stage's method."""
    return {"pretrain": PRETRAINING, "checkpoint": COPYING, "merge": MERGING}.get(stage.method, ALIGNING)
