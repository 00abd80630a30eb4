"""How long trainings took on machines of this class beside what was estimated: what corrects later estimates."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median

from pydantic import Field, PositiveFloat, ValidationError

from harness import kept_file
from harness.cache import cache_folder
from harness.strict_models import Kept

REMEMBERED = 5
"""The last so many trainings of a method count."""
ARITHMETIC = 1
"""Raised whenever estimates are computed otherwise: what they were before corrects nothing any more."""


class Paces(Kept):
    """By method, the real time over the estimated one, the latest last."""

    ratios: dict[str, tuple[PositiveFloat, ...]] = Field(default_factory=dict)


def pace_of(machine: str, method: str) -> float:
    """By what the estimate of a training is multiplied on a machine (its fingerprint's class); 1 where none was done.

    The median of the last ones, of their logs, and of the estimate itself as one more: a single one that was made
    beside others, or on a busy machine, decides little."""
    ratios = _read(machine).ratios.get(method, ())
    return math.exp(median([0.0, *map(math.log, ratios)]))


def is_known(machine: str, method: str) -> bool:
    """Whether a training of the method was done there."""
    return bool(_read(machine).ratios.get(method))


def keep_pace(machine: str, method: str, seconds: float, estimated: float) -> None:
    """Remember how long a training took. Two processes that do so at once may lose one of both."""
    if not (seconds > 0 and estimated > 0):
        return
    known = _read(machine)
    latest = (*known.ratios.get(method, ()), seconds / estimated)[-REMEMBERED:]
    paces = Paces(ratios={**known.ratios, method: latest})
    kept_file.keep_json(_path(machine), paces.model_dump_json())


def _read(machine: str) -> Paces:
    path = _path(machine)
    if (kept := kept_file.kept_json(path)) is None:
        return Paces()
    try:
        return Paces.model_validate_json(kept)
    except ValidationError:
        kept_file.drop(path, "no paces")
        return Paces()


def _path(machine: str) -> Path:
    return cache_folder("paces") / f"{machine}-{ARITHMETIC}.json"
