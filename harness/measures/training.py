"""`training`: what came of a model's training. How quickly it came is `training_speed`.

A suite's model is trained once, before it is measured, and kept with its loss curve: this measure reads that, so it
costs one pass over the validation text. That pass is there because a curve is what the trainer says. The loss that is
recorded is of the weights that were kept, and where it is not what the trainer reported, the measure fails.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.errors import Unsupported, UserError
from harness.limits import LARGEST
from harness.measures.measure import Facts, Load, Measure, Sample, Settings
from harness.measures.useful_work import training_flops_per_token
from harness.models.contract import ModelSource
from harness.results.record import Direction, Measurement, Metric, Sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from harness.models.training_evidence import Progress

TOLERANCE = 0.02
"""Nats per token by which the kept weights may differ from what the trainer reported: bf16 products in training."""


class TrainingMeasureSettings(Settings):
    """Settings of `training`."""

    target_loss: float | None = Field(default=None, gt=0, le=LARGEST)
    """Validation loss in nats per token whose tokens are counted (`tokens_to_target`); left out, they are not."""


VALIDATION_LOSS = Metric(
    name="validation_loss",
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Mean negative log-likelihood per token of the validation text under the trained weights, in windows of "
    "the training's sequence side by side, each read without what stands before it: ΣNLL/Σtokens.",
    sums=Sums(of="nll", over="tokens"),
    per_token=True,
    headline=True,
)
BEST_VALIDATION_LOSS = Metric(
    name="best_validation_loss",
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Lowest of the validation losses that the trainer reported. Exact: the loss of this training on this "
    "text, as published losses are; what other text or another seed would give is in `validation_loss` and `seed`.",
    per_token=True,
)
TOKENS_TO_TARGET = Metric(
    name="tokens_to_target",
    unit="tokens",
    direction=Direction.LOWER,
    definition="Tokens trained on until a validation first gave at most `target_loss`; late by up to the distance of "
    "two validations, never early. Infinite where none did, with all tokens as the lower end.",
)
HIGHEST_LOSS = Metric(
    name="highest_loss",
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Highest training loss of any report (the mean over the steps since the one before): far above the "
    "first one's, which is that of guessing, the training was unstable, whatever came of it.",
    per_token=True,
)
TRAINED_TOKENS = Metric(
    name="trained_tokens",
    unit="tokens",
    direction=Direction.NONE,
    definition="D: tokens trained on, repeated ones counted again; whole steps.",
    counted=True,
)
EPOCHS = Metric(
    name="epochs",
    unit="passes",
    direction=Direction.NONE,
    definition="Passes over the training text: trained_tokens over its tokens. A law of N and D takes every token for "
    "a new one; up to about 4 passes repeated ones are nearly as good (Muennighoff et al. 2023, section 5).",
    counted=True,
)
SIX_ND_FLOPS = Metric(
    name="six_nd_flops",
    unit="FLOPs",
    direction=Direction.NONE,
    definition="C = 6 N D: N all parameters, embeddings included and a tied head once (`parameters` of the record), as "
    "Hoffmann et al. 2022 count; D trained_tokens. What the axis `compute` asks for, but for rounding to whole steps.",
    counted=True,
)
TRAINING_FLOPS = Metric(
    name="training_flops",
    unit="FLOPs",
    direction=Direction.NONE,
    definition="Exact FLOPs of the training: trained_tokens times three forward passes of a token, 3 · (2 N_matmul + 2 "
    "· layers · width · (sequence + 1)). The tied head works at every token, rows that are looked up don't, and causal "
    "attention is counted.",
    counted=True,
)
SKIPPED_STEPS = Metric(
    name="skipped_steps",
    unit="steps",
    direction=Direction.LOWER,
    definition="Steps that were left out because their gradient was not finite.",
)


def collect(load: Load, settings: TrainingMeasureSettings) -> list[Sample]:
    """One row per report of the trainer (`kind` report), one per part of the validation text (`kind` validation)."""
    from harness.models.training import Training
    from harness.models.training_evidence import training_evidence, validation_parts

    check_precision(load.source)
    model = load()
    evidence, result = training_evidence(Path(load.source.path))
    assert result.settings.sequence is not None and isinstance(evidence.training, Training)
    parts = validation_parts(model, evidence.training, result.settings.sequence)
    loss = sum(part["nll"] for part in parts) / sum(part["tokens"] for part in parts)
    if not abs(loss - result.validation_loss) <= TOLERANCE:
        raise UserError(
            f"the weights give {loss:.4f} nats/token on the validation text, but their training reported "
            f"{result.validation_loss:.4f}: they are not the weights that were trained; delete {load.source.path}"
        )
    of_all = {
        "best": result.best_validation_loss,
        "skipped_steps": result.skipped_steps,
        "epochs": result.epochs,
        "sequence": result.settings.sequence,
    }
    return [*report_rows(result.curve), *({"kind": "validation"} | of_all | part for part in parts)]


def check_precision(source: ModelSource) -> None:
    """Raises Unsupported at any precision but fp32: a training is the same whatever its weights become later."""
    if source.precision != "fp32":
        raise Unsupported("a training is the same at every precision: it is measured at fp32 alone")


def report_rows(curve: Sequence[Progress]) -> list[Sample]:
    """The loss curve: one row per report."""
    return [
        {
            "kind": "report",
            "step": point.step,
            "trained_tokens": point.tokens,
            "seconds": point.seconds,
            "train_loss": point.loss,
            "learning_rate": point.learning_rate,
            "reported_validation_loss": point.validation_loss,
        }
        for point in curve
    ]


def summarize(samples: pd.DataFrame, settings: TrainingMeasureSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    from harness.statistics.intervals import ratio_of_sums

    parts = samples[samples["kind"] == "validation"]
    value, low, high, n = ratio_of_sums(parts["nll"], parts["tokens"])
    first = parts.iloc[0]
    tokens = float(samples["trained_tokens"].max())
    exact = tokens * training_flops_per_token(facts.identity, int(first["sequence"]))
    how = "t over contiguous parts of the validation text (ratio estimator)" if low is not None else "none: one part"
    found = [
        Measurement(metric=VALIDATION_LOSS, value=value, low=low, high=high, interval=how, n=n, n_unit="parts"),
        Measurement(metric=BEST_VALIDATION_LOSS, value=float(first["best"]), n_unit="training"),
        Measurement(metric=HIGHEST_LOSS, value=float(samples["train_loss"].max()), n_unit="training"),
        Measurement(metric=SKIPPED_STEPS, value=float(first["skipped_steps"])),
        Measurement(metric=TRAINED_TOKENS, value=tokens),
        Measurement(metric=EPOCHS, value=float(first["epochs"])),
        Measurement(metric=SIX_ND_FLOPS, value=6.0 * facts.identity.parameters * tokens),
        Measurement(metric=TRAINING_FLOPS, value=exact),
    ]
    if settings.target_loss is not None:
        found.append(to_target(TOKENS_TO_TARGET, samples, "trained_tokens", settings.target_loss, "exact"))
    return found


def to_target(metric: Metric, samples: pd.DataFrame, column: str, target: float, interval: str) -> Measurement:
    """What `column` was at the first validation at or below `target`; infinite where there was none."""
    reports = samples[samples["kind"] == "report"]
    reached = reports.loc[reports["reported_validation_loss"] <= target, column]
    if len(reached):
        return Measurement(metric=metric, value=float(reached.iloc[0]), interval=interval, n_unit="training")
    lowest, end = float(reports["reported_validation_loss"].min()), float(reports[column].iloc[-1])
    how = f"not reached: the lowest validation loss is {lowest:.3f} nats/token, not {target:g}"
    return Measurement(metric=metric, value=math.inf, low=end, high=math.inf, interval=how, n_unit="training")


TRAINING = Measure(
    name="training",
    version=1,
    about="What came of a model's training, and of how much: validation loss with its interval, loss curve, tokens to "
    "a target loss; tokens, passes over the text, FLOPs.",
    settings=TrainingMeasureSettings,
    metrics=(
        *(VALIDATION_LOSS, BEST_VALIDATION_LOSS, TOKENS_TO_TARGET, HIGHEST_LOSS, SKIPPED_STEPS),
        *(TRAINED_TOKENS, EPOCHS, SIX_ND_FLOPS, TRAINING_FLOPS),
    ),
    isolated=False,
    needs_peaks=False,
    collect=collect,
    summarize=summarize,
)
