"""Falls from a peak: how often they are found where there is none, and where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.fall_from_peak import Fall, fall_from_peak, halves
from harness.statistics.multiplicity import holm

RISING = np.sqrt(np.linspace(0, 5, 9))
FALLING = np.array([0, 0.5, 0.9, 1.1, 1.2, 1.1, 0.9, 0.6, 0.4])


def curves(means: NDArray[np.float64], seed: int, units: int = 60) -> NDArray[np.float64]:
    """Units of their own difficulty, and noise on every point."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=(units, 1)) + means + draw.normal(size=(units, len(means)))


def found(fall: Fall, level: float = 0.05) -> bool:
    return fall.p < level and fall.fall.value > 0


def test_curves_that_only_rise_show_no_fall() -> None:
    assert sum(found(fall_from_peak(curves(RISING, seed))) for seed in range(100)) <= 5


def test_noise_alone_shows_no_fall() -> None:
    assert sum(found(fall_from_peak(curves(np.zeros(9), seed))) for seed in range(400)) <= 20


def test_known_bad_a_peak_tested_on_what_chose_it_is_found_in_noise() -> None:
    wrong = 0
    for seed in range(400):
        scores = curves(np.zeros(9), seed)
        peak = int(scores.mean(0).argmax())
        wrong += peak != 8 and stats.ttest_rel(scores[:, peak], scores[:, -1]).pvalue < 0.05
    assert wrong > 40


def test_a_planted_fall_is_found_and_where_it_begins() -> None:
    falls = [fall_from_peak(curves(FALLING, seed)) for seed in range(100)]
    assert sum(map(found, falls)) >= 75
    assert np.median([one.peak for one in falls]) == pytest.approx(4, abs=1)
    assert np.mean([one.fall.value for one in falls]) == pytest.approx(0.75, abs=0.1)


def test_the_smallest_fall_is_found_four_times_of_five() -> None:
    """Peak and end alone differ, so every draw chooses the same peak."""
    smallest = float(np.mean([fall_from_peak(curves(np.zeros(2), seed)).smallest() for seed in range(200)]))
    means = np.array([smallest, 0.0])
    shown = [found(one) for seed in range(1000, 1400) if not (one := fall_from_peak(curves(means, seed))).peak]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.06)
    one = fall_from_peak(curves(means, 0))
    assert one.smallest(0.01) > one.smallest(0.05) > one.smallest(0.05, 0.5)


def test_the_test_is_scipys_on_the_half_that_did_not_choose() -> None:
    scores = curves(FALLING, 3)
    one, tested = fall_from_peak(scores), halves(60)
    assert tested.sum() == 30 and one.peak == scores[~tested].mean(0).argmax()
    wanted = stats.ttest_rel(scores[tested, one.peak], scores[tested, -1])
    assert one.p == pytest.approx(wanted.pvalue)
    assert (one.fall.low, one.fall.high) == pytest.approx(tuple(wanted.confidence_interval()))


def test_a_curve_whose_end_is_its_peak_has_no_fall() -> None:
    one = fall_from_peak(curves(np.arange(9.0) * 3, 0))
    assert (one.peak, one.fall.value, one.p) == (8, 0.0, 1.0) and one.error > 0
    equal = fall_from_peak(np.zeros((10, 3)))
    assert equal.p == 1.0 and equal.smallest() == 0.0


@pytest.mark.parametrize("scores", [np.zeros((7, 3)), np.zeros((9, 1)), np.full((9, 3), np.nan), np.zeros(9)])
def test_what_has_no_fall_is_refused(scores: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="a fall needs"):
        fall_from_peak(scores)


def test_holm_is_the_slow_procedure() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        p = draw.uniform(size=6) ** 4
        for level in (0.01, 0.05, 0.2):
            rejected: set[int] = set()
            for rank, at in enumerate(np.argsort(p)):  # step down until one is not small enough
                if p[at] >= level / (6 - rank):
                    break
                rejected.add(int(at))
            assert set(np.flatnonzero(holm(p) < level).tolist()) == rejected
    assert holm([0.01, 0.04]).tolist() == [0.02, 0.04]
    assert holm([0.01, 0.04], tests=10).tolist() == pytest.approx([0.1, 0.36])
    for wrong in ([2.0], [np.nan]):
        with pytest.raises(ValueError, match="p-values"):
            holm(wrong)
    with pytest.raises(ValueError, match="no fewer"):
        holm([0.1, 0.2], tests=1)
