"""Two models that take turns: under which name, and with which metrics, their ratios are kept among the cells of a run.
A suite asks for them by `side_by_side:`, as each is of two models."""

from __future__ import annotations

from harness.results.record import Direction, Metric

NAME = "side_by_side"
WHAT = "models side by side"
"""What progress calls it."""
TIMES = ("ttft", "tpot")
"""What is compared: the prefill with the first token, and the decode steps."""
ROUNDS = 3
"""In one process: for each launch that a comparison between processes would have."""
TIME_RATIO = Metric(
    name="time_ratio",
    unit="ratio",
    direction=Direction.LOWER,
    depends_on="time",
    headline=True,
    definition=(
        "Time that the model takes over the time that `against` takes, the two measured turn by turn: the median over "
        "launches, or over rounds where both are in one process. `times` says of what: ttft, the prefill with the "
        "first token, or tpot, the decode steps. Below 1 the model is faster."
    ),
)
SAME_CODE_SCATTER = Metric(
    name="same_code_scatter",
    unit="fraction",
    direction=Direction.NONE,
    depends_on="time",
    detail=True,
    definition=(
        "Standard deviation of launches of `against` beside itself, of the logarithm of the ratio of their times: what "
        "a difference must exceed to be seen."
    ),
)
METRICS = (TIME_RATIO, SAME_CODE_SCATTER)
