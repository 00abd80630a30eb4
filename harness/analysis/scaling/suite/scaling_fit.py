"""A scaling law over sizes and tokens, fitted to models that the suite trained: `harness fit` of a run's records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.analysis.scaling.suite.settings import FitSettings
from harness.charts import scaling_fit, scaling_surface
from harness.errors import UserError
from harness.evidence.training_runs import training_frame
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run

if TYPE_CHECKING:
    from harness.analysis.scaling.runs import Runs


class RunsSettings(AnalysisSettings):
    """Which of the run's models, and which of their numbers."""

    of: str = "validation_loss"
    """The metric: validation_loss, loss, bits_per_byte …"""
    counted: Literal["all", "non_embedding"] = "all"
    """Which parameters N counts."""
    flops: Literal["6ND", "exact"] = "6ND"
    """What C is: 6ND with that N, or the exact count of the training (attention and head included)."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: axes and settings with their values."""
    models: list[str] | None = Field(default=None, min_length=1)
    """Which models; left out, all whose training was measured."""


class ScalingFitSettings(FitSettings, RunsSettings):
    """What is fitted, over which of the run's models."""

    @field_validator("then")
    @classmethod
    def _no_errors(cls, then: str | None) -> str | None:
        if then is not None:
            raise ValueError("a run's trainings have no error of a task: a second step is for `harness fit` of a table")
        return then


def runs_of(run: Run, settings: RunsSettings) -> Runs:
    """The run's models as the runs of a scaling law. Raises UserError where there are none."""
    from harness.analysis.scaling.runs import runs_from_frame

    frame = training_frame(run, settings.of, settings.where, settings.models).rename(columns={"model": "name"})
    column = "parameters" if settings.counted == "all" else "parameters_non_embedding"
    columns = {"parameters": column, "tokens": "tokens", "loss": "loss"}
    if settings.flops == "exact":
        if frame["training_flops"].isna().any():
            raise UserError("no exact FLOPs are recorded for these models: measure their `training` again, or use 6ND")
        columns["compute"] = "training_flops"
    else:
        frame = frame.drop(columns=["compute", "training_flops"], errors="ignore")
    return runs_from_frame(frame, columns=columns, counted=settings.counted, place="the run's records")


def run(run: Run, settings: ScalingFitSettings) -> list[Finding]:
    """The fit as findings; one that says why, where there can be none."""
    from harness.analysis.scaling.findings import ANALYSIS, findings
    from harness.analysis.scaling.report import scaling_report

    subject: dict[str, Scalar] = {"of": settings.of, "counted": settings.counted}
    try:
        return findings(scaling_report(runs_of(run, settings), settings), subject)
    except UserError as error:
        why = f"no law was fitted: {error}"
        return [Finding(analysis=ANALYSIS, name="trust", subject={"law": settings.law, **subject}, note=why)]


SCALING_FIT = Analysis(
    name="scaling_fit",
    about="A law of loss over parameters and tokens: its parameters, the best use of a budget, and what it predicts",
    settings=ScalingFitSettings,
    run=run,
    charts=(*scaling_fit.CHARTS, *scaling_surface.CHARTS),
)
