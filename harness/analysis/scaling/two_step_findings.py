"""From a budget to the error of a task: what the two laws together predict, as findings."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.findings import ANALYSIS, ahead
from harness.analysis.scaling.fitting.objective import OBJECTIVES
from harness.analysis.scaling.fitting.uncertainty import Draws, Quantity, interval
from harness.analysis.scaling.laws.downstream import ExponentialError, SigmoidError
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.laws.registry import law_named
from harness.analysis.scaling.runs import Runs
from harness.analysis.scaling.suite.settings import FitSettings
from harness.analysis.scaling.two_step import TwoStep, two_step, two_step_draws
from harness.errors import UserError
from harness.results.finding import Finding
from harness.results.record import Scalar

ERRORS: dict[str, Law] = {law.name: law for law in (ExponentialError(), SigmoidError())}


def two_step_findings(runs: Runs, settings: FitSettings, subject: dict[str, Scalar]) -> list[Finding]:
    """The error's law with its parameters, the error at the best use of each budget, and that of runs held out.

    Raises UserError where the runs have no errors, or the loss's law is not one of parameters and tokens.
    """
    assert settings.then is not None
    law = law_named(settings.law, settings.over)
    if law.inputs != ("parameters", "tokens"):
        raise UserError(
            f"a second step needs a law of parameters and tokens before it; {law.name} is none", place="then"
        )
    below = np.ones(len(runs), dtype=bool) if settings.fit_below is None else runs.compute < settings.fit_below
    fitted = two_step(runs.only(below), law, ERRORS[settings.then], loss_objective=OBJECTIVES[settings.objective])
    draws = (
        two_step_draws(fitted, settings.replicates, settings.seed, by=settings.draw) if settings.replicates else None
    )
    second = len(fitted.to_loss.natural)
    common: dict[str, Any] = {"analysis": ANALYSIS, "n": int(below.sum())}
    about: dict[str, Scalar] = {**subject, "law": fitted.to_error.law.name}
    problems = fitted.to_error.certificate.problems
    found = [
        Finding(
            name="error_trust",
            value=0.0 if problems else 1.0,
            interval="exact",
            note="NOT TO BE TRUSTED: " + "; ".join(problems) if problems else fitted.to_error.law.formula,
            subject=about,
            **common,
        )
    ]
    for column, parameter in enumerate(fitted.to_error.law.parameters):
        asked = _asked(fitted, draws, partial(_column, second + column), settings)
        found.append(Finding(name=parameter.name, note=parameter.meaning, subject=about, **asked, **common))
    for budget in settings.compute or [ahead(float(runs.compute[below].max()))]:
        asked = _asked(fitted, draws, partial(_error_at, fitted, budget), settings)
        if draws is not None:
            asked["interval"] += "; of the law, without what a single run scatters"
        note = "at the best use of the budget"
        at = {**about, "compute": budget}
        found.append(Finding(name="predicted_error", unit="fraction", note=note, subject=at, **asked, **common))
    return found + _held_out(fitted, runs.only(~below), common, about)


def _column(column: int, natural: Floats) -> Floats:
    return natural[:, column]


def _asked(fitted: TwoStep, draws: Draws | None, quantity: Quantity, settings: FitSettings) -> dict[str, Any]:
    """Value, ends and how of a quantity; the value alone where nothing was drawn."""
    if draws is None:
        return {"value": float(quantity(fitted.natural[None])[0])}
    made = interval(draws, quantity, settings.interval)
    return {"value": float(made.value), "low": float(made.low), "high": float(made.high), "interval": made.how}


def _error_at(fitted: TwoStep, budget: float, natural: Floats) -> Floats:
    """The error at the best size for a budget, draw by draw."""
    law, first = fitted.to_loss.law, natural[..., : len(fitted.to_loss.natural)]
    size, tokens = optimum(law, first, np.array([budget]))
    errors = [
        fitted.error(row[None], np.array([n]), np.array([d]))[0, 0]
        for row, n, d in zip(natural, size[:, 0], tokens[:, 0], strict=True)
    ]
    return np.array(errors)


def _held_out(fitted: TwoStep, runs: Runs, common: dict[str, Any], about: dict[str, Scalar]) -> list[Finding]:
    if not len(runs):
        return []
    told = fitted.error(fitted.natural[None], runs.parameters, runs.tokens)[0]
    truth = runs.column("error")
    missed = told[truth > 0] / truth[truth > 0] - 1
    if not len(missed):
        return []
    solved = f", {len(runs) - len(missed)} more were solved without an error" if len(missed) < len(runs) else ""
    return [
        Finding(
            name="held_out_error_of_the_task",
            value=float(np.abs(missed).mean()),
            unit="fraction",
            note=f"mean relative error of the predicted task errors over {len(missed)} runs held out{solved}; "
            f"{'too high' if missed.mean() > 0 else 'too low'} by {abs(missed.mean()):.2%} on average",
            subject=about,
            **common,
        )
    ]
