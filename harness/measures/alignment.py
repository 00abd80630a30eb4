"""`alignment`: how the stage of alignment went that made a model: KL divergence, scores, loss, lengths, by step.

A stage is run once, before its model is measured, and kept with its reports: this measure reads those and costs
nothing. What alignment did to the model's abilities is measured as of any model, by `task` and `perplexity`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.measures.measure import Facts, Load, Measure, Sample, Settings
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd


class AlignmentMeasureSettings(Settings):
    """It has no settings."""


def _metric(name: str, unit: str, direction: Direction, definition: str, *, headline: bool = False) -> Metric:
    return Metric(
        name=name,
        unit=unit,
        direction=direction,
        definition=definition,
        headline=headline,
        per_token=unit == "nats/token",
    )


REPORTED: dict[str, Metric] = {
    "kl": _metric(
        "policy_kl",
        "nats/response",
        Direction.NONE,
        "KL(policy || the stage's frozen reference) of the last rollout, EOS included, at its temperature: the sum "
        "over the prefixes of each response of the divergence of whole next-token distributions, averaged over "
        "responses.",
        headline=True,
    ),
    "kl_k1": _metric(
        "policy_kl_k1",
        "nats/response",
        Direction.NONE,
        "The same estimated by the drawn tokens alone: the sum of log policy - log reference (k1; Schulman 2020). It "
        "may be below 0 by chance.",
    ),
    "kl_k3": _metric(
        "policy_kl_k3",
        "nats/response",
        Direction.NONE,
        "The same estimated by r - 1 - log r of each drawn token, r = reference / policy (k3; Schulman 2020): never "
        "below 0.",
    ),
    "score": _metric(
        "policy_score",
        "reward",
        Direction.HIGHER,
        "Mean score of the last rollout's responses, in the unit of the reward, after penalties, before any scaling.",
        headline=True,
    ),
    "entropy": _metric(
        "policy_entropy",
        "nats/token",
        Direction.NONE,
        "Mean entropy of the policy's next-token distribution over the last rollout, at its temperature.",
    ),
    "length": _metric("response_length", "tokens", Direction.NONE, "Mean tokens of the last rollout's responses."),
    "truncated": _metric(
        "truncated_share", "1", Direction.LOWER, "Share of the last rollout's responses without an EOS token."
    ),
    "clip_fraction": _metric(
        "clip_fraction", "1", Direction.NONE, "Share of tokens whose ratio was clipped in the last rollout's steps."
    ),
    "approx_kl": _metric(
        "update_kl",
        "nats/token",
        Direction.NONE,
        "KL(policy that drew || policy) by k3 in the last rollout's steps: how far one rollout moved the policy.",
    ),
    "explained_variance": _metric(
        "explained_variance",
        "1",
        Direction.HIGHER,
        "1 - Var(returns - values) / Var(returns) of the last rollout: 1 is a perfect critic's, 0 that of a constant.",
    ),
    "dead_groups": _metric(
        "dead_groups",
        "1",
        Direction.LOWER,
        "Share of the last rollout's groups whose scores are all equal: they teach nothing.",
    ),
    "mismatch": _metric(
        "rollout_mismatch",
        "nats/token",
        Direction.LOWER,
        "Mean difference of the decoder's log-probabilities from the trainer's over the last rollout's tokens.",
    ),
    "accuracy": _metric(
        "pair_accuracy",
        "1",
        Direction.HIGHER,
        "Share of the last steps' training pairs whose chosen response has the higher (implied) reward.",
    ),
    "validation_accuracy": _metric(
        "held_out_pair_accuracy",
        "1",
        Direction.HIGHER,
        "The same of pairs whose prompts were not learned from, after the last step; ties are left out.",
        headline=True,
    ),
    "validation_calibration_error": _metric(
        "held_out_calibration_error",
        "1",
        Direction.LOWER,
        "Expected calibration error of sigmoid(reward difference) on pairs whose prompts were not learned from.",
    ),
    "validation_loss": _metric(
        "held_out_response_loss",
        "nats/token",
        Direction.LOWER,
        "Mean negative log-likelihood of the tokens of responses whose prompts were not learned from, after the last "
        "step.",
        headline=True,
    ),
    "validation_margin": _metric(
        "held_out_margin",
        "reward",
        Direction.HIGHER,
        "Mean (implied) reward of the chosen response less that of the rejected one, of pairs whose prompts were not "
        "learned from.",
    ),
    "loss": _metric(
        "alignment_loss",
        "loss",
        Direction.LOWER,
        "What the stage minimized, in its last report: comparable within one method and its settings alone.",
    ),
}
"""By its name in the stage's reports."""
LEARNED_FROM = Metric(
    name="learned_from",
    unit="examples",
    direction=Direction.NONE,
    definition="Demonstrations, pairs or prompts that the stage learned from, each once.",
    counted=True,
)


def collect(load: Load, settings: AlignmentMeasureSettings) -> list[Sample]:
    """One row per report of the stage."""
    from harness.models.alignment import stage_reports

    return stage_reports(Path(load.source.path))


def summarize(samples: pd.DataFrame, settings: AlignmentMeasureSettings, facts: Facts) -> list[Measurement]:
    """What the last reports said."""
    imitated = samples["method"].iloc[-1] in ("sft", "rejection")  # others' held-out loss is of pairs
    found = [
        Measurement(
            metric=metric,
            value=float(samples[name].dropna().iloc[-1]),
            interval="none: one training",
            n=1,
            n_unit="training",
        )
        for name, metric in REPORTED.items()
        if name in samples and samples[name].notna().any() and (name != "validation_loss" or imitated)
    ]
    count = Measurement(metric=LEARNED_FROM, value=float(samples["learned_from"].iloc[-1]))
    return [*found, count]


ALIGNMENT = Measure(
    name="alignment",
    version=1,
    about="How the stage of alignment went that made the model: KL divergence from its reference, score, loss, "
    "entropy, lengths, by step.",
    settings=AlignmentMeasureSettings,
    metrics=(*REPORTED.values(), LEARNED_FROM),
    isolated=False,
    needs_peaks=False,
    collect=collect,
    summarize=summarize,
    seconds=lambda settings, pace: pace.start,  # it reads what the stage kept
)
