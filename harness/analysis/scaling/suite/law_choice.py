"""Which law foretells larger runs: fitted below a budget, scored above it, for the models that the suite trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.analysis.analysis import Analysis
from harness.analysis.scaling.suite.scaling_fit import RunsSettings, runs_of
from harness.analysis.scaling.suite.settings import LawName, ObjectiveName
from harness.errors import UserError
from harness.results.finding import Finding
from harness.results.record import Scalar
from harness.results.run import Run

if TYPE_CHECKING:
    from harness.analysis.scaling.runs import Runs

ANALYSIS = "law_choice"
LAWS: tuple[LawName, ...] = ("chinchilla", "kaplan", "over_training", "power_law_with_floor", "power_law")


class LawChoiceSettings(RunsSettings):
    """Which laws by which objectives."""

    laws: list[LawName] = Field(default=list(LAWS), min_length=1)
    """The candidates; those of one quantity are over compute."""
    objectives: list[ObjectiveName] = Field(default=["huber", "squares"], min_length=1)
    """By each of these."""
    splits: Literal["budgets", "shares"] = "shares"
    """What is fitted: the lowest budgets, one more each time; or the lowest 50, 70, 80, 90 % of the runs by compute."""
    replicates: int = Field(default=400, ge=50, le=100_000)
    """Bootstrap replicates of each fit."""


def run(run: Run, settings: LawChoiceSettings) -> list[Finding]:
    """Findings per law, objective and split; one that says why, where there can be none."""
    about: dict[str, Scalar] = {"of": settings.of}
    try:
        return law_choice(runs_of(run, settings), settings, about)
    except UserError as error:
        return [Finding(analysis=ANALYSIS, name="preferred", subject=about, note=f"nothing was scored: {error}")]


def law_choice(runs: Runs, settings: LawChoiceSettings, about: dict[str, Scalar]) -> list[Finding]:
    """The hold-out as findings, first the sentence on what is preferred. Raises UserError where it can't be scored."""
    from harness.analysis.scaling.fitting.objective import OBJECTIVES
    from harness.analysis.scaling.holdout import hold_out, splits_by_budgets, splits_by_share
    from harness.analysis.scaling.laws.registry import law_named

    splits = splits_by_budgets(runs) if settings.splits == "budgets" else splits_by_share(runs)
    laws = [law_named(name) for name in settings.laws]
    scored = hold_out(
        runs, laws, [OBJECTIVES[name] for name in settings.objectives], splits, replicates=settings.replicates
    )
    findings = [Finding(analysis=ANALYSIS, name="preferred", subject=about, note=scored.sentence, n=len(runs))]
    for row in scored.scores.to_dict("records"):
        at: dict[str, Scalar] = {name: str(row[name]) for name in ("law", "objective", "split")}
        findings.append(_score(row, {**about, **at}))
    for row in scored.in_sample.to_dict("records"):
        if row["aic"] is not None and math.isfinite(row["aic"]):
            at = {"law": str(row["law"]), "objective": str(row["objective"]), "split": "all runs, in sample"}
            note = f"for comparison with others of {row['noise']} noise only"
            findings.append(
                Finding(analysis=ANALYSIS, name="aic", value=float(row["aic"]), subject={**about, **at}, note=note)
            )
    return findings


def _score(row: dict[Any, Any], subject: dict[str, Scalar]) -> Finding:
    """The mean absolute error of one law on the runs that one split holds out; bias and coverage in the note."""
    held = f"{row['held_out']} runs, up to {row['reach']:.3g} times the fitted compute"
    numbers = {name: row[name] for name in ("bias", "coverage_50", "coverage_90") if not _missing(row[name])}
    if _missing(row["mape"]):
        return Finding(analysis=ANALYSIS, name="mape", subject=subject, note=str(row["note"]))
    told = [f"too {'high' if row['bias'] > 0 else 'low'} by {abs(row['bias']):.2f} % on average"]
    if "coverage_90" in numbers:
        told.append(f"50 and 90 % intervals held {row['coverage_50']:.0%} and {row['coverage_90']:.0%}")
    return Finding(
        analysis=ANALYSIS,
        name="mape",
        value=float(row["mape"]) / 100,
        unit="fraction",
        subject=subject,
        n=int(row["held_out"]),
        note="; ".join([*told, held]),
        data=numbers,
    )


def _missing(value: Any) -> bool:
    return value is None or not math.isfinite(value)


LAW_CHOICE = Analysis(
    name=ANALYSIS,
    about="Laws fitted to the lower budgets and scored on the higher ones, beside a naive baseline and AIC",
    settings=LawChoiceSettings,
    run=run,
)
