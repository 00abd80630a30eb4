"""Every chart by name, with what it shows. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.charts import (
    answers,
    chain_of_thought_gain,
    emergence,
    mirage,
    scaling_fit,
    scaling_law,
    scaling_surface,
    speed,
    tradeoff,
)
from harness.results.finding import Finding
from harness.results.run import Run

FINDING_CHARTS: dict[str, tuple[Callable[[Sequence[Finding]], Any], str]] = {
    "scaling_fit_compute": (scaling_fit.compute, scaling_fit.ABOUT_COMPUTE),
    "scaling_fit_predictions": (scaling_fit.predictions, scaling_fit.ABOUT_PREDICTIONS),
    "scaling_fit_surface": (scaling_surface.surface, scaling_surface.ABOUT_SURFACE),
    "scaling_fit_residuals": (scaling_surface.residuals, scaling_surface.ABOUT_RESIDUALS),
    "scaling_fit_profiles": (scaling_surface.profiles, scaling_surface.ABOUT_PROFILES),
    "chain_of_thought_gain": (chain_of_thought_gain.chain_of_thought_gain, chain_of_thought_gain.ABOUT),
    "mirage": (mirage.mirage, mirage.ABOUT),
}
"""Those that are drawn of findings alone, with or without a run."""


def _of_run(draw: Callable[[Sequence[Finding]], Any]) -> Callable[[Run], Any]:
    return lambda run: draw(run.findings)


CHARTS: dict[str, tuple[Callable[[Run], Any], str]] = {
    "tradeoff": (tradeoff.tradeoff, tradeoff.ABOUT),
    "scaling_law": (scaling_law.scaling_law, scaling_law.ABOUT),
    "speed": (speed.speed, speed.ABOUT),
    "emergence": (emergence.emergence, emergence.ABOUT),
    **{name: (_of_run(draw), about) for name, (draw, about) in FINDING_CHARTS.items()},
    "answers": (answers.answers, answers.ABOUT),
}
"""Name -> (run -> altair chart, or None where the run has nothing for it; what it shows)."""
