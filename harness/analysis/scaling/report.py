"""A law fitted to runs and examined: its draws, its profiles, what it says of runs held out, and why to doubt it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit, fit
from harness.analysis.scaling.fitting.objective import OBJECTIVES
from harness.analysis.scaling.fitting.pattern import WRONG_SHAPE, pattern
from harness.analysis.scaling.fitting.prediction import Prediction, predicted
from harness.analysis.scaling.fitting.profile import Profile, profile
from harness.analysis.scaling.fitting.uncertainty import Draws, Unit, bootstrap
from harness.analysis.scaling.laws.registry import law_named
from harness.analysis.scaling.runs import Runs
from harness.analysis.scaling.suite.settings import FitSettings
from harness.errors import UserError

RARE = 0.025
"""Held-out runs that fall outside of their intervals so often by chance are no chance."""


@dataclass(frozen=True)
class ScalingReport:
    """A fitted law with all that was found out about it."""

    fit: Fit
    draws: Draws | None
    profiles: tuple[Profile, ...]
    held_out: Runs | None
    """Runs that were predicted, not fitted."""
    prediction: Prediction | None
    problems: tuple[str, ...]
    """Why not to trust it, the gravest first; none where nothing speaks against it."""
    settings: FitSettings


def scaling_report(runs: Runs, settings: FitSettings) -> ScalingReport:
    """Fit a law to runs, examine it, draw intervals, predict what was held out. Raises UserError where it can't be."""
    fitted, held_out = _split(runs, settings.fit_below)
    made = fit(law_named(settings.law, settings.over), fitted, OBJECTIVES[settings.objective])
    problems = list(made.certificate.problems)
    draws = None
    if settings.replicates:
        try:
            draws = bootstrap(made, settings.replicates, settings.seed, by=settings.draw)
        except UserError as error:
            problems.append(f"no interval could be made: {error}")
    profiles = tuple(profile(made, name) for name in made.law.names) if settings.profiles else ()
    problems += [item.why for item in profiles if not item.identified]
    problems += _of_draws(made, draws)
    prediction = predicted(made, draws, held_out) if held_out is not None and draws is not None else None
    problems += _of_shape(made, settings.draw) + _of_prediction(prediction, made, held_out)
    return ScalingReport(made, draws, profiles, held_out, prediction, tuple(problems), settings)


def _split(runs: Runs, below: float | None) -> tuple[Runs, Runs | None]:
    """Runs to fit, and those to predict: from `below` FLOPs on."""
    if below is None:
        return runs, None
    fitted = runs.compute < below
    if fitted.all() or not fitted.any():
        raise UserError(
            f"fit_below: {below:.4g} FLOPs leaves no run to {'predict' if fitted.all() else 'fit'}; the runs have "
            f"{runs.compute.min():.4g} to {runs.compute.max():.4g}"
        )
    return runs.only(fitted), runs.only(~fitted)


def _of_shape(made: Fit, by: Unit | None) -> list[str]:
    left = pattern(made, by)
    if not left > WRONG_SHAPE:
        return []
    return [
        "the law has the wrong shape: runs next to one another are missed in the same direction "
        f"(correlation {left:.2f})"
    ]


def _of_prediction(prediction: Prediction | None, made: Fit, held_out: Runs | None) -> list[str]:
    if prediction is None or held_out is None or not prediction.chance < RARE:
        return []
    inside = int(prediction.holds(held_out.column(made.law.target)).sum())
    return [
        f"it does not go on as it said: {inside} of {len(held_out)} runs held out fell into their "
        f"{prediction.confidence:.0%} intervals; by the law's own draws so few do in {prediction.chance:.1%} of cases"
    ]


def _of_draws(made: Fit, draws: Draws | None) -> list[str]:
    found = []
    if draws is not None:
        if draws.failed > 0.01 * len(draws.natural):
            found.append(f"{draws.failed} of {len(draws.natural)} replicates did not converge: intervals are rough")
        wrong = [
            name
            for name, parameter, column in zip(made.law.names, made.law.parameters, draws.natural.T, strict=True)
            if parameter.lowest is not None and np.mean(column <= parameter.lowest) > 0.025
        ]
        if wrong:
            found.append(f"the data do not exclude that {' and '.join(wrong)} is 0: that there is no such term")
    return found
