"""At which moments of a stage its weights are kept beside what comes of it in the end."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CheckpointSettings:
    """Each is a model of its own, whose KL divergence is recorded."""

    kl: tuple[float, ...] = ()
    """Nats per response from the reference: kept is the first policy that is found this far, as far as the stage gets.
    KL is measured on the responses of every rollout; of a stage without rollouts, every so many steps."""
    after: tuple[int, ...] = ()
    """Rollouts done; of a stage without rollouts, steps."""
    every: int = 10
    """Of a stage without rollouts: steps from one measurement of KL to the next."""
    prompts: int = 64
    """Of a stage without rollouts: prompts that are answered to measure it."""

    def __post_init__(self) -> None:
        """Refuse moments that never come, and none."""
        if not self.kl and not self.after:
            raise ValueError("checkpoints are kept at no moment: give `kl` or `after`, with a value or several.")
        if bad := [value for value in self.kl if not (value > 0 and math.isfinite(value))]:
            raise ValueError(
                f"a checkpoint is kept at a KL above 0 nats, not at {bad[0]}: the start is a model itself."
            )
        if bad_numbers := [value for value in self.after if value < 1]:
            raise ValueError(f"a checkpoint is kept after 1 or more, not after {bad_numbers[0]}.")
        for name in ("every", "prompts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if len(set(self.names)) < len(self.names):
            raise ValueError("a moment of a checkpoint stands twice: keep one.")

    @property
    def names(self) -> tuple[str, ...]:
        """What its checkpoints are called, in the order in which they are given: `kl=0.5`, `after=20`."""
        return (*map(at_kl, self.kl), *map(at_number, self.after))


def at_kl(value: float) -> str:
    """The name of a checkpoint by its KL."""
    return f"kl={value:g}"


def at_number(value: int) -> str:
    """The name of a checkpoint by rollouts or steps."""
    return f"after={value}"


def checkpoint_name(text: str) -> str:
    """A name as it is written by a person (`kl=0.50`, `after = 3`) as checkpoints are called. Raises ValueError."""
    what, _, value = (part.strip() for part in text.partition("="))
    try:
        if what == "kl":
            return at_kl(float(value))
        if what == "after":
            return at_number(int(value))
    except ValueError:
        pass
    raise ValueError(f"'{text}' names no checkpoint: say kl=NATS or after=NUMBER.")
