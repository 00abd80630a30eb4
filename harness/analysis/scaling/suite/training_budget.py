"""What a training costs by arithmetic: FLOPs, days, money, memory and text, from assumptions that the suite states.

Published totals mix assumptions: a day count with activation recomputation on one GPU stands beside a price for another
GPU at another speed. Each finding here says which of the assumptions it takes, and how a claimed figure compares.
"""

from __future__ import annotations

import math

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.limits import Positive
from harness.results.finding import Finding
from harness.results.run import Run
from harness.strict_models import Written

DAY, YEAR = 86_400.0, 365.0 * 86_400.0


MOST_GPUS = 10**9


class Claims(Written):
    """Figures that somebody stated, to be set beside what follows from the assumptions."""

    flops: Positive | None = None
    """FLOPs of the training."""
    days: Positive | None = None
    """Days on all GPUs together."""
    gpu_years: Positive | None = None
    """Years of one GPU."""
    cost: Positive | None = None
    """Dollars."""
    weight_bytes: Positive | None = None
    """Bytes of the weights."""
    gpus_to_hold: Positive | None = None
    """GPUs that hold the weights alone."""
    text_bytes: Positive | None = None
    """Bytes of the training text."""
    reading_years: Positive | None = None
    """Years in which a person reads as many words."""


class TrainingBudgetSettings(AnalysisSettings):
    """The assumptions. A figure is computed where all that it takes is given."""

    training: str
    """What is trained, for the tables."""
    parameters: Positive
    """N, all parameters."""
    tokens: Positive
    """D."""
    flops_per_parameter_and_token: Positive = 6.0
    """6; 8 where activations are computed again in the backward pass, for counting what the hardware does."""
    gpus: int | None = Field(default=None, ge=1, le=MOST_GPUS)
    """How many work at once."""
    gpu_flops: Positive | None = None
    """FLOPs per second that one GPU reaches in this training (peak times utilization)."""
    price_per_gpu_hour: Positive | None = None
    """Dollars."""
    bytes_per_parameter: Positive = 4.0
    """4 for fp32."""
    gpu_bytes: Positive | None = None
    """Memory of one GPU."""
    bytes_per_token: Positive | None = None
    """Of text, under the model's tokenizer."""
    tokens_per_word: Positive | None = None
    """Of text, under the model's tokenizer."""
    words_per_year: Positive | None = None
    """That a person reads."""
    claims: Claims = Claims()
    """What was stated."""


def run(run: Run, settings: TrainingBudgetSettings) -> list[Finding]:
    """A finding per figure; of a claimed one, its ratio to what was computed too."""
    return training_budget(settings)


def training_budget(settings: TrainingBudgetSettings) -> list[Finding]:
    """The figures that the assumptions give. Exact: arithmetic on what was assumed."""
    flops = settings.flops_per_parameter_and_token * settings.parameters * settings.tokens
    weights = settings.bytes_per_parameter * settings.parameters
    times = f"{settings.flops_per_parameter_and_token:g} N D"
    figures = [
        ("flops", flops, "FLOPs", f"{times} with N = {settings.parameters:.4g} and D = {settings.tokens:.4g}"),
        ("weight_bytes", weights, "bytes", f"{settings.bytes_per_parameter:g} bytes each"),
    ]
    if settings.gpu_bytes is not None:
        needed = math.ceil(weights / settings.gpu_bytes)
        note = f"of {settings.gpu_bytes / 1e9:g} GB each, for the weights alone: no gradients, no optimizer"
        figures.append(("gpus_to_hold", float(needed), "GPUs", note))
    if settings.gpu_flops is not None:
        seconds = flops / settings.gpu_flops
        speed = f"at {settings.gpu_flops / 1e12:g} TFLOP/s each"
        figures.append(("gpu_years", seconds / YEAR, "years", f"of one GPU, {speed}"))
        if settings.gpus is not None:
            figures.append(("days", seconds / settings.gpus / DAY, "days", f"on {settings.gpus:,} GPUs {speed}"))
        if settings.price_per_gpu_hour is not None:
            cost = seconds / 3600 * settings.price_per_gpu_hour
            figures.append(
                ("cost", cost, "dollars", f"at {settings.price_per_gpu_hour:g} dollars per GPU hour, {speed}")
            )
    if settings.bytes_per_token is not None:
        text = settings.tokens * settings.bytes_per_token
        figures.append(("text_bytes", text, "bytes", f"{settings.bytes_per_token:g} bytes of text per token"))
    if settings.tokens_per_word is not None and settings.words_per_year is not None:
        years = settings.tokens / settings.tokens_per_word / settings.words_per_year
        note = f"{settings.words_per_year:,.0f} words a year, {settings.tokens_per_word:.3g} tokens per word"
        figures.append(("reading_years", years, "years", note))
    return [finding for figure in figures for finding in _beside_claim(*figure, settings)]


def _beside_claim(name: str, value: float, unit: str, note: str, settings: TrainingBudgetSettings) -> list[Finding]:
    subject = {"training": settings.training}
    claimed = getattr(settings.claims, name)
    computed = Finding(
        analysis="training_budget", name=name, value=value, unit=unit, interval="exact", subject=subject, note=note
    )
    if claimed is None:
        return [computed]
    ratio = claimed / value
    told = f"claimed: {claimed:.4g} {unit}, which is {ratio:.3g} times what the assumptions give"
    return [
        computed.model_copy(update={"note": f"{note}; {told}"}),
        Finding(
            analysis="training_budget",
            name=f"{name}_claim",
            value=ratio,
            interval="exact",
            subject=subject,
            note=f"claimed {name.replace('_', ' ')} over computed",
        ),
    ]


TRAINING_BUDGET = Analysis(
    name="training_budget",
    about="FLOPs, days, cost, memory and text of a training from stated assumptions, beside what is claimed",
    settings=TrainingBudgetSettings,
    run=run,
)
