"""A scaling law over sizes and tokens, fitted to models that the suite trained: `harness fit` of a run's records."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.analysis.analysis import Analysis
from harness.analysis.scaling.settings import FitSettings
from harness.analysis.training_runs import training_frame
from harness.errors import UserError
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run


class ScalingFitSettings(FitSettings):
    """What is fitted, over which of the run's models."""

    of: str = "validation_loss"
    """The metric: validation_loss, loss, bits_per_byte …"""
    over: Literal["parameters", "parameters_non_embedding"] = "parameters"
    """Which parameters N counts. C is 6ND with the same N."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values."""
    models: list[str] | None = Field(default=None, min_length=1)
    """Which models; left out, all whose training was measured."""


def run(run: Run, settings: ScalingFitSettings) -> list[Finding]:
    """The fit as findings; one that says why, where there can be none."""
    from harness.analysis.scaling.findings import ANALYSIS, findings
    from harness.analysis.scaling.report import scaling_report
    from harness.analysis.scaling.runs import runs_from_frame

    subject: dict[str, Scalar] = {"of": settings.of, "over": settings.over}
    try:
        frame = training_frame(run, settings.of, settings.where, settings.models)
        runs = runs_from_frame(
            frame,
            columns={"parameters": settings.over, "tokens": "tokens", "loss": "loss", "group": "model"},
            counted="all" if settings.over == "parameters" else "non_embedding",
            place="the run's records",
        )
        return findings(scaling_report(runs, settings), subject)
    except UserError as error:
        why = f"no law was fitted: {error}"
        return [Finding(analysis=ANALYSIS, name="trust", subject={"law": settings.law, **subject}, note=why)]


SCALING_FIT = Analysis(
    name="scaling_fit",
    about="A law of loss over parameters and tokens: its parameters, the best use of a budget, and what it predicts",
    settings=ScalingFitSettings,
    run=run,
)
