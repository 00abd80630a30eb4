"""Kaplan et al.'s joint law: planted parameters, limits, and their own figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.analysis.scaling.allocation import compute_exponent
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import HUBER
from harness.analysis.scaling.laws.kaplan import Kaplan
from harness.analysis.scaling.runs import Runs

PUBLISHED = (6.4e13, 1.8e13, 0.076, 0.103)
"""Table 2 of arXiv 2001.08361: N_c, D_c, alpha_N, alpha_D of the joint fit."""


def test_planted_parameters_are_found(plant: Callable[..., Runs]) -> None:
    law = Kaplan()
    found = fit(law, plant(law, PUBLISHED, n=100), HUBER)
    assert found.named["alpha_N"] == pytest.approx(0.076, abs=0.002)
    assert found.named["alpha_D"] == pytest.approx(0.103, abs=0.003)
    assert np.log(found.named["Nc"] / PUBLISHED[0]) == pytest.approx(0, abs=0.4)
    assert np.log(found.named["Dc"] / PUBLISHED[1]) == pytest.approx(0, abs=0.4)
    assert found.certificate.reached > 0.9
    assert not found.certificate.problems


def test_with_endless_data_it_is_the_law_of_the_size() -> None:
    sizes = np.array([1e7, 1e9])
    loss = Kaplan().predict(np.array(PUBLISHED), sizes, np.array([1e30, 1e30]))
    np.testing.assert_allclose(loss, (6.4e13 / sizes) ** 0.076, rtol=1e-6)
    assert loss[0] == pytest.approx(3.29, abs=0.01)


def test_the_optimum_grows_with_the_exponents_of_the_terms() -> None:
    ratio = 0.076 / 0.103
    exponent = compute_exponent(Kaplan(), np.array([PUBLISHED]), 1e21)
    assert exponent[0] == pytest.approx(1 / (1 + ratio), abs=1e-6)
