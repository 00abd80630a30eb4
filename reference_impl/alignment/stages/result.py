"""How a stage of alignment went: what is kept beside the model that came of it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from reference_impl.training.state import Report

FILE = "alignment.json"


@dataclass(frozen=True)
class KeptCheckpoint:
    """The weights of a stage at a moment."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")

    names: tuple[str, ...]
    """What it was kept for: `kl=0.5`, `after=20`."""
    folder: str
    """Its name among the stage's checkpoints."""
    after: int
    """Rollouts done; of a stage without rollouts, steps."""
    step: int
    """Steps done."""
    values: Mapping[str, float]
    """What was measured of these very weights: `kl` (policy || reference, nats per response), and of a stage with
    rollouts all that is recorded of the next one, which they drew."""

    @property
    def kl(self) -> float:
        """In nats per response; NaN where it was not measured."""
        return self.values.get("kl", math.nan)


@dataclass(frozen=True)
class StageResult:
    """One stage."""

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")

    method: str
    """`sft`, `ppo` …"""
    settings: Mapping[str, Any]
    """Of the algorithm, as they were used."""
    data: Mapping[str, Any]
    """`DataSettings`."""
    learned_from: int
    """Demonstrations, pairs or prompts."""
    held_out: int
    excluded: tuple[str, ...]
    """What was not used, a sentence for each reason."""
    reports: tuple[Report, ...]
    """The curve: KL, loss, reward … by step."""
    seconds: float
    """Of the steps alone."""
    merged_adapter: str = ""
    """The adapter that was merged into its base before the stage began; empty where there was none."""
    drawn: Mapping[str, float] = field(default_factory=dict)
    """Of pairs that were drawn: how many of them are identical, of equal scores, flipped; which share of labels is
    `right`."""
    checkpoints: tuple[KeptCheckpoint, ...] = ()
    """Those that it kept; of a model that is one, itself."""

    @property
    def responses_per_rollout(self) -> int:
        """How many it drew at a time; 0 for a method without rollouts."""
        return int(self.settings.get("prompts", 0) * self.settings.get("samples", 0))

    @property
    def last(self) -> Mapping[str, float]:
        """The last value of each number that was reported."""
        found: dict[str, float] = {}
        for report in self.reports:
            found |= report.values
        return found


_RESULT = TypeAdapter(StageResult)


def write_result(folder: Path, result: StageResult) -> None:
    """Keep it in a model's folder."""
    (folder / FILE).write_bytes(_RESULT.dump_json(result, indent=2))


def read_result(folder: str | os.PathLike[str]) -> StageResult:
    """What a model's folder says of the stage that made it. Raises FileNotFoundError and ValueError."""
    return _RESULT.validate_json((Path(folder) / FILE).read_bytes())
