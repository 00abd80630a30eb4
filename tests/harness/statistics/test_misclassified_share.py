"""A share behind a classifier that errs: the formula by hand, its limits, and coverage by simulation."""

import numpy as np
import pytest

from harness.statistics.misclassified_share import Errors, corrected_share


def test_the_point_is_rogan_and_gladens() -> None:
    errors = Errors(found=90, positive=100, passed=80, negative=100)
    found = corrected_share(0.41, 100, errors)
    assert found.value == pytest.approx((0.41 + 0.8 - 1) / (0.9 + 0.8 - 1))
    assert found.low is not None and found.high is not None and found.low < found.value < found.high


def test_a_perfect_classifier_changes_nothing_but_the_width() -> None:
    sure = corrected_share(0.3, 100, Errors(10_000, 10_000, 10_000, 10_000))
    unsure = corrected_share(0.3, 100, Errors(20, 20, 20, 20))
    assert sure.value == unsure.value == pytest.approx(0.3)
    assert unsure.high - unsure.low > sure.high - sure.low  # type: ignore[operator]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_ends_stay_within_bounds(share: float) -> None:
    found = corrected_share(share, 25, Errors(50, 60, 55, 60))
    assert 0 <= found.low <= found.value == share <= found.high <= 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("share", "n", "errors"),
    [
        (0.5, 0, Errors(9, 10, 9, 10)),
        (1.1, 10, Errors(9, 10, 9, 10)),
        (0.5, 10, Errors(0, 0, 9, 10)),
        (0.5, 10, Errors(5, 10, 5, 10)),
        (0.5, 10, Errors(1, 10, 2, 10)),
    ],
)
def test_what_says_nothing_is_refused(share: float, n: float, errors: Errors) -> None:
    with pytest.raises(ValueError, match=r"units|guessing"):
        corrected_share(share, n, errors)


@pytest.mark.parametrize("truth", [0.0, 0.1, 0.5, 1.0])
def test_it_covers_the_truth_and_the_uncorrected_share_does_not(truth: float) -> None:
    generator = np.random.default_rng(0)
    covered, raw = 0, 0.0
    for _ in range(400):
        errors = Errors(generator.binomial(60, 0.8), 60, generator.binomial(60, 0.95), 60)
        said = generator.binomial(100, truth * 0.8 + (1 - truth) * 0.05) / 100
        found = corrected_share(said, 100, errors)
        covered += found.low <= truth <= found.high  # type: ignore[operator]
        raw += said / 400
    assert covered / 400 >= 0.93
    if truth in (0.0, 1.0):
        assert abs(raw - truth) > 0.03  # what is corrected is there
