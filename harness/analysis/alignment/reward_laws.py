"""What the true reward of an optimized policy is as a function of its distance, d = sqrt(KL(policy || reference)).

Gao, Schulman & Hilton 2022, arXiv 2210.10760, section 3.1: best-of-n gains d (alpha - beta d), reinforcement learning
d (alpha - beta log d), both from 0 at d = 0. The slope of the second is infinite at d = 0, so it is fitted away from
there. A law's input is a distance: `distances` puts it where laws of one quantity read theirs.
"""

from __future__ import annotations

import math

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law, Parameter
from harness.analysis.scaling.runs import Runs

_SOURCE = "Gao et al. 2022, arXiv 2210.10760, section 3.1"
_ANY = 1e6
"""A step of any length: both laws are linear in their parameters, so one is enough."""


class _RewardLaw(Law):
    parameters = (
        Parameter("alpha", "gain per distance to begin with", longest_step=_ANY),
        Parameter("beta", "what over-optimization takes", longest_step=_ANY),
    )
    inputs = ("compute",)
    response = "linear"
    source = _SOURCE

    def center(self, logs: Floats) -> Floats:
        """See `Law`: a distance can't be shifted."""
        return np.zeros(len(logs))

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: it is linear, so any start does."""
        size = float(np.abs(response).max()) or 1.0
        return np.array([[size, size], [-size, 3 * size]]) * 1.7


class LearnedReward(_RewardLaw):
    """Of reinforcement learning."""

    name = "learned_reward"
    formula = "R = d (alpha - beta log d)"

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        d = np.exp(logs[0])
        return _linear(internal, d, -d * logs[0])

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        d = np.exp(logs[0])
        a, b = internal[:, 0, None], internal[:, 1, None]
        return np.asarray(d * (a - b * logs[0]) - b * d)[:, None, :]


class BestOfNReward(_RewardLaw):
    """Of the best of n."""

    name = "best_of_n_reward"
    formula = "R = d (alpha - beta d)"

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        d = np.exp(logs[0])
        return _linear(internal, d, -(d**2))

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        d = np.exp(logs[0])
        return np.asarray(d * internal[:, 0, None] - 2 * internal[:, 1, None] * d**2)[:, None, :]


def _linear(internal: Floats, one: Floats, other: Floats) -> tuple[Floats, Floats]:
    shape = (len(internal), np.shape(one)[-1])
    derivative = np.stack([np.broadcast_to(one, shape), np.broadcast_to(other, shape)], axis=1)
    return np.einsum("bp,bpn->bn", internal, derivative), derivative


def distances(d: Floats, gain: Floats) -> Runs:
    """Policies as a law's runs. d: (n,) above 0; gain: (n,) reward over that of the reference."""
    return Runs(parameters=d, tokens=d, compute=d, loss=gain)


def peak_at(law: Law, alpha: float, beta: float) -> float | None:
    """The distance of the most reward; None where a law has no peak."""
    if beta <= 0 or (isinstance(law, BestOfNReward) and alpha <= 0):
        return None
    exponent = alpha / beta - 1
    if isinstance(law, BestOfNReward):
        return alpha / (2 * beta)
    return math.exp(exponent) if exponent < 50 else None
