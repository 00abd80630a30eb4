"""The parametric law of Hoffmann et al. 2022, their approach 3: L = E + A/N^alpha + B/D^beta."""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law, Parameter
from harness.analysis.scaling.runs import FLOPS_PER_TOKEN

LARGEST_EXPONENT = 600.0
"""Of e in a term: what lies beyond is no number."""


class Chinchilla(Law):
    """An irreducible loss, a term that falls with the model's size and one that falls with its tokens."""

    name = "chinchilla"
    formula = "L = E + A / N^alpha + B / D^beta"
    source = "Hoffmann et al. 2022, arXiv 2203.15556, equation 2"
    parameters = (
        Parameter("E", "loss that no size and no data remove (nats per token)", "log"),
        Parameter("A", "scale of the term of the size", "log"),
        Parameter("B", "scale of the term of the data", "log"),
        Parameter("alpha", "exponent of the size", lowest=0.0),
        Parameter("beta", "exponent of the data", lowest=0.0),
    )

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        floor, size, data = self._terms(internal, logs)
        total = floor + size + data
        derivative = np.empty((*internal.shape, logs.shape[-1]))
        np.divide(size, total, out=derivative[:, 1])
        np.divide(data, total, out=derivative[:, 2])
        np.divide(floor, total, out=derivative[:, 0])
        np.multiply(derivative[:, 1], -logs[0], out=derivative[:, 3])
        np.multiply(derivative[:, 2], -logs[1], out=derivative[:, 4])
        return np.log(total), derivative

    def _terms(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats, Floats]:
        e, a, b, alpha, beta = (internal[:, column, None] for column in range(5))
        size = np.exp(np.minimum(a - alpha * logs[0], LARGEST_EXPONENT))
        data = np.exp(np.minimum(b - beta * logs[1], LARGEST_EXPONENT))
        return np.exp(np.minimum(e, LARGEST_EXPONENT)), size, data

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        floor, size, data = self._terms(internal, logs)
        total = floor + size + data
        return np.stack([-internal[:, 3, None] * size / total, -internal[:, 4, None] * data / total], axis=1)

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """100 of them: exponents from .1 to 1.2, floors from .3 to .95 of the lowest loss."""
        losses = np.exp(response)
        exponents, floors = (0.1, 0.3, 0.5, 0.8, 1.2), (0.3, 0.6, 0.8, 0.95)
        made = []
        for share in floors:
            floor = share * losses.min()
            term = np.log((losses.mean() - floor) / 2)
            made += [[np.log(floor), term, term, alpha, beta] for alpha in exponents for beta in exponents]
        return np.array(made)

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        shift = np.stack([internal[..., 3] * center[0], internal[..., 4] * center[1]], axis=-1)
        return np.concatenate([internal[..., :1], internal[..., 1:3] + shift, internal[..., 3:]], axis=-1)

    def allocation(self, natural: Floats, compute: Floats) -> tuple[Floats, Floats]:
        """Compute-optimal size and tokens in closed form (equation 4): N* = G (C/6)^(beta/(alpha+beta)) with
        G = (alpha A / beta B)^(1/(alpha+beta)). natural: (..., 5), compute: (n,) or (..., n). Two arrays (..., n)."""
        _, a, b, alpha, beta = (natural[..., column, None] for column in range(5))
        with np.errstate(all="ignore"):  # an exponent below 0 has no optimum: not a number
            balance = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
            size = balance * (np.asarray(compute) / FLOPS_PER_TOKEN) ** (beta / (alpha + beta))
            return size, np.asarray(compute) / FLOPS_PER_TOKEN / size


def hoffmann_grid() -> Floats:
    """The 4500 starts of Hoffmann et al. (appendix D.3), as plain parameters (E, A, B as logs): (4500, 5)."""
    scales, floors = np.arange(0, 30, 5.0), np.arange(-1, 1.5, 0.5)
    exponents = np.arange(0, 2.5, 0.5)
    e, a, b, alpha, beta = np.meshgrid(floors, scales, scales, exponents, exponents, indexing="ij")
    return np.stack([item.ravel() for item in (e, a, b, alpha, beta)], axis=1)
