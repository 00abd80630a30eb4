"""Whether a fit can be believed: what is checked about an optimum before its numbers are read.

Published fits have failed each of these: an optimizer that never left its start, a local optimum of a flat valley, a
parameter at its bound, and exponents that the data don't determine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.least_squares import gradient
from harness.analysis.scaling.fitting.objective import EXACT
from harness.analysis.scaling.fitting.problem import Problem
from harness.analysis.scaling.laws.law import Floats

BALANCED = 1e-6
"""Largest part of the pulls on a parameter that may be left over at an optimum."""
BETTER = 5e-4
"""An objective that is lower by this part is a better one; less is what rounding to four digits costs."""
NO_PULL = 1e-9
RARE = 0.1
"""Where fewer starts than this reach the best optimum, a better one may have been missed."""
NEAR = 0.05
"""A second optimum whose objective is within this part of the best one's is a rival."""
ILL_CONDITIONED = 1e8
VANISHED = 1e-3
"""A term that is this part of the loss everywhere is at its bound: it could as well be nothing."""


@dataclass(frozen=True)
class Certificate:
    """What was found out about an optimum."""

    gradient: float
    """Largest absolute entry of the objective's gradient, in the solver's coordinates."""
    imbalance: float
    """The same as a part of the pulls that cancel there: 0 is an optimum, 1 a slope."""
    starts: int
    reached: float
    """Share of starts that ended at the best optimum."""
    rivals: tuple[float, ...]
    """Objectives of the other distinct optima, over the best one's."""
    moved: float
    """Largest distance of the optimum from the nearest start, in the solver's coordinates."""
    condition: float
    """Condition number of the curvature, each parameter in its own scale."""
    sloppy: dict[str, float]
    """The direction in which the objective changes least: share of each parameter."""
    bounds: tuple[str, ...]
    """Parameters at a bound."""
    converged: float
    """Share of starts whose solver came to rest."""
    excess: float = 0.0
    """By which part the objective of parameters that came from elsewhere is above the best one found here."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences, the gravest first; none where the optimum can be believed."""
        found = []
        if self.imbalance > BALANCED:
            found.append(
                f"this is no optimum: {self.imbalance:.2g} of the pull on a parameter is left over "
                f"(gradient {self.gradient:.2g})"
            )
        if self.moved < 1e-6:
            found.append("the optimizer did not move: the result is where it started")
        if self.excess > BETTER:
            lower = 100 * self.excess / (1 + self.excess)
            found.append(f"there is a better optimum: the objective of the best one found is {lower:.2g} % lower")
        near = [rival for rival in self.rivals if rival < 1 + NEAR]
        if near:
            found.append(f"another optimum is within {100 * (min(near) - 1):.2g} % of the best one: there may be more")
        if self.starts > 1 and self.reached < RARE:
            found.append(
                f"only {self.reached:.1%} of {self.starts} starts reached the optimum: a better one may be missed"
            )
        if self.bounds:
            found.append(f"at a bound, so that its value means nothing: {', '.join(self.bounds)}")
        if self.condition > ILL_CONDITIONED:
            most = max(self.sloppy, key=lambda name: abs(self.sloppy[name]))
            found.append(
                f"the data hardly determine the parameters (condition number {self.condition:.1g}, {most} most of all)"
            )
        return tuple(found)


def certify(
    posed: Problem,
    internal: Floats,
    starts: Floats,
    reached: np.ndarray,
    objectives: Floats,
    converged: np.ndarray,
) -> Certificate:
    """Examine an optimum. internal: (p,); starts: (starts, p); reached: (starts,) which ended there; objectives: of the
    distinct optima, the best first; converged: (starts,)."""
    weights = np.ones(len(posed.response))
    slope, scale = gradient(posed.evaluate, internal[None], posed.response, weights, posed.objective)
    fitted, derivative = posed.evaluate(internal[None])
    residuals = fitted[0] - posed.response
    weighted = derivative[0] * posed.objective.weights(residuals)
    normal = weighted @ derivative[0].T
    size = np.sqrt(np.diag(normal))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(normal / size[:, None] / size)
    names = posed.law.names
    felt = scale[0] > NO_PULL * scale[0].max()  # a parameter that does nothing any more is pulled at by rounding alone
    pulls = np.where(felt, np.abs(slope[0]) / np.where(felt, scale[0], 1.0), 0.0)
    best = float(objectives[0])
    return Certificate(
        gradient=float(np.abs(slope).max()),
        imbalance=0.0 if np.abs(residuals).max() < EXACT else float(pulls.max()),  # rounding pulls anywhere
        starts=len(starts),
        reached=float(np.mean(reached)),
        rivals=tuple(float(value) / best for value in objectives[1:] if np.isfinite(value) and best > 0),
        moved=float(np.abs(starts - internal).max(axis=1).min()),
        condition=float(values[-1] / max(values[0], np.finfo(np.float64).tiny)),
        sloppy=dict(zip(names, (vectors[:, 0] ** 2).tolist(), strict=True)),
        bounds=_at_bounds(posed, internal, derivative[0]),
        converged=float(np.mean(converged)),
    )


def _at_bounds(posed: Problem, internal: Floats, derivative: Floats) -> tuple[str, ...]:
    """Positive parameters that make no difference any more, and exponents on the wrong side of their limit."""
    natural = posed.law.natural(internal, posed.center)
    found = []
    for parameter, value, effect in zip(posed.law.parameters, natural, np.abs(derivative).max(axis=1), strict=True):
        vanished = parameter.space == "log" and posed.law.response == "log" and effect < VANISHED
        if vanished or (parameter.lowest is not None and value <= parameter.lowest):
            found.append(parameter.name)
    return tuple(found)
