"""From the loss to the error of a downstream task: the second of two steps from compute to accuracy.

Both laws fall from chance to what no lower loss removes, exponentially or as a sigmoid. Residuals are of the error
itself: an error of .80 and one of .82 are as far apart as .10 and .12.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law, Parameter


class ExponentialError(Law):
    """The error comes off its ceiling as the loss falls, without ever saturating."""

    name = "exponential_error"
    formula = "error = epsilon - k exp(-gamma L)"
    source = "Gadre et al. 2024, arXiv 2403.08540, equation 5"
    parameters = (
        Parameter("epsilon", "error of a model that knows nothing"),
        Parameter("k", "scale", "log", longest_step=3.0),
        Parameter("gamma", "how fast the error falls with the loss (per nat)", lowest=0.0, longest_step=1.0),
    )
    inputs = ("loss",)
    response = "linear"
    target = "error"

    def center(self, logs: Floats) -> Floats:
        """Nothing: the formula has the loss itself, not its log."""
        return np.zeros(len(logs))

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        loss, gained = self._gained(internal, logs)
        derivative = np.empty((*internal.shape, loss.shape[-1]))
        derivative[:, 0], derivative[:, 1], derivative[:, 2] = 1.0, -gained, loss * gained
        return internal[:, 0, None] - gained, derivative

    def _gained(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """The loss, and how far the error is below its ceiling."""
        loss = np.exp(logs[0])
        return loss, np.exp(np.minimum(internal[:, 1, None] - internal[:, 2, None] * loss, 100.0))

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        loss, gained = self._gained(internal, logs)
        return np.asarray(internal[:, 2, None] * gained * loss)[:, None, :]

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: 18 of them, ceilings at and above the highest error, gammas from .2 to 4 per nat."""
        loss, spread = np.exp(logs[0]).mean(), max(float(np.ptp(response)), 1e-3)
        made = []
        for above in (0.02, 0.3, 1.0):
            ceiling = response.max() + above * spread
            for gamma in (0.2, 0.5, 1.0, 1.5, 2.5, 4.0):
                made.append([ceiling, np.log(ceiling - response.mean()) + gamma * loss, gamma])
        return np.array(made)


class SigmoidError(Law):
    """The error falls from a ceiling to a floor, half-way at a loss L0."""

    name = "sigmoid_error"
    formula = "error = floor + (ceiling - floor) / (1 + exp(-k (L - L0)))"
    source = (
        "Bhagia et al. 2024, arXiv 2412.04403, and Grattafiori et al. 2024, arXiv 2407.21783 (there of the accuracy)"
    )
    parameters = (
        Parameter("floor", "error that no lower loss removes", lowest=0.0),
        Parameter("ceiling", "error of a model that knows nothing"),
        Parameter("k", "steepness (per nat)", "log", longest_step=0.5),
        Parameter("L0", "loss at which the error is half-way", longest_step=0.5),
    )
    inputs = ("loss",)
    response = "linear"
    target = "error"

    def center(self, logs: Floats) -> Floats:
        """Nothing: the formula has the loss itself, not its log."""
        return np.zeros(len(logs))

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        floor, ceiling = internal[:, 0, None], internal[:, 1, None]
        away, up, steep = self._up(internal, logs)
        slope = (ceiling - floor) * up * (1 - up) * steep
        derivative = np.empty((*internal.shape, up.shape[-1]))
        derivative[:, 0], derivative[:, 1] = 1 - up, up
        derivative[:, 2], derivative[:, 3] = slope * away, -slope
        return floor + (ceiling - floor) * up, derivative

    def _up(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats, Floats]:
        """L - L0, how far up the error is from floor to ceiling, and k."""
        away = np.exp(logs[0]) - internal[:, 3, None]
        steep = np.exp(np.minimum(internal[:, 2, None], 20.0))
        return away, np.exp(-np.logaddexp(0.0, -steep * away)), steep

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        _, up, steep = self._up(internal, logs)
        per_nat = (internal[:, 1, None] - internal[:, 0, None]) * up * (1 - up) * steep
        return np.asarray(per_nat * np.exp(logs[0]))[:, None, :]

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: 24 of them, half-way at the quantiles of the loss, from gentle to steep."""
        loss, spread = np.exp(logs[0]), float(np.ptp(response))
        made = []
        for beyond in (0.0, 0.5):
            for steep in (1.0, 3.0, 10.0):
                for half in np.quantile(loss, (0.1, 0.4, 0.7, 0.95)):
                    made.append(
                        [response.min() - beyond * spread, response.max() + beyond * spread, np.log(steep), half]
                    )
        return np.array(made)
