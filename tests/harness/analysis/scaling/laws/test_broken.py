"""The broken law finds a planted break, is a power law where there is none, and says when the break is not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import HUBER
from harness.analysis.scaling.laws.broken import Broken
from harness.analysis.scaling.laws.power_law import PowerLaw, PowerLawWithFloor
from harness.analysis.scaling.runs import Runs

Plant = Callable[..., Runs]


@pytest.mark.parametrize(("c0", "c1"), [(0.05, 0.3), (0.25, -0.2)])
def test_a_planted_break_is_found(plant: Plant, c0: float, c1: float) -> None:
    law = Broken("compute")
    scale = 1.0 * (1e20) ** c0
    found = fit(law, plant(law, (0.2, scale, c0, c1, 1e20, 0.5), n=200, noise=0.003), HUBER)
    assert found.named["c0"] == pytest.approx(c0, abs=0.03)
    assert found.named["c1"] == pytest.approx(c1, abs=0.06)
    assert np.log10(found.named["d1"]) == pytest.approx(20, abs=0.2)
    assert found.certificate.imbalance < 1e-6


def test_without_a_change_it_is_the_power_law_with_a_floor() -> None:
    x = np.geomspace(1e17, 1e23, 9)
    broken = Broken("compute").predict(np.array([1.7, 30.0, 0.07, 0.0, 1e20, 1.0]), x)
    np.testing.assert_allclose(broken, PowerLawWithFloor("compute").predict(np.array([1.7, 30.0, 0.07]), x), rtol=1e-12)


def test_far_from_the_break_it_has_the_two_slopes() -> None:
    natural = np.array([1e-300, 5.0, 0.1, 0.3, 1e20, 0.5])
    slopes = Broken("compute").gradient(natural, np.array([1e10, 1e30]))
    values = Broken("compute").predict(natural, np.array([1e10, 1e30]))
    np.testing.assert_allclose(-slopes[0] / values, [0.1, 0.4], rtol=1e-6)


def test_a_break_that_is_not_there_is_called_out(plant: Plant) -> None:
    found = fit(Broken("compute"), plant(PowerLaw("compute"), (20.0, 0.05)), HUBER)
    assert found.certificate.problems
