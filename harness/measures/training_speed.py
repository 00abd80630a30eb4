"""`training_speed`: how quickly a model was trained and what it took. What came of it is `training`.

The training is the one that made the suite's model: it is not done again, so what is read was measured then. It counts
only where that was on this class of machine with as many threads; elsewhere the cell is skipped and says so. A
model that this measure is for is trained alone, but what other programs did then is in the numbers; so is what was
trained beside it, where a run without this measure made it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.limits import LARGEST
from harness.measures.measure import Facts, Load, Measure, Sample, Settings
from harness.measures.trained_here import of_reports, others_beside
from harness.measures.training import check_precision, report_rows, to_target
from harness.measures.useful_work import training_flops_per_token
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd


class TrainingSpeedSettings(Settings):
    """Settings of `training_speed`."""

    target_loss: float | None = Field(default=None, gt=0, le=LARGEST)
    """Validation loss in nats per token to which the seconds are counted (`seconds_to_target`); left out, they are
    not."""


TRAINING_RATE = Metric(
    name="training_rate",
    unit="tokens/s",
    direction=Direction.HIGHER,
    definition="Tokens trained on per second: median over the intervals between two reports. Forward, backward and "
    "optimizer, without validation.",
    depends_on="time",
    times="training",
)
TRAINING_MFU = Metric(
    name="training_mfu",
    unit="fraction",
    direction=Direction.HIGHER,
    definition="training_rate times the exact FLOPs of training on a token (three forward passes, 3 · (2 N_matmul + 2 "
    "· layers · width · (sequence + 1))), over the measured GEMM peak of the type that was trained in.",
    depends_on="time",
    times="training",
)
SECONDS_TO_TARGET = Metric(
    name="seconds_to_target",
    unit="s",
    direction=Direction.LOWER,
    definition="Training seconds, validation not counted, until a validation first gave at most `target_loss`; "
    "infinite where none did, with all seconds as the lower end.",
    depends_on="time",
)
TRAINING_MEMORY = Metric(
    name="training_memory",
    unit="bytes",
    direction=Direction.LOWER,
    definition="Most memory held while training (weights, gradients, moments, activations, data), above what the "
    "process held before with its libraries imported and the text encoded.",
    depends_on="memory",
)


def collect(load: Load, settings: TrainingSpeedSettings) -> list[Sample]:
    """One row per report of the trainer."""
    from harness.models.training_evidence import training_evidence

    check_precision(load.source)
    evidence, result = training_evidence(Path(load.source.path))
    others = others_beside(evidence, load.source.path)
    facts = {
        "sequence": result.settings.sequence,
        "precision": result.settings.precision,
        "device": evidence.device,
        "peak_memory": evidence.peak_memory,
        "meter": evidence.meter,
        "time": evidence.before.get("time_s"),
        "others_share": others,
    }
    return [row | facts for row in report_rows(result.curve)]


def summarize(samples: pd.DataFrame, settings: TrainingSpeedSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    from harness.statistics.intervals import median

    tokens, seconds = (samples[name].diff().fillna(samples[name]) for name in ("trained_tokens", "seconds"))
    value, low, high, n = median(tokens / seconds)
    how = of_reports(samples, n, is_interval=low is not None)

    def rate(metric: Metric, factor: float) -> Measurement:
        ends = [None if end is None else end * factor for end in (low, high)]
        return Measurement(
            metric=metric, value=value * factor, low=ends[0], high=ends[1], interval=how, n=n, n_unit="reports"
        )

    found = [rate(TRAINING_RATE, 1.0)]
    first = samples.iloc[0]
    on_device = facts.peaks is not None and facts.peaks.device == str(first["device"]).partition(":")[0]
    peak = facts.peaks.flops.get(str(first["precision"])) if facts.peaks is not None and on_device else None
    if peak:
        found.append(rate(TRAINING_MFU, training_flops_per_token(facts.identity, int(first["sequence"])) / peak))
    once = "none: one training"
    found.append(
        Measurement(metric=TRAINING_MEMORY, value=float(first["peak_memory"]), interval=once, n=1, n_unit="training")
    )
    if settings.target_loss is not None:
        found.append(to_target(SECONDS_TO_TARGET, samples, "seconds", settings.target_loss, once))
    return found


TRAINING_SPEED = Measure(
    name="training_speed",
    version=1,
    about="How quickly a model was trained: tokens per second, MFU, seconds to a target loss, peak memory.",
    settings=TrainingSpeedSettings,
    metrics=(TRAINING_RATE, TRAINING_MFU, SECONDS_TO_TARGET, TRAINING_MEMORY),
    isolated=True,
    needs_peaks=True,
    times_training=True,
    collect=collect,
    summarize=summarize,
)
