"""Learning rate over the run: a linear warm-up, then one of several ways down to a floor.

What comes after the warm-up is a pure function of how much of the rest is done, chosen by name from `DECAYS`;
a new schedule is a new line there.
"""

import math
from collections.abc import Callable
from typing import Literal, get_args

ScheduleName = Literal["constant", "linear", "cosine", "wsd"]

Decay = Callable[[float, float], float]
"""(progress, decay) -> how far above the floor: 1 at the peak, 0 at the floor.

progress: part of the steps after the warm-up that are done, above 0 and up to 1.
decay: part of those steps in which a schedule that has a plateau falls; the others don't look at it.
"""


def constant(progress: float, decay: float) -> float:
    """The peak to the end."""
    return 1.0


def linear(progress: float, decay: float) -> float:
    """A straight line down: best or level with cosine in Defazio et al. 2023 ("When, Why and How Much?")."""
    return 1.0 - progress


def cosine(progress: float, decay: float) -> float:
    """Half a cosine: Loshchilov & Hutter 2017 (SGDR) without restarts, as in GPT-3 (Brown et al. 2020, appendix B)."""
    return (1.0 + math.cos(math.pi * progress)) / 2.0


def wsd(progress: float, decay: float) -> float:
    """Warm-up, stable, decay: the peak, then 1 - sqrt over the last `decay` of the steps.

    The three phases are MiniCPM's (Hu et al. 2024, section 4.2); the shape of the fall is the one that did best in
    Hägele et al. 2024 ("Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", section 3).
    """
    stable = 1.0 - decay
    if progress <= stable:
        return 1.0
    return 1.0 - math.sqrt(min(1.0, (progress - stable) / decay))  # rounding may pass 1


DECAYS: dict[ScheduleName, Decay] = {"constant": constant, "linear": linear, "cosine": cosine, "wsd": wsd}

assert tuple(DECAYS) == get_args(ScheduleName)


def learning_rate_at(
    step: int,
    steps: int,
    peak: float,
    *,
    schedule: ScheduleName = "cosine",
    warmup: float = 0.0,
    final: float = 0.0,
    decay: float = 0.2,
) -> float:
    """The learning rate of `step` (from 0) out of `steps`.

    It rises by equal amounts over the first `ceil(warmup * steps)` steps, never from zero, is at `peak` on the last of
    them, and (but for "constant") ends at `final * peak` on the last step. warmup and final are parts, 0 to 1; what
    happens between is `DECAYS[schedule]`, with `decay` as it wants it.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    progress = min(1.0, (step - rising + 1) / max(1, steps - rising))
    floor = final * peak
    return floor + (peak - floor) * DECAYS[schedule](progress, decay)
