"""The data-constrained law of Muennighoff et al. 2023: what a token is worth when it is read again.

A repeated token counts less each time, and so does a parameter beyond what the unique data can fill:
D' = U + U R_D* (1 - exp(-R_D / R_D*)) with R_D = D/U - 1 repetitions, N' in the same way from U_N, the size for which U
tokens are compute-optimal. R* is how many repetitions it takes until they have brought 63 % of all that they ever will.

E, A, B, alpha and beta are those of runs without repetition and stay as they are, as in the paper: only R_D* and R_N*
are fitted. On the paper's own 182 runs they are hardly determined, and their published values are a local optimum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law, Parameter
from harness.errors import UserError

PUBLISHED_BASE = (math.exp(0.6254804), math.exp(6.255414), math.exp(7.3049974), 0.3526596, 0.3526596)
"""E, A, B, alpha, beta for C4 (their section 6; figures of utils/parametric_fit.ipynb, cell 29)."""
GRID = 200
"""Sizes among which the optimum is looked for, three times, each time between the neighbors of the best."""


class RepeatedData(Law):
    """Hoffmann et al.'s law at the effective size and the effective tokens."""

    name = "repeated_data"
    formula = "L = E + A / N'^alpha + B / D'^beta with E, A, B, alpha, beta of unique data"
    source = "Muennighoff et al. 2023, arXiv 2305.16264, section 3"
    parameters = (
        Parameter("R_D*", "repetitions after which repeated tokens have brought 63 % of what they can", "log"),
        Parameter("R_N*", "the same of parameters beyond what the unique tokens fill", "log"),
    )
    inputs = ("parameters", "tokens", "unique_tokens")

    def __init__(self, base: Sequence[float] | Floats = PUBLISHED_BASE) -> None:
        """base: E, A, B, alpha and beta, such as `fit(Chinchilla(), unique_runs).natural`. Raises UserError where they
        make no law."""
        values = np.asarray(base, dtype=np.float64)
        if values.shape != (5,) or not (np.isfinite(values).all() and (values > 0).all()):
            raise UserError("repeated_data needs E, A, B, alpha and beta of runs on unique data, all above 0")
        self.base = values

    def center(self, logs: Floats) -> Floats:
        """Nothing: the base is at home where it was fitted."""
        return np.zeros(len(logs))

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        floor, scale_size, scale_data, alpha, beta = self.base
        size, data = self._effective(internal, logs)
        terms = [scale_data * np.exp(-beta * data.log), scale_size * np.exp(-alpha * size.log)]
        total = floor + terms[0] + terms[1]
        derivative = np.empty((*internal.shape, total.shape[-1]))
        derivative[:, 0] = -beta * terms[0] / total * data.in_patience
        derivative[:, 1] = -alpha * terms[1] / total * size.in_patience
        return np.log(total), derivative

    def _effective(self, internal: Floats, logs: Floats) -> tuple[_Effective, _Effective]:
        """Effective size and effective tokens."""
        unique = np.minimum(logs[2], logs[1])
        return (
            _effective(internal[:, 1, None], np.minimum(self._filled(unique), logs[0]), logs[0]),
            _effective(internal[:, 0, None], unique, logs[1]),
        )

    def _filled(self, unique: Floats) -> Floats:
        """Log of U_N, the size for which so many (log) tokens are compute-optimal."""
        _, scale_size, scale_data, alpha, beta = self.base
        return np.asarray((np.log(alpha * scale_size / (beta * scale_data)) + beta * unique) / alpha)

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`. Where a size or a text is just filled there is a bend; the slope is the one of more."""
        floor, scale_size, scale_data, alpha, beta = self.base
        size, data = self._effective(internal, logs)
        data_term, size_term = scale_data * np.exp(-beta * data.log), scale_size * np.exp(-alpha * size.log)
        total = floor + data_term + size_term
        per_data, per_size = -beta * data_term / total, -alpha * size_term / total
        # U_N is beta/alpha as steep as U in the logs; tokens that are fewer than the unique ones are unique themselves
        filling = per_size * size.in_unique * (beta / alpha) * (self._filled(np.minimum(logs[2], logs[1])) < logs[0])
        unique_is_tokens = np.broadcast_to(logs[2] > logs[1], filling.shape)
        of_unique = filling + per_data * data.in_unique
        of_tokens = per_data * data.in_all + np.where(unique_is_tokens, of_unique, 0.0)
        return np.stack([per_size * size.in_all, of_tokens, np.where(unique_is_tokens, 0.0, of_unique)], axis=1)

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: 64 of them, from .3 to 1000 repetitions each."""
        patience = np.log(np.geomspace(0.3, 1000, 8))
        return np.array([[data, size] for data in patience for size in patience])

    def optimum(self, natural: Floats, compute: float, unique_tokens: float) -> tuple[float, float]:
        """Parameters and tokens with the lowest loss for a budget when there are only so many unique tokens: how many
        epochs to read. natural: (2,). By search: there is no closed form."""
        low, high = math.log(1e3), math.log(compute / 6 / 1e3)
        budget = math.log(compute / 6)
        for _ in range(3):
            size = np.linspace(low, high, GRID)
            logs = np.stack([size, budget - size, np.full(GRID, math.log(unique_tokens))])
            best = int(np.argmin(self.evaluate(self.plain(natural)[None], logs)[0][0]))
            low, high = float(size[max(best - 1, 0)]), float(size[min(best + 1, GRID - 1)])
        return math.exp((low + high) / 2), math.exp(budget - (low + high) / 2)


@dataclass(frozen=True)
class _Effective:
    """What an amount is worth of which only a part is unique: logs of (batch, n)."""

    log: Floats
    in_patience: Floats
    """Its derivative in log R*."""
    in_all: Floats
    """In the log of the amount."""
    in_unique: Floats
    """In the log of the unique part."""


def _effective(patience: Floats, unique: Floats, everything: Floats) -> _Effective:
    """patience: (batch, 1) log R*; unique, everything: (n,) or (batch, n) logs."""
    limit = np.exp(np.minimum(patience, 100.0))
    repeated = np.maximum(np.expm1(everything - unique), 0.0)
    gone = repeated / limit
    factor = 1 - limit * np.expm1(-gone)
    in_all = (1 + repeated) * np.exp(-gone) / factor
    in_patience = limit * (-np.expm1(-gone) - gone * np.exp(-gone)) / factor
    return _Effective(unique + np.log(factor), in_patience, in_all, 1 - in_all)
