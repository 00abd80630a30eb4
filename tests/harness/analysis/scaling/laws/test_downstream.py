"""Errors of a loss, and both steps from compute to accuracy: planted parameters, joint draws, published predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import SQUARES
from harness.analysis.scaling.fitting.uncertainty import interval
from harness.analysis.scaling.laws.downstream import ExponentialError, SigmoidError
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.laws.linear_misfit import LinearMisfit
from harness.analysis.scaling.laws.over_training import OverTraining
from harness.analysis.scaling.runs import Runs, runs_from_frame
from harness.analysis.scaling.two_step import TwoStep, two_step, two_step_draws
from harness.errors import UserError

Plant = Callable[..., Runs]
LOSS = (1.8, 140.0, 190.0, 0.17)
EXPONENTIAL, SIGMOID = (0.85, 2.0, 0.7), (0.1, 0.75, 4.0, 2.6)


def with_errors(runs: Runs, law: Law, natural: tuple[float, ...], noise: float) -> Runs:
    """The same runs with the errors that a law gives their losses."""
    error = law.predict(np.array(natural), runs.loss)
    return replace(runs, error=error + noise * np.random.default_rng(1).normal(size=len(runs)))


@pytest.mark.parametrize(
    ("law", "natural", "within"),
    [(ExponentialError(), EXPONENTIAL, (0.02, 0.3, 0.1)), (SigmoidError(), SIGMOID, (0.02, 0.02, 0.4, 0.05))],
)
def test_planted_parameters_are_found(
    plant: Plant, law: Law, natural: tuple[float, ...], within: tuple[float, ...]
) -> None:
    losses = np.random.default_rng(2).uniform(1.8, 5.0, 200)
    runs = with_errors(replace(plant(OverTraining(), LOSS, n=200), loss=losses), law, natural, 0.002)
    found = fit(law, runs, SQUARES)
    for value, true, near in zip(found.natural, natural, within, strict=True):
        assert value == pytest.approx(true, abs=near)
    assert found.certificate.imbalance < 1e-6


def test_runs_without_an_error_say_which_column_is_missing(plant: Plant) -> None:
    with pytest.raises(UserError, match="--columns error=COLUMN"):
        fit(ExponentialError(), plant(OverTraining(), LOSS), SQUARES)


def test_an_error_in_percent_is_refused() -> None:
    table = pd.DataFrame({"N": [1e8], "D": [1e10], "loss": [3.0], "err": [67.0]})
    with pytest.raises(UserError, match="--units error="):
        runs_from_frame(table, columns={"error": "err"})
    assert runs_from_frame(table, columns={"error": "err"}, units={"error": 0.01}).column("error") == 0.67


def test_both_steps_at_once_are_one_after_the_other(plant: Plant) -> None:
    runs = with_errors(plant(OverTraining(), LOSS), ExponentialError(), EXPONENTIAL, 0.005)
    found = two_step(runs, OverTraining(), ExponentialError())
    size, tokens = np.array([1e10, 1e11]), np.array([1e12, 1e12])
    loss = found.to_loss.law.predict(found.to_loss.natural, size, tokens)
    expected = found.to_error.law.predict(found.to_error.natural, loss)
    np.testing.assert_allclose(found.error(found.natural, size, tokens), expected, rtol=1e-12)
    many = np.stack([found.natural, found.natural * 1.01])
    np.testing.assert_allclose(found.error(many, size, tokens)[0], expected, rtol=1e-12)


def test_the_interval_holds_what_is_unknown_of_both_steps(plant: Plant) -> None:
    runs = with_errors(plant(OverTraining(), LOSS, n=40, noise=0.02), ExponentialError(), EXPONENTIAL, 0.005)
    found = two_step(runs, OverTraining(), ExponentialError())
    draws = two_step_draws(found, replicates=300)
    size, tokens = np.array([1e11]), np.array([1e13])

    def at(fixed_loss: bool) -> float:
        def error(natural: Floats) -> Floats:
            if not fixed_loss:
                return found.error(natural, size, tokens)
            first = np.broadcast_to(found.to_loss.natural, (len(natural), len(LOSS)))
            return found.error(np.concatenate([first, natural[:, len(LOSS) :]], axis=1), size, tokens)

        return float(interval(draws, error).error[0])

    assert at(fixed_loss=False) > 1.1 * at(fixed_loss=True)
    both = interval(draws, lambda natural: found.error(natural, size, tokens))
    truth = ExponentialError().predict(np.array(EXPONENTIAL), OverTraining().predict(np.array(LOSS), size, tokens))
    assert both.low[0] < truth[0] < both.high[0]
    assert "bootstrap over 40 runs" in both.how


def test_runs_are_drawn_once_for_both(plant: Plant) -> None:
    """A run that is left out is left out of both laws, and one that only one law has moves that one alone."""
    runs = with_errors(plant(OverTraining(), LOSS, n=20), ExponentialError(), EXPONENTIAL, 0.005)
    every, without = np.ones(20, dtype=bool), np.arange(20) != 3
    draws = two_step_draws(two_step(runs, OverTraining(), ExponentialError()), replicates=5)
    left_out = two_step(runs.only(without), OverTraining(), ExponentialError())
    np.testing.assert_allclose(draws.without[3], left_out.natural, rtol=1e-3)
    first_lacks = two_step(runs, OverTraining(), ExponentialError(), loss_rows=without, error_rows=every)
    np.testing.assert_allclose(
        two_step_draws(first_lacks, replicates=5).without[3, : len(LOSS)], first_lacks.to_loss.natural, rtol=1e-3
    )


@pytest.fixture(scope="module")
def gadre(published: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    table = published("gadre_overtraining/runs.csv")
    return table[table["dataset"] == "rpj"].sort_values(["N", "D"]).reset_index(drop=True)


def redpajama(table: pd.DataFrame) -> TwoStep:
    """The five runs that Gadre et al. fit the loss to; the error has a sixth, of 1.4B parameters."""
    small = ["d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8"]
    optimal = table["model"].isin(small) & (table["M"] == 20)
    longer = (table["model"] == small[0]) & (table["M"] == 320)
    largest = (table["model"] == "open_lm_1b") & (table["M"] == 20)
    used = table[optimal | longer | largest]
    runs = runs_from_frame(used, columns={"loss": "loss_c4_val", "error": "err_avg17", "group": "name"}, counted="all")
    return two_step(
        runs,
        LinearMisfit(OverTraining()),
        ExponentialError(),
        loss_objective=SQUARES,
        loss_rows=(used["model"] != "open_lm_1b").to_numpy(),
    )


def test_published_predictions_are_found_again(gadre: pd.DataFrame) -> None:
    """Cell 2 of scaling_explorer.ipynb: 1.4B parameters with 640 tokens each, 6.9B with 20; errors in percent."""
    found = redpajama(gadre)
    assert (len(found.to_loss.runs), len(found.to_error.runs)) == (5, 6)
    asked = gadre[(gadre["M"] == 640) & (gadre["model"] == "open_lm_1b") | (gadre["model"] == "open_lm_7b")]
    size, tokens = asked["N"].to_numpy(float), asked["D"].to_numpy(float)
    loss = 100 * np.abs(found.loss(found.natural, size, tokens) / asked["loss_c4_val"].to_numpy() - 1)
    error = 100 * np.abs(found.error(found.natural, size, tokens) / asked["err_avg17"].to_numpy() - 1)
    np.testing.assert_allclose(loss, [0.7103, 0.7320], atol=1e-3)
    np.testing.assert_allclose(error, [3.6365, 0.0464], atol=1e-3)


def test_six_runs_have_no_interval(gadre: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="6 runs are too few to draw from again"):
        two_step_draws(redpajama(gadre), replicates=10)
