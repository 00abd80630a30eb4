"""The power law: exact on exact data, silent on noise, honest where it can't be known, and its interval's coverage."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.registry import ANALYSES
from harness.analysis.scaling.suite.log_line import by_scatter, from_draws, from_intervals, least_squares
from harness.measures.perplexity import BITS_PER_BYTE, LOSS, PERPLEXITY_METRIC
from harness.measures.task.samples.columns import ITEMS
from harness.results.finding import Finding
from harness.results.record import Measurement
from harness.results.run import Run
from harness.statistics.bootstrap import resampled_means
from harness.statistics.ratios import PositiveEstimate

SIZES = (1e5, 1e6, 1e7, 1e8)


def analyze(run: Run, **settings: Any) -> list[Finding]:
    analysis = ANALYSES["scaling_law"]
    return analysis.run(run, analysis.settings.model_validate(settings))


def ladder(builders: ModuleType, folder: Path, losses: dict[str, float], noise: float = 0.0, **columns: Any) -> Run:
    """A run with one perplexity cell per model, whose documents have these mean losses."""
    cells = []
    for number, (model, loss) in enumerate(losses.items()):
        rng = np.random.default_rng([1, number])
        tokens = np.arange(100, 140)
        nll = tokens * loss * (1 + noise * rng.standard_normal(len(tokens)))
        frame = pd.DataFrame(
            {"document": range(len(tokens)), "nll": nll, "tokens": tokens, "bytes": 4 * tokens}
            | {"text_digest": [f"text {i}" for i in range(len(tokens))]}
            | columns.get(model, {})
        )
        cells.append(
            builders.cell_result(
                folder, model, "perplexity", {"precision": "fp32"}, {"text": "t"},
                builders.quality_measurements(frame), samples=frame,
            )
        )  # fmt: skip
    run: Run = builders.write_run(folder, cells=cells)
    return run


def law(builders: ModuleType, exponent: float) -> dict[str, float]:
    return {model: 9.0 * size**-exponent for model, size in builders.SIZES.items()}


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.parametrize("metric", ["loss", "bits_per_byte", "loss@1"])
def test_an_exact_power_law_is_recovered(builders: ModuleType, tmp_path: Path, metric: str) -> None:
    run = ladder(builders, tmp_path, law(builders, 0.137))
    found = by_name(analyze(run, of=metric))
    exponent = found["exponent"]
    assert exponent.value == pytest.approx(0.137, abs=1e-9)
    assert exponent.low == pytest.approx(0.137, abs=1e-9) and exponent.high == pytest.approx(0.137, abs=1e-9)
    assert found["residual"].value == pytest.approx(0.0, abs=1e-9)
    per_token = 1 if metric.startswith("loss") else 1 / (4 * math.log(2))
    assert found["scale"].value == pytest.approx(9.0 * per_token, rel=1e-9)
    tenfold = 9.0 * per_token * (10 * builders.SIZES["smollm2"]) ** -0.137
    assert found["prediction"].value == pytest.approx(tenfold, rel=1e-9)
    assert "seed-to-seed" in (exponent.interval or "") and "misfit" in (exponent.interval or "")


def test_non_embedding_parameters_give_another_exponent(builders: ModuleType, tmp_path: Path) -> None:
    run = ladder(builders, tmp_path, law(builders, 0.1))
    all_of_them = analyze(run)[0]
    without = analyze(run, over="parameters_non_embedding")[0]
    assert without.subject["over"] == "parameters_non_embedding"
    assert without.value != pytest.approx(all_of_them.value, abs=1e-3)


def test_flat_losses_have_no_exponent(builders: ModuleType, tmp_path: Path) -> None:
    run = ladder(builders, tmp_path, dict.fromkeys(builders.SIZES, 2.0), noise=0.05)
    exponent = analyze(run)[0]
    assert exponent.low is not None and exponent.high is not None
    assert exponent.low <= 0 <= exponent.high


@pytest.mark.parametrize("order", [(1, 0, 3, 2), (2, 3, 0, 1), (3, 0, 2, 1), (1, 3, 0, 2), (2, 0, 3, 1)])
def test_shuffled_sizes_have_no_exponent(builders: ModuleType, tmp_path: Path, order: tuple[int, ...]) -> None:
    """Losses that belong to other sizes lie on no line: the scatter knows it, and the misfit is called out."""
    losses = list(law(builders, 0.15).values())
    shuffled = dict(zip(builders.SIZES, (losses[place] for place in order), strict=True))
    found = by_name(analyze(ladder(builders, tmp_path, shuffled, noise=0.01)))
    scatter = found["exponent_by_scatter"]
    assert scatter.low is not None and scatter.high is not None
    assert scatter.low <= 0 <= scatter.high
    assert "take the interval by scatter" in found["exponent"].note


def test_interval_by_scatter_agrees_with_scipy() -> None:
    from scipy.stats import linregress, t

    sizes, values = np.array(SIZES), np.array([3.0, 2.4, 1.7, 1.5])
    fitted = linregress(np.log(sizes), np.log(values))
    half = t.ppf(0.975, 2) * fitted.stderr
    assert by_scatter(sizes, values) == pytest.approx((-fitted.slope - half, -fitted.slope + half))
    assert by_scatter(sizes[:2], values[:2]) == (None, None)


def test_curvature_is_called_a_misfit(builders: ModuleType, tmp_path: Path) -> None:
    """A law with a floor is no plain power law, and the documents are precise enough to see it."""
    losses = {model: 1.0 + 9.0 * size**-0.3 for model, size in builders.SIZES.items()}
    found = by_name(analyze(ladder(builders, tmp_path / "floor", losses, noise=0.001)))
    assert "do not lie on one power law" in found["exponent"].note
    straight = analyze(ladder(builders, tmp_path / "straight", law(builders, 0.1), noise=0.001))
    assert straight[0].note == ""


def test_two_sizes_are_not_identified(builders: ModuleType, tmp_path: Path) -> None:
    losses = {model: loss for model, loss in law(builders, 0.1).items() if model in ("nano", "micro")}
    (finding,) = analyze(ladder(builders, tmp_path, losses))
    assert finding.value is None and finding.low is None
    assert finding.note == (
        "not identified: a power law needs at least 3 sizes measured on the same text with the same tokens and the "
        "same window, here are 2 (nano, micro)"
    )


def test_another_tokenizer_does_not_join_the_ladder(builders: ModuleType, tmp_path: Path) -> None:
    others = {"smollm2": {"tokens": np.arange(90, 130)}}
    run = ladder(builders, tmp_path, law(builders, 0.1), **others)
    exponent = analyze(run)[0]
    assert [point["model"] for point in exponent.data["points"]] == ["nano", "micro", "mini"]


def test_where_and_models_choose(full_run: Run) -> None:
    chosen = analyze(full_run, where={"precision": "int8"}, models=["nano", "micro", "mini"])
    assert chosen[0].subject["precision"] == "int8"
    assert len(analyze(full_run)) == 4 * len(chosen), "without `where`, a law per precision"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"where": {"precision": "fp23"}}, "precision = fp23 (did you mean 'fp32'?)"),
        ({"of": "lose"}, "the run has no value of lose"),
        ({"models": ["nan"]}, "model = nan (did you mean 'nano'?)"),
    ],
)
def test_nothing_to_fit_is_explained(full_run: Run, settings: dict[str, Any], said: str) -> None:
    (finding,) = analyze(full_run, **settings)
    assert finding.value is None and said in finding.note


def test_a_metric_without_documents_takes_the_records_intervals(full_run: Run) -> None:
    found = by_name(analyze(full_run, of="decode_rate", where={"precision": "fp32", "batch": 1}))
    exponent = found["exponent"]
    assert exponent.low is not None and exponent.value is not None and exponent.high is not None
    assert exponent.low < exponent.value < exponent.high
    assert "as if independent" in (exponent.interval or "")


def test_a_value_without_interval_gives_a_law_without_interval(builders: ModuleType, tmp_path: Path) -> None:
    run = ladder(builders, tmp_path, law(builders, 0.1))
    bare = [
        cell.model_copy(
            update={
                "samples": None,
                "records": [r.model_copy(update={"low": None, "high": None, "interval": "none"}) for r in cell.records],
            }
        )
        for cell in run.cells
    ]
    exponent = analyze(builders.write_run(tmp_path / "bare", cells=bare))[0]
    assert exponent.value == pytest.approx(0.1) and exponent.low is None
    assert exponent.data["curve"][0]["low"] is None


def test_fit_agrees_with_polyfit() -> None:
    rng = np.random.default_rng(0)
    sizes, values = np.array(SIZES), np.exp(rng.standard_normal((5, 4)))
    exponents, scales = least_squares(sizes, values)
    for row in range(5):
        slope, intercept = np.polyfit(np.log(sizes), np.log(values[row]), 1)
        assert (exponents[row], scales[row]) == (pytest.approx(-slope), pytest.approx(intercept))


def test_intervals_through_the_fit_agree_with_simulation() -> None:
    sizes = np.array(SIZES)
    logs, errors = np.log(5 * sizes**-0.1), np.array([0.01, 0.02, 0.01, 0.03])
    estimates = [
        PositiveEstimate(math.exp(log), math.exp(log - 1.96 * error), math.exp(log + 1.96 * error))
        for log, error in zip(logs, errors, strict=True)
    ]
    got = from_intervals(sizes, estimates, np.array([1e9]))
    draws = np.exp(logs + errors * np.random.default_rng(0).standard_normal((100_000, 4)))
    want = from_draws(sizes, np.exp(logs), draws, np.array([1e9]))
    assert got.exponent == pytest.approx(want.exponent, rel=0.02)
    assert got.curve[0] == pytest.approx(want.curve[0], rel=0.005)


def test_coverage_of_the_bootstrap_interval() -> None:
    """Documents share their difficulty over sizes; the interval must hold the truth about 95 % of the time."""
    sizes = np.array(SIZES)
    truth = 0.1
    held = 0
    trials = 400
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        tokens = np.tile(rng.integers(50, 300, 60).astype(float)[:, None], (1, 4))
        difficulty = 1 + 0.3 * rng.standard_normal((60, 1))
        own = 1 + 0.05 * rng.standard_normal((60, 4))
        sums = tokens * 5 * sizes**-truth * difficulty * own
        draws = resampled_means(sums, tokens, 400, seed=seed)
        interval = from_draws(sizes, sums.sum(0) / tokens.sum(0), draws, sizes[-1:]).exponent
        assert interval[0] is not None and interval[1] is not None
        held += interval[0] <= truth <= interval[1]
    assert 0.90 < held / trials < 0.98


def test_intervals_that_ignore_the_shared_documents_are_far_too_wide() -> None:
    """Why the documents are drawn together: as independent sizes, the same data look ten times less certain."""
    rng = np.random.default_rng(0)
    sizes = np.array(SIZES)
    tokens = np.full((60, 4), 100.0)
    sums = (
        tokens * 5 * sizes**-0.1 * (1 + 0.3 * rng.standard_normal((60, 1))) * (1 + 0.01 * rng.standard_normal((60, 4)))
    )
    draws = resampled_means(sums, tokens, 1000, seed=0)
    together = from_draws(sizes, sums.sum(0) / tokens.sum(0), draws, sizes[-1:]).exponent
    for column in range(4):
        rng.shuffle(draws[:, column])
    apart = from_draws(sizes, sums.sum(0) / tokens.sum(0), draws, sizes[-1:]).exponent
    assert together[0] is not None and apart[0] is not None
    assert apart[1] - apart[0] > 5 * (together[1] - together[0])


def test_means_become_a_metric_as_it_declares() -> None:
    """To the bit as the measure makes its values."""
    means = np.random.default_rng(3).uniform(0.1, 9, 1000)
    for metric, value in (
        (LOSS, means),
        (BITS_PER_BYTE, means / math.log(2)),
        (PERPLEXITY_METRIC, np.exp(means)),
    ):
        assert metric.sums is not None
        np.testing.assert_array_equal(metric.sums.of_means(means), value)


def test_a_task_s_bits_per_byte_are_bits_already(
    builders: ModuleType, task_builders: ModuleType, tmp_path: Path
) -> None:
    """The prediction lies in its own interval, which is of the same documents in the same unit."""
    cells = []
    for model, bits in law(builders, 0.1).items():
        rows = [task_builders.rolling_row(number, [("\n", "One text.")]) for number in range(8)]
        for row in rows:
            row[ITEMS.name] = json.dumps({"bits_per_byte": [-bits * math.log(2) * 100, 100]})
        cell = task_builders.task_cell(tmp_path, rows, model=model)
        made = Measurement(metric=BITS_PER_BYTE, value=bits)
        cells.append(
            builders.cell_result(
                tmp_path, model, "task", cell.axes, cell.settings, [made], samples=task_builders.samples(rows)
            )
        )
    prediction = by_name(analyze(builders.write_run(tmp_path, cells=cells), of="bits_per_byte"))["prediction"]
    assert "bootstrap over documents" in (prediction.interval or "")
    assert prediction.low == pytest.approx(prediction.value) and prediction.high == pytest.approx(prediction.value)
