"""Power laws of one quantity, with and without a floor: L = A x^-alpha, L = E + A x^-alpha.

Which one is meant decides an extrapolation: without a floor the loss falls for ever, and a law with a floor looks
like one without while A x^-alpha is far above E.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.laws.chinchilla import LARGEST_EXPONENT
from harness.analysis.scaling.laws.law import Floats, Law, Parameter
from harness.errors import UserError
from harness.spelling import nearest

OVER = ("parameters", "tokens", "compute")
"""What a law of one quantity may be over."""


def known_quantity(over: str) -> str:
    """The quantity that a law is over. Raises UserError for one that runs don't have."""
    if over not in OVER:
        raise UserError(f"no law is over '{over}'{nearest(over, OVER)}; there are {', '.join(OVER)}")
    return over


class PowerLaw(Law):
    """A straight line in the logs."""

    name = "power_law"
    formula = "L = A x^-alpha"
    source = "Kaplan et al. 2020, arXiv 2001.08361, equations 1.1 to 1.3 (A is their x_c^alpha)"
    parameters = (
        Parameter("A", "value at x = 1", "log"),
        Parameter("alpha", "exponent", lowest=0.0),
    )

    def __init__(self, over: str = "compute", target: str = "loss") -> None:
        """over: parameters, tokens or compute. target: the column that falls."""
        self.inputs = (known_quantity(over),)
        self.target = target

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        a, alpha = internal[:, 0, None], internal[:, 1, None]
        derivative = np.empty((*internal.shape, logs.shape[-1]))
        derivative[:, 0], derivative[:, 1] = 1.0, -logs[0]
        return a - alpha * logs[0], derivative

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        return np.repeat(-internal[:, 1, None, None], logs.shape[-1], axis=2)

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: two exponents are enough for a straight line."""
        return np.array([[response.mean(), alpha] for alpha in (0.05, 0.5)])

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        return np.stack([internal[..., 0] + internal[..., 1] * center[0], internal[..., 1]], axis=-1)


class PowerLawWithFloor(Law):
    """A power law that comes to rest at what no x removes."""

    name = "power_law_with_floor"
    formula = "L = E + A x^-alpha"
    source = "Henighan et al. 2020, arXiv 2010.14701, equation 1.1 (A is their x_0^alpha)"
    parameters = (
        Parameter("E", "value that no x removes", "log"),
        Parameter("A", "what x removes, at x = 1", "log"),
        Parameter("alpha", "exponent", lowest=0.0),
    )

    def __init__(self, over: str = "compute", target: str = "loss") -> None:
        """over: parameters, tokens or compute. target: the column that falls."""
        self.inputs = (known_quantity(over),)
        self.target = target

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        floor, term = self._terms(internal, logs)
        total = floor + term
        derivative = np.empty((*internal.shape, logs.shape[-1]))
        np.divide(floor, total, out=derivative[:, 0])
        np.divide(term, total, out=derivative[:, 1])
        np.multiply(derivative[:, 1], -logs[0], out=derivative[:, 2])
        return np.log(total), derivative

    def _terms(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        e, a, alpha = (internal[:, column, None] for column in range(3))
        return np.exp(np.minimum(e, LARGEST_EXPONENT)), np.exp(np.minimum(a - alpha * logs[0], LARGEST_EXPONENT))

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        floor, term = self._terms(internal, logs)
        return np.asarray(-internal[:, 2, None] * term / (floor + term))[:, None, :]

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: exponents from .02 to 1, floors from .1 to .98 of the lowest value."""
        values = np.exp(response)
        made = []
        for share in (0.1, 0.5, 0.8, 0.98):
            floor = share * values.min()
            made += [[np.log(floor), np.log(values.mean() - floor), alpha] for alpha in (0.02, 0.1, 0.3, 1.0)]
        return np.array(made)

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        e, a, alpha = (internal[..., column] for column in range(3))
        return np.stack([e, a + alpha * center[0], alpha], axis=-1)
