"""What every law owes: derivatives, slopes and predictions that agree with each other, whatever the shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.scaling.allocation import numeric_optimum, optimum
from harness.analysis.scaling.laws.broken import Broken
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.downstream import ExponentialError, SigmoidError
from harness.analysis.scaling.laws.kaplan import Kaplan
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.laws.linear_misfit import LinearMisfit
from harness.analysis.scaling.laws.over_training import OverTraining
from harness.analysis.scaling.laws.power_law import PowerLaw, PowerLawWithFloor
from harness.analysis.scaling.laws.repeated_data import RepeatedData

SIZES, TOKENS = (1e7, 1e10), (1e9, 1e12)


@dataclass(frozen=True)
class Case:
    """A law at plausible parameters, in a plausible range."""

    law: Law
    natural: tuple[float, ...]
    ranges: tuple[tuple[float, float], ...]


CASES = {
    "chinchilla": Case(Chinchilla(), (1.8, 480.0, 2000.0, 0.35, 0.36), (SIZES, TOKENS)),
    "chinchilla, linear": Case(LinearMisfit(Chinchilla()), (1.8, 480.0, 2000.0, 0.35, 0.36), (SIZES, TOKENS)),
    "power law": Case(PowerLaw("parameters"), (20.0, 0.08), (SIZES,)),
    "power law with floor": Case(PowerLawWithFloor("compute"), (1.7, 30.0, 0.07), ((1e17, 1e23),)),
    "kaplan": Case(Kaplan(), (8.8e13, 5.4e13, 0.076, 0.095), (SIZES, TOKENS)),
    "broken": Case(Broken("compute"), (0.5, 50.0, 0.05, 0.12, 1e20, 1.5), ((1e17, 1e23),)),
    "repeated data": Case(RepeatedData(), (15.4, 5.3), ((1e7, 1e10), (1e10, 1e12), (1e8, 2e9))),
    "repeated data, fewer than unique": Case(RepeatedData(), (15.4, 5.3), ((1e7, 1e8), (1e9, 1e10), (2e10, 1e11))),
    "over-training": Case(OverTraining(), (1.7, 90.0, 80.0, 0.12), (SIZES, TOKENS)),
    "exponential error": Case(ExponentialError(), (0.85, 2.0, 0.7), ((2.0, 6.0),)),
    "sigmoid error": Case(SigmoidError(), (0.1, 0.75, 2.5, 3.0), ((2.0, 6.0),)),
}
each_law = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def draw(case: Case, seed: int, batch: int = 4, n: int = 7) -> tuple[Floats, Floats]:
    """Plain parameters near the case's (batch, p), and logs of inputs (inputs, n)."""
    generator = np.random.default_rng(seed)
    plain = case.law.plain(np.array(case.natural))
    near = plain + generator.normal(size=(batch, len(plain))) * np.where(np.abs(plain) > 1, 0.3, 0.1 * np.abs(plain))
    logs = np.stack([generator.uniform(np.log(low), np.log(high), n) for low, high in case.ranges])
    return near, logs


@each_law
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_derivative_is_that_of_the_response(case: Case, seed: int) -> None:
    plain, logs = draw(case, seed)
    derivative = case.law.evaluate(plain, logs)[1]
    for column in range(plain.shape[1]):
        step = np.zeros(plain.shape[1])
        step[column] = 1e-6
        up, down = (case.law.evaluate(plain + sign * step, logs)[0] for sign in (1, -1))
        np.testing.assert_allclose(derivative[:, column], (up - down) / 2e-6, rtol=2e-6, atol=1e-7)


@each_law
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_slopes_are_those_of_the_response_over_the_logs_of_the_inputs(case: Case, seed: int) -> None:
    plain, logs = draw(case, seed)
    slopes = case.law.slopes(plain, logs)
    assert slopes.shape == (len(plain), *logs.shape)
    for row in range(len(logs)):
        step = np.zeros((len(logs), 1))
        step[row] = 1e-6
        up, down = (case.law.evaluate(plain, logs + sign * step)[0] for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, row], (up - down) / 2e-6, rtol=2e-6, atol=1e-7)


@each_law
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_centring_changes_coordinates_only(case: Case, seed: int) -> None:
    plain, logs = draw(case, seed)
    center = case.law.center(logs)
    internal = case.law.centered(plain, center)
    np.testing.assert_allclose(case.law.uncentered(internal, center), plain, rtol=1e-12)
    there, here = case.law.evaluate(internal, logs - center[:, None])[0], case.law.evaluate(plain, logs)[0]
    np.testing.assert_allclose(there, here, rtol=1e-9)
    np.testing.assert_allclose(case.law.plain(case.law.natural(internal, center)), plain, rtol=1e-9)


@each_law
def test_each_member_of_a_batch_may_have_points_of_its_own(case: Case) -> None:
    plain, logs = draw(case, 3)
    own = np.stack([logs + 0.01 * member for member in range(len(plain))], axis=1)
    response, derivative = case.law.evaluate(plain, own)
    slopes = case.law.slopes(plain, own)
    assert response.shape == own.shape[1:] and derivative.shape == (*plain.shape, logs.shape[1])
    for member in range(len(plain)):
        alone = case.law.evaluate(plain[member : member + 1], own[:, member])
        np.testing.assert_allclose(response[member], alone[0][0], rtol=1e-12)
        np.testing.assert_allclose(derivative[member], alone[1][0], rtol=1e-12)
        np.testing.assert_allclose(
            slopes[member], case.law.slopes(plain[member : member + 1], own[:, member])[0], rtol=1e-12
        )


@each_law
def test_predictions_and_their_gradient(case: Case) -> None:
    plain, logs = draw(case, 4)
    natural = case.law.natural(plain, np.zeros(len(logs)))
    value, gradient = case.law.predict(natural, *np.exp(logs)), case.law.gradient(natural, *np.exp(logs))
    assert value.shape == (len(plain), logs.shape[1]) and gradient.shape == (len(plain), *logs.shape)
    response = case.law.evaluate(plain, logs)[0]
    np.testing.assert_allclose(value, np.exp(response) if case.law.response == "log" else response, rtol=1e-9)
    np.testing.assert_allclose(case.law.predict(natural[0], *np.exp(logs)), value[0], rtol=1e-12)
    for row in range(len(logs)):
        step = np.zeros((len(logs), 1))
        step[row] = 1e-6
        up, down = (case.law.predict(natural, *np.exp(logs + sign * step)) for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, row], (up - down) / 2e-6, rtol=2e-6, atol=1e-7)


@each_law
def test_starts_are_finite_and_differ(case: Case) -> None:
    _, logs = draw(case, 5, n=20)
    natural = np.array(case.natural)
    value = case.law.predict(natural, *np.exp(logs))
    center = case.law.center(logs)
    starts = case.law.starts(logs - center[:, None], np.log(value) if case.law.response == "log" else value)
    assert starts.shape[1] == len(case.law.parameters)
    assert np.isfinite(starts).all() and len(np.unique(starts, axis=0)) == len(starts) > 1
    assert np.isfinite(case.law.evaluate(starts, logs - center[:, None])[0]).all()


@pytest.mark.parametrize("name", ["chinchilla", "kaplan", "over-training"])
def test_the_closed_optimum_is_the_one_found_by_bisection(name: str) -> None:
    case = CASES[name]
    plain, _ = draw(case, 6)
    natural = case.law.natural(plain, np.zeros(2))
    budgets = np.array([1e19, 1e22, 1e25])
    for found, sought in zip(
        optimum(case.law, natural, budgets), numeric_optimum(case.law, natural, budgets), strict=True
    ):
        np.testing.assert_allclose(found, sought, rtol=1e-6)
    size, tokens = optimum(case.law, natural, budgets)
    np.testing.assert_allclose(6 * size * tokens, np.broadcast_to(budgets, size.shape), rtol=1e-9)
