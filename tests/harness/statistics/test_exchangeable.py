"""The rank of a difference among those of identical pairs: its level under any noise, and its power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from harness.statistics.exchangeable import chance_of, needed, smallest_unlikely

REPLICATES = 20_000


def test_a_difference_beyond_all_known_ones() -> None:
    assert chance_of(0.5, [0.1, -0.2, 0.3]) == 1 / 4
    assert chance_of(0.2, [0.1, -0.2, 0.3]) == 3 / 4, "a tie counts against it"
    assert chance_of(0.5, []) == 1
    with pytest.raises(ValueError, match="no number"):
        chance_of(float("nan"), [0.1])
    with pytest.raises(ValueError, match="no number"):
        chance_of(0.1, [float("nan")])


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.002])
def test_what_is_needed_and_what_is_seen_agree_with_the_chance(alpha: float) -> None:
    known = np.random.default_rng(0).normal(0, 0.05, needed(alpha))
    seen = smallest_unlikely(known, alpha)
    assert seen is not None and seen == np.abs(known).max()
    assert chance_of(np.nextafter(seen, 1), known) <= alpha < chance_of(seen, known)
    assert smallest_unlikely(known[1:], alpha) is None and chance_of(9.0, known[1:]) > alpha
    assert needed(0.01) == 99 and needed(0.05) == 19
    many = np.random.default_rng(1).normal(0, 0.05, 4 * needed(alpha) + 3)
    at = smallest_unlikely(many, alpha)
    assert at is not None and chance_of(np.nextafter(at, 1), many) <= alpha < chance_of(at, many)


@pytest.mark.parametrize("noise", ["normal", "cauchy", "bursts", "ties"])
@pytest.mark.parametrize("pairs", [9, 19, 40])
def test_identical_pairs_are_seldom_beyond_the_largest(noise: str, pairs: int) -> None:
    """The chance is at most 1 / (n + 1), and of a p-value of 0.1 at most 0.1, whatever the noise is like."""
    rng = np.random.default_rng([pairs, len(noise)])
    drawn = {
        "normal": rng.normal(0, 0.1, (REPLICATES, pairs + 1)),
        "cauchy": 0.1 * rng.standard_cauchy((REPLICATES, pairs + 1)),
        "bursts": rng.normal(0, 0.02, (REPLICATES, pairs + 1))
        + rng.choice([0, 0.4, -0.4], (REPLICATES, pairs + 1), p=[0.9, 0.05, 0.05]),
        "ties": rng.integers(-2, 3, (REPLICATES, pairs + 1)) / 10,
    }[noise]
    # a machine whose noise comes and goes: pairs of one replicate share its size, and stay exchangeable
    drawn *= np.exp(rng.normal(0, 1, (REPLICATES, 1)))
    known, new = np.abs(drawn[:, :-1]), drawn[:, -1]
    beyond = float(np.mean(new > known.max(axis=1)))
    assert beyond <= 1 / (pairs + 1) + 3 * np.sqrt(1 / (pairs + 1) / REPLICATES)
    p = (1 + (known >= new[:, None]).sum(axis=1)) / (pairs + 1)
    assert float(np.mean(p <= 0.1)) <= 0.1 + 3 * np.sqrt(0.1 / REPLICATES)
    assert chance_of(float(new[0]), known[0]) == p[0]


def test_known_bad_pairs_that_share_a_run_are_not_exchangeable() -> None:
    """Why a run is in one pair of the ledger alone: pairs that share an odd run look alike."""
    rng = np.random.default_rng(5)
    runs = rng.normal(0, 0.1, (REPLICATES, 12))
    sharing = runs[:, 1:11] - runs[:, [0]]  # ten pairs, all with the first run
    new = runs[:, 11] - runs[:, 10]
    disjoint = runs[:, 1:11:2] - runs[:, :10:2]
    assert float(np.mean(np.abs(new) > np.abs(disjoint).max(axis=1))) <= 1 / 6 + 0.01
    p = (1 + (np.abs(sharing) >= np.abs(new)[:, None]).sum(axis=1)) / 11
    assert float(np.mean(p <= 1 / 11)) > 1 / 11 + 0.02


def test_the_level_holds_on_a_machine_that_drifts_where_intervals_of_runs_fail() -> None:
    """Launches of stored runs drift together (autocorrelation 0.85 from one to the next, sd 0.2, as on a shared machine
    of two cores): runs of identical code, one after the other, five launches each."""
    rng = np.random.default_rng(11)
    replicates, pairs, launches = 4000, 99, 5
    steps = rng.normal(0, 0.2 * np.sqrt(1 - 0.85**2), (2 * (pairs + 1) * launches, replicates))
    drift = np.empty_like(steps)
    drift[0] = rng.normal(0, 0.2, replicates)
    for step in range(1, len(steps)):
        drift[step] = 0.85 * drift[step - 1] + steps[step]
    runs = drift.reshape(2 * (pairs + 1), launches, replicates)
    medians = np.median(runs, axis=1)
    differences = medians[1::2] - medians[::2]
    known, new = np.abs(differences[:-1]), differences[-1]
    p = (1 + (known >= new).sum(axis=0)) / (pairs + 1)
    assert float(np.mean(p <= 0.01)) <= 0.01 + 3 * np.sqrt(0.01 / replicates)
    slower = ttest_ind(runs[-1], runs[-2], alternative="greater").pvalue
    assert float(np.mean(slower <= 0.01)) > 0.1 and float(np.mean(slower <= 0.05)) > 0.2, "known bad: their intervals"


def test_a_slowdown_that_is_large_beside_the_noise_is_found() -> None:
    rng = np.random.default_rng(9)
    known, new = rng.normal(0, 0.02, (2000, 99)), rng.normal(np.log(1.2), 0.02, 2000)
    found = [chance_of(float(one), many) <= 0.01 for one, many in zip(new, known, strict=True)]
    assert np.mean(found) > 0.99
