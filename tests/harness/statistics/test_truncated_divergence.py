"""A divergence of truncated distributions against the whole one, on random logits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.statistics.truncated_divergence import Truncated, divergence_bound

Floats = NDArray[np.float64]


def logs(logits: Floats) -> Floats:
    return logits - np.logaddexp.reduce(logits, axis=1)[:, None]


def truncated(log_probs: Floats, k: int) -> Truncated:
    order = np.argsort(-log_probs, axis=1)
    top, rest = order[:, :k], order[:, k:]
    mass = np.logaddexp.reduce(np.take_along_axis(log_probs, rest, 1), axis=1, initial=-np.inf)
    return Truncated(top, np.take_along_axis(log_probs, top, 1), mass)


def whole(p: Floats, q: Floats) -> Floats:
    return np.asarray((np.exp(p) * (p - q)).sum(axis=1))


@pytest.mark.parametrize(("sharpness", "change"), [(1.0, 0.1), (4.0, 1.0), (0.1, 3.0)])
def test_it_is_never_above_the_whole_divergence(sharpness: float, change: float) -> None:
    generator = np.random.default_rng(0)
    logits = sharpness * generator.normal(size=(200, 500))
    p, q = logs(logits), logs(logits + change * generator.normal(size=logits.shape))
    bound = divergence_bound(truncated(p, 64), truncated(q, 64))
    assert (bound <= whole(p, q) + 1e-12).all() and (bound >= 0).all()


def test_it_is_exact_where_all_is_known_and_near_where_most_is() -> None:
    generator = np.random.default_rng(1)
    logits = 3.0 * generator.normal(size=(100, 300))
    p, q = logs(logits), logs(logits + 0.3 * generator.normal(size=logits.shape))
    assert divergence_bound(truncated(p, 300), truncated(q, 300)) == pytest.approx(whole(p, q), abs=1e-12)
    near = divergence_bound(truncated(p, 64), truncated(q, 64))
    assert near.mean() > 0.8 * whole(p, q).mean()


def test_what_the_head_expects_and_the_base_does_not_is_in_the_rest() -> None:
    """By hand: (0.9, rest 0.1) and (0.5 elsewhere, 0.2 here, rest 0.3) leave (0.9, 0.1) against (0.2, 0.8)."""
    p = Truncated(np.array([[3]]), np.log([[0.9]]), np.log([0.1]))
    q = Truncated(np.array([[7, 3]]), np.log([[0.5, 0.2]]), np.log([0.3]))
    expected = 0.9 * np.log(0.9 / 0.2) + 0.1 * np.log(0.1 / 0.8)
    assert divergence_bound(p, q) == pytest.approx([expected])


def test_ends() -> None:
    p = truncated(logs(np.random.default_rng(2).normal(size=(5, 90))), 64)
    assert (divergence_bound(p, p) == 0).all()
    sure = Truncated(np.array([[0, 1]]), np.array([[0.0, -np.inf]]), np.array([-np.inf]))
    other = Truncated(np.array([[1, 0]]), np.array([[0.0, -np.inf]]), np.array([-np.inf]))
    assert divergence_bound(sure, sure) == 0 and np.isinf(divergence_bound(sure, other))
    with pytest.raises(ValueError, match="places"):
        divergence_bound(p, sure)
