"""The joint law of Kaplan et al. 2020: L = [(Nc/N)^(alpha_N/alpha_D) + Dc/D]^alpha_D."""

from __future__ import annotations

import itertools

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law, Parameter
from harness.analysis.scaling.runs import FLOPS_PER_TOKEN


class Kaplan(Law):
    """Size and data limit the loss together, and nothing else does: with enough of both it goes to zero.

    Their N counts no embeddings (`Runs.counted`), their D is tokens.
    """

    name = "kaplan"
    formula = "L = [(Nc / N)^(alpha_N / alpha_D) + Dc / D]^alpha_D"
    source = "Kaplan et al. 2020, arXiv 2001.08361, equation 1.5"
    parameters = (
        Parameter("Nc", "size whose loss is 1 with endless data", "log", longest_step=3.0),
        Parameter("Dc", "tokens whose loss is 1 with an endless model", "log", longest_step=3.0),
        Parameter("alpha_N", "exponent of the size", lowest=0.0),
        Parameter("alpha_D", "exponent of the data", lowest=0.0),
    )

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        alpha_size, alpha_data = internal[:, 2, None], internal[:, 3, None]
        short = internal[:, 0, None] - logs[0]
        both, share = self._both(internal, logs)
        derivative = np.empty((*internal.shape, logs.shape[-1]))
        derivative[:, 0] = alpha_size * share
        derivative[:, 1] = alpha_data * (1 - share)
        derivative[:, 2] = share * short
        derivative[:, 3] = both - share * alpha_size / alpha_data * short
        return alpha_data * both, derivative

    def _both(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """Log of the sum in the brackets, and the share that the size has in it: (batch, n) each."""
        n, d, alpha_size, alpha_data = (internal[:, column, None] for column in range(4))
        size, data = alpha_size / alpha_data * (n - logs[0]), d - logs[1]
        both = np.logaddexp(size, data)
        return both, np.exp(size - both)

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        _, share = self._both(internal, logs)
        return np.stack([-internal[:, 2, None] * share, -internal[:, 3, None] * (1 - share)], axis=1)

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: 48 of them, exponents from .05 to .4, the size's part in the loss from .2 to .8."""
        middle, exponents = response.mean(), (0.05, 0.1, 0.2, 0.4)
        made = []
        for size, data in itertools.product(exponents, exponents):
            for share in (0.2, 0.5, 0.8):
                terms = [(np.log(share) * data + middle) / size, np.log(1 - share) + middle / data]
                made.append([*terms, size, data])
        return np.array(made)

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        return np.concatenate([internal[..., :2] + center, internal[..., 2:]], axis=-1)

    def allocation(self, natural: Floats, compute: Floats) -> tuple[Floats, Floats]:
        """Compute-optimal size and tokens: with ND = K and r = alpha_N/alpha_D the terms balance as
        r (Nc/N)^r = Dc N / K, so that N* = (r Nc^r K / Dc)^(1/(1+r)). natural: (..., 4), compute: (n,) or (..., n).
        Two arrays (..., n). Kaplan et al.'s own N ∝ C^.73 is from their law of size and steps, not from this one."""
        size_scale, data_scale, alpha_size, alpha_data = (natural[..., column, None] for column in range(4))
        budget = np.asarray(compute) / FLOPS_PER_TOKEN
        with np.errstate(all="ignore"):  # an exponent below 0 has no optimum: not a number
            ratio = alpha_size / alpha_data
            log_size = (np.log(ratio) + ratio * np.log(size_scale) + np.log(budget / data_scale)) / (1 + ratio)
        size = np.exp(log_size)
        return size, budget / size
