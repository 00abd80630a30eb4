"""Parameters from elsewhere: optima are recognized in print, and what is none, or was never fitted, is called so."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from harness.analysis.scaling.fitting.examine import examine
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import HUBER, LAD, SQUARES, Objective
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.power_law import PowerLawWithFloor
from harness.analysis.scaling.laws.repeated_data import RepeatedData
from harness.analysis.scaling.runs import Runs, runs_from_frame
from harness.errors import UserError

Plant = Callable[..., Runs]
UNMOVED = np.array([1.0, 148.41, 0.1])
"""E, A, alpha as published in 9 of 15 fits of one paper and again in another: what their optimizer was started from."""


@pytest.fixture(scope="module")
def hoffmann(published: Callable[[str], pd.DataFrame]) -> Runs:
    """The points of Hoffmann et al. without the five that Besiroglu et al. leave out."""
    return runs_from_frame(published("epoch_chinchilla/svg_extracted_data.csv").iloc[5:])


def test_parameters_that_never_left_their_start_were_not_fitted(plant: Plant) -> None:
    law = PowerLawWithFloor("compute")
    runs = plant(law, (1.7, 2000.0, 0.17))
    found = examine(law, runs, UNMOVED, SQUARES, started_from=np.array([1.0, math.exp(5), 0.1]))
    assert found.moved == 0
    assert any("the optimizer did not move" in problem for problem in found.problems)
    assert "this is no optimum" in found.problems[0]
    assert found.excess > 1


def test_without_a_known_start_nothing_is_said_of_moving(plant: Plant) -> None:
    law = PowerLawWithFloor("compute")
    found = examine(law, plant(law, (1.7, 2000.0, 0.17)), UNMOVED, SQUARES)
    assert not any("did not move" in problem for problem in found.problems)
    assert found.problems  # it is still no optimum


def test_what_is_fitted_here_passes_even_in_print(plant: Plant) -> None:
    law = Chinchilla()
    runs = plant(law, (1.8, 480.0, 2000.0, 0.35, 0.36), n=100)
    printed = np.array([float(f"{value:.6g}") for value in fit(law, runs, HUBER).natural])
    found = examine(law, runs, printed, HUBER, started_from=np.array([1.0, 100.0, 100.0, 0.5, 0.5]))
    assert found.problems == ()
    assert found.excess < 1e-4


def test_another_number_of_parameters_is_refused(plant: Plant) -> None:
    law = Chinchilla()
    runs = plant(law, (1.8, 480.0, 2000.0, 0.35, 0.36))
    with pytest.raises(UserError, match="has the parameters E, A, B, alpha, beta: 5 numbers"):
        examine(law, runs, UNMOVED, HUBER)


@pytest.mark.parametrize(
    ("natural", "objective"),
    [
        ((1.81724, 477.84, 2143.86, 0.34731, 0.36718), HUBER),
        ((1.81686, 482.00572, 2085.43420, 0.34781, 0.36585), LAD),
    ],
    ids=["Huber", "least absolute deviations"],
)
def test_the_optima_of_besiroglu_are_optima(hoffmann: Runs, natural: tuple[float, ...], objective: Objective) -> None:
    """Analysis notebook, cells 18 and 25."""
    found = examine(Chinchilla(), hoffmann, np.array(natural), objective)
    assert not any("no optimum" in problem or "better" in problem for problem in found.problems)
    assert 0 <= found.excess < 2e-4


def test_the_parameters_of_hoffmann_are_no_optimum_of_their_points(hoffmann: Runs) -> None:
    found = examine(Chinchilla(), hoffmann, np.array([1.69, 406.4, 410.7, 0.34, 0.28]), HUBER)
    assert "this is no optimum" in found.problems[0]
    assert any("there is a better optimum" in problem for problem in found.problems)
    assert found.excess > 0.1


def test_the_parameters_of_muennighoff_are_an_optimum_but_not_the_best(
    published: Callable[[str], pd.DataFrame],
) -> None:
    runs = runs_from_frame(published("datablations_repetition/runs_fit182.csv"))
    found = examine(RepeatedData(), runs, np.array([15.387756, 5.309743]), HUBER)
    assert not any("no optimum" in problem for problem in found.problems)
    assert "there is a better optimum" in found.problems[0]
    assert found.excess == pytest.approx(0.01582594 / 0.01580466 - 1, abs=2e-5)
