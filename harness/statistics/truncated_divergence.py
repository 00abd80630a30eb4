"""How far one distribution is from another, of each of which only the likeliest outcomes are known and the mass of the
rest.

Outcomes that both lists hold are kept apart; all others are put together into one. Divergence never grows when outcomes
are put together (the data-processing inequality), so that what is computed is a lower bound of KL(p || q) over all
outcomes. It is tight where the lists hold nearly all of the mass, and exact where they hold all outcomes.

Source: Cover & Thomas, Elements of Information Theory, 2nd ed., sections 2.7 and 2.8 (log sum inequality, data
processing).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Truncated(NamedTuple):
    """Distributions at n places, the k likeliest outcomes of each."""

    ids: NDArray[np.int64]
    """(n, k) which outcomes."""
    log_probs: Floats
    """(n, k) their log-probabilities, in nats."""
    rest: Floats
    """(n,) logarithm of the mass of all others; -inf where there are none."""


def divergence_bound(p: Truncated, q: Truncated) -> Floats:
    """A lower bound of KL(p || q) in nats at each place: (n,), never negative; 0 where the two are the same.

    ValueError for other numbers of places.
    """
    if len(p.ids) != len(q.ids):
        raise ValueError(f"{len(p.ids)} and {len(q.ids)} places can't be compared")
    same = p.ids[:, :, None] == q.ids[:, None, :]  # (n, k of p, k of q)
    in_both, of_q = same.any(axis=2), same.argmax(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_q = np.take_along_axis(q.log_probs, of_q, axis=1)
        kept = np.where(in_both, np.exp(p.log_probs) * (p.log_probs - log_q), 0.0)
        p_else = _else(p, in_both)
        q_else = _else(q, same.any(axis=1))
        together = np.where(np.isneginf(p_else), 0.0, np.exp(p_else) * (p_else - q_else))
    # an outcome without mass adds nothing, whatever the other says
    kept = np.where(in_both & np.isneginf(p.log_probs), 0.0, kept)
    return np.asarray(np.maximum(kept.sum(axis=1) + together, 0.0), dtype=np.float64)


def _else(known: Truncated, kept: NDArray[np.bool_]) -> Floats:
    """Logarithm of the mass of all outcomes that are not kept apart: (n,)."""
    left = np.where(kept, -np.inf, known.log_probs)
    return np.asarray(np.logaddexp(np.logaddexp.reduce(left, axis=1), known.rest), dtype=np.float64)
