"""What may be asked of a scaling fit, in a suite's `analyse:` and on the command line alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from harness.analysis.analysis import AnalysisSettings
from harness.errors import UserError
from harness.limits import LARGEST_SEED, Positive

LawName = Literal[
    "chinchilla",
    "kaplan",
    "power_law",
    "power_law_with_floor",
    "broken",
    "over_training",
    "repeated_data",
]
FEWEST_REPLICATES = 20


def _enough(replicates: int) -> int:
    if 0 < replicates < FEWEST_REPLICATES:
        raise ValueError(f"0 or {FEWEST_REPLICATES} at least: fewer draws have no 95 % interval")
    return replicates


Replicates = Annotated[int, Field(le=100_000), AfterValidator(_enough)]
"""Bootstrap replicates, or 0 for none."""
ObjectiveName = Literal["huber", "lad", "squares"]


class FitSettings(AnalysisSettings):
    """How a law is fitted to runs, and what is asked of it."""

    law: LawName = "chinchilla"
    """The formula; `harness list laws` explains them."""
    over: Literal["parameters", "tokens", "compute"] = "compute"
    """What a law of one quantity is over: power_law, power_law_with_floor, broken."""
    then: Literal["exponential_error", "sigmoid_error"] | None = None
    """A second step from the loss to the error of a task, for data with a column `error`: what errors are predicted."""
    objective: ObjectiveName = "huber"
    """What is minimized: Huber's loss of the log residuals (threshold 1e-3), least absolute deviations, squares."""
    replicates: Replicates = Field(default=1000, ge=0)
    """Bootstrap replicates; 0 leaves the intervals out."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Of the draws."""
    draw: Literal["run", "group", "parameters"] | None = None
    """What is drawn again: each run, each group (the column `group`), or each size with all of its runs; left out,
    groups where the data have them, sizes where they repeat, else runs."""
    interval: Literal["percentile", "bca"] = "percentile"
    """How draws become an interval."""
    fit_below: Positive | None = None
    """Only runs with less compute than this many FLOPs are fitted; the others are predicted, and told how it went."""
    compute: list[Positive] = Field(default=[])
    """Budgets in FLOPs for which the best size and tokens are wanted; left out, ten times the highest one."""
    losses: list[Positive] = Field(default=[])
    """Losses for which the compute is wanted."""
    profiles: bool = True
    """Whether each parameter's profile is taken: what says that one is not identified. Some seconds."""


def fit_settings(**given: object) -> FitSettings:
    """Settings from a command line's options. Raises UserError with the option and what it may be."""
    try:
        return FitSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        said = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        raise UserError(f"{first['input']!r} should be {said}", place=f"--{option}") from None
