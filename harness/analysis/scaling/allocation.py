"""What a fitted law says to do with a budget: how many parameters, how many tokens, what loss, what it takes.

Where a law has a closed form it is used; every other law is solved along the line C = 6ND, where one more e-fold of
parameters costs one e-fold of tokens: the optimum is where both lower the loss equally.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import FLOPS_PER_TOKEN

LOWEST, HIGHEST = np.log(1e2), np.log(1e18)
"""Logs of the parameters among which an optimum is looked for."""
HALVINGS = 60


def optimum(law: Law, natural: Floats, compute: Floats) -> tuple[Floats, Floats]:
    """Parameters and tokens with the lowest loss for a budget of `compute` FLOPs.

    natural: (..., p), compute: (n,) or (..., n). Two arrays (..., n); not a number where the law
    has no optimum inside 1e2 to 1e18, or rises with size or tokens: its closed form would be that of the worst size.
    """
    closed = getattr(law, "allocation", None)
    if closed is not None:
        size, tokens = closed(natural, np.asarray(compute, dtype=np.float64))
        rises = _rises(law, natural)
        return np.where(rises, np.nan, size), np.where(rises, np.nan, tokens)
    return numeric_optimum(law, natural, compute)


def _rises(law: Law, natural: Floats) -> Floats:
    """Whether an exponent of the law is at its limit or beyond it: (..., 1)."""
    lowest = np.array([-np.inf if parameter.lowest is None else parameter.lowest for parameter in law.parameters])
    return np.asarray((np.asarray(natural) <= lowest).any(axis=-1, keepdims=True))


def numeric_optimum(law: Law, natural: Floats, compute: Floats) -> tuple[Floats, Floats]:
    """The same by bisection, for any law of parameters and tokens: the oracle of the closed forms."""
    if law.inputs[:2] != ("parameters", "tokens"):
        raise ValueError(f"{law.name} is no law of parameters and tokens: it has no allocation")
    budget = np.log(np.atleast_1d(np.asarray(compute, dtype=np.float64)) / FLOPS_PER_TOKEN)
    shape = np.broadcast_shapes(budget.shape, (*np.shape(natural)[:-1], 1))

    def excess(log_size: Floats) -> Floats:
        """How much more one e-fold of tokens brings than one of parameters: rises with size."""
        return _along(law, natural, log_size, budget)

    log_size = _bisect(excess, shape)
    return np.exp(log_size), np.exp(budget - log_size)


def loss_at_optimum(law: Law, natural: Floats, compute: Floats) -> Floats:
    """The law's value at the optimum of each budget: (..., n)."""
    size, tokens = optimum(law, natural, compute)
    return _paired(law, natural, size, tokens)


def tokens_for(law: Law, natural: Floats, loss: float, parameters: float) -> Floats:
    """Tokens that a model of that size needs for the loss: (...). Infinite where it never gets there."""

    def short(log_tokens: Floats) -> Floats:
        size = np.full(log_tokens.shape, float(parameters))
        return loss - _paired(law, natural, size, np.exp(log_tokens))

    return _first(short, np.shape(natural)[:-1], np.log(1e3), np.log(1e30))


def compute_for(law: Law, natural: Floats, loss: float) -> Floats:
    """FLOPs of the compute-optimal training that reaches the loss: (...). Infinite where none does."""

    def short(log_compute: Floats) -> Floats:
        return loss - loss_at_optimum(law, natural, np.exp(log_compute)[..., None])[..., 0]

    return _first(short, np.shape(natural)[:-1], np.log(1e6), np.log(1e40))


def compute_exponent(law: Law, natural: Floats, compute: float) -> Floats:
    """a of N* ∝ C^a at that budget: (...). For the law of Hoffmann et al. it is beta / (alpha + beta) everywhere."""
    size, _ = optimum(law, natural, np.array([compute * 0.99, compute * 1.01]))
    return np.asarray(np.log(size[..., 1] / size[..., 0]) / np.log(1.01 / 0.99))


def _paired(law: Law, natural: Floats, size: Floats, tokens: Floats) -> Floats:
    """The law at points of each draw's own. natural: (..., p); size, tokens: (...) or (..., n)."""
    with np.errstate(all="ignore"):  # an optimum that is nowhere has a loss that is no number
        plain, logs = _own_points(law, natural, np.log(size), np.log(tokens))
        response = law.evaluate(plain, logs)[0]
        return (np.exp(response) if law.response == "log" else response).reshape(np.shape(size))


def _along(law: Law, natural: Floats, log_size: Floats, budget: Floats) -> Floats:
    """Slope of the response in the size minus that in the tokens, which are new ones all: (..., n)."""
    slopes = law.slopes(*_own_points(law, natural, log_size, budget - log_size))
    excess: Floats = slopes[:, 0] - slopes[:, 1:].sum(axis=1)
    return excess.reshape(log_size.shape)


def _own_points(law: Law, natural: Floats, log_size: Floats, log_tokens: Floats) -> tuple[Floats, Floats]:
    """Plain parameters (draws, p) and logs of the inputs (inputs, draws, n). No token is read twice."""
    plain = law.plain(np.reshape(natural, (-1, np.shape(natural)[-1])))
    given = {"parameters": log_size, "tokens": log_tokens, "unique_tokens": log_tokens}
    return plain, np.stack([np.reshape(given[name], (len(plain), -1)) for name in law.inputs])


def _bisect(rising: Callable[[Floats], Floats], shape: tuple[int, ...]) -> Floats:
    """Where a rising function crosses 0 between LOWEST and HIGHEST; not a number where it does not."""
    outside = (rising(np.full(shape, LOWEST)) > 0) | (rising(np.full(shape, HIGHEST)) < 0)
    return np.where(outside, np.nan, _halved(rising, shape, LOWEST, HIGHEST))


def _first(short: Callable[[Floats], Floats], shape: tuple[int, ...], lowest: float, highest: float) -> Floats:
    """Where a function that rises with the log of an amount first reaches 0, as the amount."""
    never = ~(short(np.full(shape, highest)) >= 0)
    return np.where(never, np.inf, np.exp(_halved(short, shape, lowest, highest)))


def _halved(rising: Callable[[Floats], Floats], shape: tuple[int, ...], lowest: float, highest: float) -> Floats:
    """Where a rising function crosses 0, by halving the space between two ends."""
    low, high = np.full(shape, lowest), np.full(shape, highest)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = rising(middle) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
