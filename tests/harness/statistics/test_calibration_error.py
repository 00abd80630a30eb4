"""Expected calibration error: by hand, on perfect and on boastful judges, and as the reference computes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.statistics.calibration_error import calibration_error
from reference_impl.alignment.calibration import calibration


def test_by_hand() -> None:
    found = calibration_error([0.95, 0.95, 0.55, 0.55], [1, 0, 1, 0], list("abcd"), low=0.5)
    assert found.value == pytest.approx((2 * 0.45 + 2 * 0.05) / 4)
    assert found.n == 4 and found.low is not None and found.high is not None


def test_a_judge_that_knows_how_sure_it_is_has_little_and_a_boastful_one_much() -> None:
    draw = np.random.default_rng(0)
    sure = draw.uniform(0.5, 1, 4000)
    right = (draw.uniform(size=4000) < sure).astype(float)
    honest = calibration_error(sure, right, range(4000), low=0.5)
    boastful = calibration_error(np.full(4000, 0.99), right, range(4000), low=0.5)
    assert honest.value < 0.03
    assert boastful.low is not None and boastful.low > 0.2


def test_as_the_reference_computes_it() -> None:
    draw = np.random.default_rng(1)
    margins = draw.normal(size=300)
    clusters = [int(one) for one in draw.integers(0, 40, 300)]
    theirs = calibration(torch.tensor(margins), clusters)
    sure = 1 / (1 + np.exp(-np.abs(margins)))
    ours = calibration_error(sure, (margins > 0).astype(float), clusters, low=0.5)
    assert ours.value == pytest.approx(theirs.error)
    assert ours.low == pytest.approx(theirs.low) and ours.high == pytest.approx(theirs.high)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="an answer at least"):
        calibration_error([], [], [])
    with pytest.raises(ValueError, match="an answer at least"):
        calibration_error([0.5], [1, 0], ["a"])
    assert calibration_error([0.9, 0.8], [1, 0], ["a", "a"]).low is None
