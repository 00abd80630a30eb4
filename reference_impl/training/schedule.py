"""Learning rate over the run: linear warm-up, then half a cosine down to a floor.

Loshchilov & Hutter 2017 (SGDR) without restarts, as GPT-3 used it (Brown et al. 2020, appendix B).
"""

import math


def learning_rate_at(step: int, steps: int, peak: float, warmup: float, final: float) -> float:
    """The learning rate of `step` (from 0) out of `steps`.

    It rises by equal amounts over the first `ceil(warmup * steps)` steps, never from zero, is at `peak` on
    the last of them, and ends at `final * peak` on the last step.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    progress = (step - rising + 1) / max(1, steps - rising)
    floor = final * peak
    return floor + (peak - floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
