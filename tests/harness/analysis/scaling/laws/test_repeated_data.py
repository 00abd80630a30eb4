"""The data-constrained law: planted parameters, limits, and Muennighoff et al.'s own runs, where it is undetermined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from harness.analysis.scaling.allocation import optimum
from harness.analysis.scaling.fitting.fit import Fit, fit
from harness.analysis.scaling.fitting.objective import HUBER
from harness.analysis.scaling.fitting.profile import profile
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.laws.repeated_data import PUBLISHED_BASE, RepeatedData
from harness.analysis.scaling.runs import Runs, runs_from_frame
from harness.errors import UserError

PUBLISHED = np.array([15.387756, 5.309743])
"""R_D* and R_N*, cell 29 of utils/parametric_fit.ipynb."""


@pytest.fixture(scope="module")
def runs(published: Callable[[str], pd.DataFrame]) -> Runs:
    return runs_from_frame(published("datablations_repetition/runs_fit182.csv"))


@pytest.fixture(scope="module")
def refit(runs: Runs) -> Fit:
    return fit(RepeatedData(), runs, HUBER)


def test_planted_parameters_are_found(plant: Callable[..., Runs]) -> None:
    law = RepeatedData()
    found = fit(law, plant(law, (15.0, 5.0), n=150, epochs=100), HUBER)
    assert found.named["R_D*"] == pytest.approx(15, rel=0.05)
    assert found.named["R_N*"] == pytest.approx(5, rel=0.05)
    assert profile(found, "R_D*", low=10, high=20, points=5).identified


def test_without_repetition_it_is_the_law_of_the_base() -> None:
    size, tokens = np.array([1e7, 1e9]), np.array([1e10, 1e12])
    plain = Chinchilla().predict(np.array(PUBLISHED_BASE), size, tokens)
    np.testing.assert_allclose(RepeatedData().predict(PUBLISHED, size, tokens, tokens), plain, rtol=1e-12)
    more = RepeatedData().predict(PUBLISHED, size, tokens, 10 * tokens)
    np.testing.assert_allclose(more, plain, rtol=1e-12)  # text that was never read teaches nothing


def test_a_token_is_worth_less_each_time() -> None:
    law, size = RepeatedData(), 3e7  # fewer parameters than 1e9 tokens fill
    loss = law.predict(PUBLISHED, np.full(3, size), np.array([4e9, 4e9, 4e15]), np.array([4e9, 1e9, 1e9]))
    assert loss[0] < loss[1]
    # endless reading is worth as much as 1 + R_D* times the text
    endless = Chinchilla().predict(law.base, np.array([size]), np.array([1e9 * (1 + PUBLISHED[0])]))
    assert loss[2] == pytest.approx(endless[0], rel=1e-9)


def test_with_endless_text_the_optimum_is_that_of_the_base() -> None:
    law = RepeatedData()
    size, tokens = law.optimum(PUBLISHED, 1e21, unique_tokens=1e15)
    base = optimum(Chinchilla(), law.base, np.array([1e21]))
    assert size == pytest.approx(base[0][0], rel=1e-3)
    scarce = law.optimum(PUBLISHED, 1e21, unique_tokens=1e9)
    assert scarce[1] > 2 * tokens * 1e9 / 1e15 and scarce[1] > 10e9  # it reads the text again, more than ten times
    assert 6 * scarce[0] * scarce[1] == pytest.approx(1e21)
    best = law.predict(PUBLISHED, *(np.array([item]) for item in (*scarce, 1e9)))
    around = np.array([0.9, 1.1])
    assert (law.predict(PUBLISHED, scarce[0] * around, scarce[1] / around, np.array([1e9, 1e9])) > best).all()


def test_a_base_that_is_no_law_is_refused() -> None:
    with pytest.raises(UserError, match="needs E, A, B, alpha and beta"):
        RepeatedData([1.8, 500.0, -2000.0, 0.35, 0.35])


def explained(observed: Floats, predicted: Floats) -> float:
    """R² of the losses."""
    return float(1 - ((observed - predicted) ** 2).sum() / ((observed - observed.mean()) ** 2).sum())


def test_published_parameters_give_the_published_objective_and_r_squared(runs: Runs) -> None:
    assert len(runs) == 182
    law = RepeatedData()
    predicted = law.predict(PUBLISHED, *runs.inputs(law.inputs))
    value = HUBER.losses(np.log(predicted) - np.log(runs.loss)).sum()
    assert value == pytest.approx(0.01582593657, abs=1e-7)
    assert explained(runs.loss, predicted) == pytest.approx(0.7722046084968408, abs=1e-7)
    plain = Chinchilla().predict(law.base, runs.parameters, runs.tokens)
    assert explained(runs.loss, plain) == pytest.approx(0.4451684378759986, abs=1e-7)


def test_the_published_optimum_is_a_local_one(refit: Fit) -> None:
    assert refit.value == pytest.approx(0.01580466, abs=1e-8)
    assert refit.named["R_D*"] == pytest.approx(95.4, abs=0.1)
    assert refit.named["R_N*"] == pytest.approx(1.706, abs=0.005)
    near = np.abs(np.log(np.exp(refit.optima) / PUBLISHED)).max(axis=1)
    assert near.min() < 0.005 and near[0] > 1


def test_the_refit_says_that_it_is_not_to_be_believed(refit: Fit) -> None:
    problems = " ".join(refit.certificate.problems)
    assert "another optimum" in problems
    assert "starts reached the optimum" in problems


def test_repetitions_of_data_are_not_identified(refit: Fit) -> None:
    found = profile(refit, "R_D*", low=1.0, high=2000.0, points=13)
    assert not found.identified and found.high is None
    assert found.low == pytest.approx(7.9, abs=0.3)  # 7.67 with all 41 points
    assert found.why.startswith("R_D* is not identified: its 95 % region goes on")


def test_repetitions_of_parameters_span_more_than_a_decade(refit: Fit) -> None:
    found = profile(refit, "R_N*", low=0.1, high=50.0, points=13)
    assert found.low is not None and found.high is not None
    assert found.low == pytest.approx(0.61, abs=0.03)
    assert found.high == pytest.approx(10.5, abs=0.3)
