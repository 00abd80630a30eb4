"""A stage of alignment as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import Unsupported, UserError, told
from harness.file_digest import file_sha256
from harness.models.checkpoint_stage import why_unreached
from harness.models.digest import hash_of
from harness.number import duration
from reference_impl.alignment.settings.drawn import DrawnPairSettings
from reference_impl.alignment.stages.data_settings import MADE, DataSettings

SHOWN = ("score", "kl", "loss", "accuracy")
"""Of what a stage reports, for who watches, where it has them."""


@dataclass(frozen=True)
class Alignment:
    """Everything that determines what a stage makes of a model, beside the code, the bytes of its data and the models
    that it starts from and asks."""

    method: str
    """`sft`, `reward`, `ppo` …"""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `DataSettings` that differ from its defaults."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the method that differ from its own."""
    lora: Mapping[str, Any] | None = None
    """Fields of `LoRA`; None: the whole model learns."""
    reward: str | None = None
    """What scores responses: a model of the suite by its name, or a name of `SCORERS`."""
    drawn: Mapping[str, Any] | None = None
    """Fields of `DrawnPairSettings`, with models of the suite by their names; None: the pairs are the data's."""
    checkpoints: Mapping[str, Any] | None = None
    """Fields of `CheckpointSettings`; None: the last weights alone are kept."""

    @property
    def settings(self) -> DataSettings:
        """What it learns from."""
        return DataSettings(**self.data)

    @property
    def judges(self) -> dict[str, str]:
        """What scores responses, by where the stage says it."""
        told = {"reward": self.reward, "drawn.reward": (self.drawn or {}).get("reward")}
        return {where: name for where, name in told.items() if name is not None}

    def with_models(self, named: Mapping[str, str]) -> Alignment:
        """The stage with other names for the models that it asks: `reward`, `drawn.reward`, `drawn.model`."""
        drawn = None if self.drawn is None else dict(self.drawn)
        for where, name in named.items():
            if drawn is not None and where.startswith("drawn."):
                drawn[where.removeprefix("drawn.")] = name
        return replace(self, reward=named.get("reward", self.reward), drawn=drawn)

    @property
    def what(self) -> str:
        """See `Stage`."""
        if self.drawn is not None:
            return f"{self.method} on {DrawnPairSettings(**self.drawn).pairs:,} drawn pairs"
        return f"{self.method} on {self.settings.data}"

    @property
    def length(self) -> str:
        """See `Stage`."""
        named = ("rollouts", "epochs", "rounds")
        return next((f"{self.recipe[name]:g} {name}" for name in named if name in self.recipe), "its usual length")

    @property
    def texts(self) -> tuple[str, ...]:
        """See `Stage`: its data are no text of `harness.corpora`."""
        return ()

    @property
    def work(self) -> float | None:
        """See `Stage`: how long its examples are isn't known before they were read."""
        return None


def data_digest(stage: Alignment, place: str) -> str:
    """Hash of what a stage reads; of what needs no file, and of what the hub has (pin a revision), of the name. Raises
    UserError where it isn't there."""
    name = stage.settings.data
    if name in MADE or name.startswith("hub:"):
        return hash_of(name)
    path = Path(name).expanduser()
    try:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        return hash_of([[one.name, file_sha256(one)] for one in files])
    except OSError as error:
        raise UserError(
            f"no data '{name}' ({error.strerror}): give a file, a folder, `hub:OWNER/NAME`, or one of {_named()}",
            place=f"{place}.data",
        ) from None


def _named() -> str:
    return ", ".join(f"`{name}`" for name in MADE)


def alignment_summary(folder: Path) -> dict[str, Any]:
    """How a stage went, as its folder says; empty where it does not say."""
    try:
        read = json.loads((folder / "alignment.json").read_bytes())
        last = {name: value for report in read["reports"] for name, value in report["values"].items()}
        values = ", ".join(f"{name} {last[name]:.3f}" for name in SHOWN if name in last)
        text = f"{read['method']} on {read['learned_from']:,} examples in {duration(read['seconds'])}: {values}"
        kept = ("method", "learned_from", "held_out", "excluded", "seconds", "settings", "drawn", "checkpoints")
        return {name: read[name] for name in kept if name in read} | {"text": text}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # it says nothing that can be read; the weights are checked when they are opened


def stage_reports(folder: Path) -> list[dict[str, Any]]:
    """What a stage reported, one row per report. Raises Unsupported where no stage of alignment made the model of the
    folder."""
    from reference_impl.alignment.stages.result import read_result

    if (why := why_unreached(folder)) is not None:
        raise Unsupported(why)
    try:
        result = read_result(folder)
    except FileNotFoundError:
        raise Unsupported(
            "this model's last stage is none of alignment, so there is nothing to tell of it; give it a stage such as "
            "`train: {sft: ...}`"
        ) from None
    except (ValueError, OSError) as error:
        raise UserError(
            f"what is kept of the stage can't be read ({told(error)}); delete the folder", place=str(folder)
        ) from None
    facts = {"method": result.method, "learned_from": result.learned_from, "held_out": result.held_out}
    return [
        {**facts, "step": report.step, "seconds": report.seconds, **report.values}
        | ({"learning_rate": next(iter(report.rates.values()))} if report.rates else {})
        for report in result.reports
    ]
