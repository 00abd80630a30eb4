"""`in_context_regression`: what a forward pass computes from examples, beside gradient steps and least squares.

Not of a language model but of its shape: a copy of its blocks is trained on sequences of pairs (x, w·x), each sequence
with a w of its own, and then reads new ones. Beside it, one layer of linear attention is the control: the best that it
can be is one gradient step, so a comparison that does not find one there finds nothing elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from harness.errors import Unsupported
from harness.limits import LARGEST, MOST_BATCH, MOST_DOCUMENTS, MOST_SEQUENCES, check_at_once, check_in_all
from harness.measures.measure import Facts, Load, Measure, Sample, Settings
from harness.models.registry import has
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd

    from harness.models.in_context_regression import Comparison

READER = "reader"
"""The part that is the trained model's own. The others are the algorithms': `zero`, `mean_y`, `gradient_steps_1` and
more, `least_squares`, and where there is noise `bayes`."""
TEST_SEED = 1 << 32
"""Of the sequences that are tested: no training has this seed. The same for every reader."""


class InContextRegressionSettings(Settings):
    """Settings of `in_context_regression`."""

    reader: Literal["gpt", "linear_attention"] = "gpt"
    """gpt: blocks of the model's shape. linear_attention: one layer without softmax; the model's shape is not used."""
    dimensions: int = Field(default=4, ge=1, le=MOST_BATCH)
    """Entries of x and of w."""
    noise: float = Field(default=0.0, ge=0, allow_inf_nan=False, le=LARGEST)
    """Standard deviation of the noise in y; w·x itself has the square root of `dimensions`."""
    pairs: int = Field(default=10, ge=1, le=MOST_BATCH)
    """Most pairs before an x, as many as are trained on. Linear attention is trained on `examples` pairs instead."""
    examples: int = Field(default=10, ge=1, le=MOST_BATCH)
    """Pairs before the x that is asked for, at most `pairs`."""
    steps: int = Field(default=2000, ge=1, le=MOST_DOCUMENTS)
    """Steps of training."""
    batch: int = Field(default=64, ge=1, le=MOST_BATCH)
    """Sequences per step."""
    learning_rate: float = Field(default=0.003, gt=0, allow_inf_nan=False, le=LARGEST)
    """Peak learning rate."""
    initial_seed: int = Field(default=0, ge=0, lt=TEST_SEED)
    """Seed of the initial weights and of the sequences of the training."""
    weights: Literal["trained", "initial"] = "trained"
    """initial: before any training, which is what knowing nothing looks like."""
    labels: Literal["own", "shifted"] = "own"
    """shifted: each x is shown with the y of the next pair, so that the pairs say nothing of w."""
    sequences: int = Field(default=1000, ge=2, le=MOST_SEQUENCES)
    """Test sequences: the units of the intervals."""

    @model_validator(mode="after")
    def _examples(self) -> Self:
        if self.examples > self.pairs:
            raise ValueError(f"{self.examples} examples are more than the {self.pairs} pairs of a sequence; give fewer")
        check_at_once(batch=self.batch, pairs=self.pairs, dimensions=self.dimensions)
        check_at_once(sequences=self.sequences, pairs=self.pairs, dimensions=self.dimensions)
        check_in_all(steps=self.steps, batch=self.batch, pairs=self.pairs, dimensions=self.dimensions)
        if self.labels == "shifted" and self.examples < 2:
            raise ValueError("labels can be shifted between two examples at least; give more examples")
        return self


REGRESSION_ERROR = Metric(
    name="regression_error",
    unit="of predicting 0",
    direction=Direction.LOWER,
    definition="Mean over sequences of (prediction - w·x)²/d: 1 is what predicting 0 costs, 0 is w found. By part: the "
    "trained reader, or an algorithm on the same pairs.",
)
PREDICTION_DISTANCE = Metric(
    name="prediction_distance",
    unit="of predicting 0",
    direction=Direction.LOWER,
    definition="Mean over sequences of (the reader's prediction - the algorithm's)²/d.",
)
WEIGHT_COSINE = Metric(
    name="weight_cosine",
    unit="cosine",
    direction=Direction.HIGHER,
    definition="Mean over sequences of the cosine between the reader's implied weights, d prediction / d x at the x "
    "that is asked for, and the algorithm's w (von Oswald et al. 2023). Blind to the length, and high between any two "
    "that find w: read it beside `prediction_distance`.",
)


ONLY_BLOCKS = "only blocks of a reference model are trained to regress; give a `reference: ...`"


def collect(load: Load, settings: InContextRegressionSettings) -> list[Sample]:
    """One row per test sequence: w·x, every prediction, the cosines."""
    from harness.models.in_context_regression import (
        Recipe,
        Regression,
        Task,
        blocks_shape,
        compare,
        trained,
        untrained,
    )

    if load.source.precision != "fp32" or load.source.device != "cpu":
        raise Unsupported("regression in context is trained and read in fp32 on the CPU alone")
    linear = settings.reader == "linear_attention"
    if not linear and not has(load.source.kind, "blocks"):
        raise Unsupported(ONLY_BLOCKS)
    task = Task(settings.dimensions, settings.noise)
    regression = Regression(
        shape=None if linear else blocks_shape(load()),
        task=task,
        pairs=settings.examples if linear else settings.pairs,
        recipe=Recipe(settings.steps, settings.batch, settings.learning_rate, seed=settings.initial_seed),
    )
    reader = trained(regression, load.tell) if settings.weights == "trained" else untrained(regression)
    return _rows(compare(reader, task, settings.examples, settings.sequences, TEST_SEED, settings.labels))


def _rows(seen: Comparison) -> list[Sample]:
    from torch.nn.functional import cosine_similarity

    columns = {"target": seen.target, f"prediction {READER}": seen.prediction}
    columns |= {f"prediction {name}": predicted for name, predicted in seen.predictions.items()}
    columns |= {f"cosine {name}": cosine_similarity(seen.weights, w) for name, w in seen.found.items()}
    lists = {name: column.tolist() for name, column in columns.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def summarize(samples: pd.DataFrame, settings: InContextRegressionSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows: the reader's error, then error and agreement by algorithm."""
    from harness.statistics.intervals import ratio_of_sums

    def mean(metric: Metric, values: pd.Series[float], part: str) -> Measurement:
        value, low, high, n = ratio_of_sums(values, np.ones(len(values)))
        return Measurement(
            metric=metric,
            value=value,
            low=low,
            high=high,
            interval="t over sequences, of this one training",
            n=n,
            n_unit="sequences",
            part=part,
        )

    def distance(metric: Metric, one: str, other: str, part: str) -> Measurement:
        squares = ((samples[one] - samples[other]) ** 2 / settings.dimensions).round(12)  # below is rounding: it is 0
        return mean(metric, squares, part)

    mine = f"prediction {READER}"
    found = [distance(REGRESSION_ERROR, mine, "target", READER)]
    for column in samples.columns:
        if not column.startswith("prediction ") or column == mine:
            continue
        name = column.removeprefix("prediction ")
        found.append(distance(REGRESSION_ERROR, column, "target", name))
        found.append(distance(PREDICTION_DISTANCE, mine, column, name))
        if f"cosine {name}" in samples.columns:  # zero and mean_y have no direction
            found.append(mean(WEIGHT_COSINE, samples[f"cosine {name}"], name))
    return found


IN_CONTEXT_REGRESSION = Measure(
    name="in_context_regression",
    version=1,
    about="What blocks of a reference model's shape compute from examples of a linear function: error beside that of "
    "gradient steps and least squares, and how near they are to each.",
    settings=InContextRegressionSettings,
    metrics=(REGRESSION_ERROR, PREDICTION_DISTANCE, WEIGHT_COSINE),
    isolated=False,
    needs_peaks=False,
    needs=lambda library, settings: {"blocks": ONLY_BLOCKS} if settings.reader == "gpt" else {},
    collect=collect,
    summarize=summarize,
)
