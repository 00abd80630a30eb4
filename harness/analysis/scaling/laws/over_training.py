"""The law of Gadre et al. 2024 for models trained beyond the compute-optimal point: one exponent for size and data.

L = E + (a M^eta + b M^-eta) C^-eta with M = D/N and C = 6ND. In N and D that is E + a (6 N^2)^-eta + b (6 D^2)^-eta:
the law of Hoffmann et al. with equal exponents, so that one M is optimal at every budget and over-training moves the
loss up by a factor that doesn't depend on C.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.laws.chinchilla import LARGEST_EXPONENT
from harness.analysis.scaling.laws.law import Floats, Law, Parameter
from harness.analysis.scaling.runs import FLOPS_PER_TOKEN


class OverTraining(Law):
    """An irreducible loss and what compute removes, at any number of tokens per parameter."""

    name = "over_training"
    formula = "L = E + (a M^eta + b M^-eta) C^-eta, M = D / N, C = 6 N D"
    source = "Gadre et al. 2024, arXiv 2403.08540, equation 4"
    parameters = (
        Parameter("E", "loss that no compute removes (nats per token)", "log"),
        Parameter("a", "scale of the term of the size", "log"),
        Parameter("b", "scale of the term of the data", "log"),
        Parameter("eta", "exponent of the compute", lowest=0.0),
    )

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        floor, size, data = self._terms(internal, logs)
        total = floor + size + data
        derivative = np.empty((*internal.shape, logs.shape[-1]))
        derivative[:, 0] = floor / total
        derivative[:, 1] = size / total
        derivative[:, 2] = data / total
        derivative[:, 3] = -(derivative[:, 1] * _squared(logs[0]) + derivative[:, 2] * _squared(logs[1]))
        return np.log(total), derivative

    def _terms(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats, Floats]:
        e, a, b, eta = (internal[:, column, None] for column in range(4))
        size = np.exp(np.minimum(a - eta * _squared(logs[0]), LARGEST_EXPONENT))
        data = np.exp(np.minimum(b - eta * _squared(logs[1]), LARGEST_EXPONENT))
        return np.exp(np.minimum(e, LARGEST_EXPONENT)), size, data

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        floor, size, data = self._terms(internal, logs)
        per_fold = -2 * internal[:, 3, None] / (floor + size + data)
        return np.stack([per_fold * size, per_fold * data], axis=1)

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: 60 of them, exponents from .03 to .4, floors from .1 to .95 of the lowest loss."""
        losses = np.exp(response)
        made = []
        for share in (0.1, 0.4, 0.7, 0.95):
            floor = share * losses.min()
            above = np.log(losses.mean() - floor)
            for part in (0.2, 0.5, 0.8):
                terms = [above + np.log(part), above + np.log(1 - part)]
                made += [[np.log(floor), *terms, eta] for eta in (0.03, 0.06, 0.12, 0.2, 0.4)]
        return np.array(made)

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        shift = 2 * internal[..., 3:] * center
        return np.concatenate([internal[..., :1], internal[..., 1:3] + shift, internal[..., 3:]], axis=-1)

    def allocation(self, natural: Floats, compute: Floats) -> tuple[Floats, Floats]:
        """Compute-optimal size and tokens: M* = (b/a)^(1/(2 eta)) at every budget. natural: (..., 4), compute: (n,) or
        (..., n). Two arrays (..., n)."""
        _, a, b, eta = (natural[..., column, None] for column in range(4))
        with np.errstate(all="ignore"):
            tokens_per_parameter = (b / a) ** (1 / (2 * eta))
        size = np.sqrt(np.asarray(compute) / FLOPS_PER_TOKEN / tokens_per_parameter)
        return size, size * tokens_per_parameter


def _squared(log: Floats) -> Floats:
    """Log of 6 x^2: the compute of a model with as many tokens as parameters."""
    return np.asarray(np.log(FLOPS_PER_TOKEN) + 2 * log)
