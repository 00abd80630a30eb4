"""Line against hinge: against weighted least squares break by break, under its null, and on curves that do break."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.smooth_or_hinge import hinge_test

X = np.linspace(0, 6, 7)
SHARED = 0.02 * (0.5 * np.ones((7, 7)) + 0.5 * np.eye(7))


def _chi_square(covariance: np.ndarray, column: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    """What generalised least squares on a constant and a column leaves, and the column's slope."""
    design, precision = np.stack([np.ones(len(z)), column], axis=1), np.linalg.inv(covariance)
    beta = np.linalg.solve(design.T @ precision @ design, design.T @ precision @ z)
    left = z - design @ beta
    return float(left @ precision @ left), float(beta[1])


@pytest.mark.parametrize("seed", range(5))
def test_the_gain_is_that_of_the_best_rising_hinge(seed: int) -> None:
    z = np.random.default_rng(seed).multivariate_normal(np.maximum(0, X - 3.3) * 0.5, SHARED)
    hinges = [_chi_square(SHARED, np.maximum(0, X - c), z) for c in np.linspace(X[1], X[-2], 60)]
    least = min(left for left, slope in hinges if slope > 0)
    wanted = (_chi_square(SHARED, X, z)[0] - least) / max(1.0, least / 4)
    assert hinge_test(X, z, SHARED, replicates=10).gain == pytest.approx(wanted)


def test_lines_seldom_break_and_hinges_do() -> None:
    generator = np.random.default_rng(0)
    false = [hinge_test(X, generator.multivariate_normal(0.3 * X, SHARED), SHARED, 199).p_value for _ in range(100)]
    assert 0.0 <= np.mean(np.array(false) <= 0.05) <= 0.12
    true = [
        hinge_test(X, generator.multivariate_normal(np.maximum(0, X - 3.4), SHARED), SHARED, 199) for _ in range(20)
    ]
    assert np.mean([found.p_value <= 0.05 for found in true]) == 1.0
    assert np.mean([found.at for found in true]) == pytest.approx(3.4, abs=0.2)


def test_what_falls_is_no_break() -> None:
    found = hinge_test(X, -X, SHARED, replicates=20)
    assert found.gain == -np.inf and found.p_value == 1.0
    with pytest.raises(ValueError, match="at least four"):
        hinge_test(X[:3], X[:3], SHARED[:3, :3])
