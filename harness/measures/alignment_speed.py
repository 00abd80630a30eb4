"""`alignment_speed`: where the time of a stage of alignment with rollouts went: drawing, scoring, learning.

One step of PPO or GRPO, as papers count them, is a rollout with all that is learned from it. The stage is not done
again: what is read was timed when the model was made, and counts under the same conditions as `training_speed`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import Unsupported
from harness.measures.measure import Facts, Load, Measure, Sample, Settings
from harness.measures.trained_here import of_reports, others_beside
from harness.measures.training import check_precision
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd


class AlignmentSpeedSettings(Settings):
    """It has no settings."""


PHASES = {
    "rollout": "drawing its responses",
    "scoring": "the reward function, log-probabilities under policy and reference, values and advantages",
    "update": "the optimizer steps that learn from it, forward and backward",
}
"""What the time of a rollout is parted into, with what each part is. They add up to all of it."""
SECONDS = {
    phase: Metric(
        name=f"{phase}_seconds",
        unit="s",
        direction=Direction.LOWER,
        definition=f"Seconds per rollout for {what}: median over the stage's reports.",
        depends_on="time",
        headline=True,
    )
    for phase, what in PHASES.items()
}
SHARES = {
    phase: Metric(
        name=f"{phase}_share",
        unit="fraction",
        direction=Direction.NONE,
        definition=f"Share of the stage's seconds that went into {what}. The three shares add up to 1.",
        depends_on="time",
    )
    for phase, what in PHASES.items()
}
ROLLOUT_RATE = Metric(
    name="rollout_rate",
    unit="tokens/s",
    direction=Direction.HIGHER,
    definition="Response tokens that are learned from, per second of drawing them: median over the stage's reports. "
    "Tokens behind a `truncation` are drawn and not counted.",
    depends_on="time",
)


def collect(load: Load, settings: AlignmentSpeedSettings) -> list[Sample]:
    """One row per report: rollouts, response tokens and seconds of each phase since the report before."""
    from harness.models.training_evidence import alignment_evidence

    check_precision(load.source)
    evidence, result = alignment_evidence(Path(load.source.path))
    if not result.reports or not result.reports[-1].phases:
        raise Unsupported(
            f"the stage {result.method} of this model has no rollouts with times: this measure is for ppo and the "
            "policy gradients (grpo …)"
        )
    others = others_beside(evidence, load.source.path)
    asked = result.settings
    per_rollout = asked["epochs"] * asked["minibatches"]
    rows, steps, seconds, before = [], 0, 0.0, dict.fromkeys(("rollout", "scoring"), 0.0)
    for report in result.reports:
        took = {phase: report.phases[phase] - before[phase] for phase in before}
        took["update"] = report.seconds - seconds - sum(took.values())
        rollouts = (report.step - steps) / per_rollout
        rows.append(
            {
                "method": result.method,
                "step": report.step,
                "rollouts": rollouts,
                "tokens": report.values["length"] * result.responses_per_rollout * rollouts,
                **{f"{phase}_seconds": took[phase] for phase in PHASES},
                "others_share": others,
            }
        )
        steps, seconds, before = report.step, report.seconds, {phase: report.phases[phase] for phase in before}
    return rows


def summarize(samples: pd.DataFrame, settings: AlignmentSpeedSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    from harness.statistics.intervals import median

    def over_reports(metric: Metric, values: pd.Series) -> Measurement:
        value, low, high, n = median(values)
        how = of_reports(samples, n, is_interval=low is not None)
        return Measurement(metric=metric, value=value, low=low, high=high, interval=how, n=n, n_unit="reports")

    sums = {phase: float(samples[f"{phase}_seconds"].sum()) for phase in PHASES}
    whole = sum(sums.values())
    return [
        *(over_reports(SECONDS[phase], samples[f"{phase}_seconds"] / samples["rollouts"]) for phase in PHASES),
        over_reports(ROLLOUT_RATE, samples["tokens"] / samples["rollout_seconds"]),
        *(
            Measurement(
                metric=SHARES[phase], value=sums[phase] / whole, interval="none: one training", n=1, n_unit="training"
            )
            for phase in PHASES
        ),
    ]


ALIGNMENT_SPEED = Measure(
    name="alignment_speed",
    version=1,
    about="Where the time of a stage with rollouts (PPO, GRPO …) went: seconds per rollout of drawing, scoring and "
    "learning, tokens drawn per second.",
    settings=AlignmentSpeedSettings,
    metrics=(*SECONDS.values(), ROLLOUT_RATE, *SHARES.values()),
    isolated=True,
    needs_peaks=False,
    times_training=True,
    collect=collect,
    summarize=summarize,
)
