"""Power laws of one quantity find planted parameters, and say when there is no floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import HUBER, SQUARES
from harness.analysis.scaling.laws.power_law import PowerLaw, PowerLawWithFloor
from harness.analysis.scaling.runs import Runs
from harness.analysis.scaling.suite import log_line
from harness.errors import UserError

Plant = Callable[..., Runs]


@pytest.mark.parametrize("over", ["parameters", "tokens", "compute"])
def test_a_planted_power_law_is_found(plant: Plant, over: str) -> None:
    law = PowerLaw(over)
    found = fit(law, plant(law, (20.0, 0.08)), HUBER)
    assert found.named["alpha"] == pytest.approx(0.08, abs=0.001)
    assert found.named["A"] == pytest.approx(20.0, rel=0.03)
    assert not found.certificate.problems


def test_least_squares_of_the_log_is_the_straight_line(plant: Plant) -> None:
    law = PowerLaw("tokens")
    runs = plant(law, (20.0, 0.08), noise=0.1)
    exponent, log_scale = log_line.least_squares(runs.tokens, runs.loss)
    found = fit(law, runs, SQUARES).named
    assert found["alpha"] == pytest.approx(float(exponent), rel=1e-9)
    assert found["A"] == pytest.approx(np.exp(float(log_scale)), rel=1e-9)


def test_a_planted_floor_is_found_from_every_start(plant: Plant) -> None:
    law = PowerLawWithFloor("compute")
    found = fit(law, plant(law, (1.7, 2000.0, 0.17)), HUBER)
    assert found.named["E"] == pytest.approx(1.7, abs=0.03)
    assert found.named["alpha"] == pytest.approx(0.17, abs=0.01)
    assert found.certificate.reached > 0.9
    assert not found.certificate.problems


def test_a_floor_that_is_not_there_is_at_its_bound(plant: Plant) -> None:
    runs = plant(PowerLaw("compute"), (20.0, 0.05), noise=0.0)
    found = fit(PowerLawWithFloor("compute"), runs, SQUARES)
    assert "E" in found.certificate.bounds


def test_an_unknown_quantity_is_named() -> None:
    with pytest.raises(UserError, match="no law is over 'parameter'; did you mean 'parameters'"):
        PowerLaw("parameter")
