"""Expectations: the three outcomes, what they compare, and that nothing is met by silence."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.comparison.evaluate import evaluate
from harness.comparison.expectation import Expectation
from harness.results.finding import ExpectationOutcome, Finding, Outcome
from harness.results.record import Measurement
from harness.results.run import Run


def outcomes(run: Run, **fields: Any) -> list[ExpectationOutcome]:
    return evaluate([Expectation(**fields)], run)


def one(run: Run, **fields: Any) -> ExpectationOutcome:
    (outcome,) = outcomes(run, **fields)
    return outcome


def small_run(builders: ModuleType, folder: Path, values: dict[str, tuple[float, float | None, float | None]]) -> Run:
    """A decode rate per precision with a given interval."""
    cells = []
    for precision, (value, low, high) in values.items():
        interval = "exact" if low == value == high else "none: too few" if low is None else "t"
        rate = Measurement(metric=builders.METRICS["decode_rate"], value=value, low=low, high=high, interval=interval)
        cells.append(builders.cell_result(folder, "nano", "inference", {"precision": precision}, {"batch": 1}, [rate]))
    run: Run = builders.write_run(folder, cells=cells)
    return run


def test_a_bound_is_needed_and_the_bounds_must_fit() -> None:
    with pytest.raises(ValidationError, match="at_most"):
        Expectation(metric="perplexity")
    with pytest.raises(ValidationError, match="nothing can be both"):
        Expectation(metric="perplexity", at_least=2, at_most=1)
    with pytest.raises(ValidationError, match="Extra inputs"):
        Expectation.model_validate({"metric": "perplexity", "at_mots": 1})


@pytest.mark.parametrize(
    ("bound", "outcome"),
    [
        ({"at_most": 110.0}, Outcome.MET),
        ({"at_most": 109.9}, Outcome.UNDECIDED),
        ({"at_most": 89.0}, Outcome.UNMET),
        ({"at_least": 90.0}, Outcome.MET),
        ({"at_least": 95.0}, Outcome.UNDECIDED),
        ({"at_least": 111.0}, Outcome.UNMET),
        ({"at_least": 90.0, "at_most": 110.0}, Outcome.MET),
        ({"at_least": 95.0, "at_most": 200.0}, Outcome.UNDECIDED),
        ({"at_least": 120.0, "at_most": 200.0}, Outcome.UNMET),
    ],
)
def test_the_whole_interval_decides(
    builders: ModuleType, tmp_path: Path, bound: dict[str, float], outcome: Outcome
) -> None:
    run = small_run(builders, tmp_path, {"fp32": (100.0, 90.0, 110.0)})
    got = one(run, metric="decode_rate", **bound)
    assert got.outcome is outcome
    assert (got.value, got.low, got.high) == (100.0, 90.0, 110.0)


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_the_rule(low: float, bound: float) -> None:
    """Met, unmet and undecided follow from the two ends alone (the oracle is the definition)."""
    from harness.comparison.outcome import against_bounds

    high = low * 1.5
    outcome, reason = against_bounds(low, high, "t", Expectation(metric="x", at_most=bound))
    assert outcome is (Outcome.MET if high <= bound else Outcome.UNMET if low > bound else Outcome.UNDECIDED)
    assert bool(reason) == (outcome is Outcome.UNDECIDED)


def test_an_exact_value_compares_directly(full_run: Run) -> None:
    where = {"model": "nano", "precision": "fp32"}
    assert one(full_run, metric="weight_bytes", where=where, at_most=520_000).outcome is Outcome.MET
    assert one(full_run, metric="weight_bytes", where=where, at_most=519_999).outcome is Outcome.UNMET


def test_a_value_without_interval_is_undecided(builders: ModuleType, tmp_path: Path) -> None:
    run = small_run(builders, tmp_path, {"fp32": (100.0, None, None), "int8": (150.0, 140.0, 160.0)})
    for fields in (
        {"where": {"precision": "fp32"}},
        {"where": {"precision": "int8"}, "against": {"precision": "fp32"}},
    ):
        got = one(run, metric="decode_rate", at_least=1e-9, **fields)
        assert got.outcome is Outcome.UNDECIDED and "has no interval (none" in got.reason
        assert got.value is not None


def test_ratio_of_quality_is_paired(full_run: Run) -> None:
    got = outcomes(
        full_run, metric="perplexity", where={"precision": "int4"}, against={"precision": "fp32"}, at_most=1.01
    )
    assert [item.subject["model"] for item in got] == ["nano", "micro", "mini", "smollm2"]
    assert {item.outcome for item in got} == {Outcome.UNMET}
    assert all("paired" in (item.interval or "") for item in got)
    assert got[0].expectation == "perplexity (int4) / perplexity (fp32) at most 1.01"


def test_known_bad_unpaired_intervals_would_not_see_it(full_run: Run) -> None:
    """The same question from the two separate intervals is undecided: pairing is what decides."""
    from harness.evidence.ratio import estimate
    from harness.evidence.selection import points, selects
    from harness.statistics.ratios import independent_ratio

    by = {
        precision: next(
            p for p in points(full_run, "perplexity") if selects({"model": "nano", "precision": precision}, p.cell)
        )
        for precision in ("int4", "fp32")
    }
    above, below = estimate(by["int4"].record), estimate(by["fp32"].record)
    assert above is not None and below is not None
    apart = independent_ratio(above, below)
    assert apart.low is not None and apart.low < 1.01


def test_every_selected_cell_is_judged(full_run: Run) -> None:
    got = outcomes(
        full_run, metric="decode_rate", where={"model": ["nano", "mini"], "precision": ["int8", "int4"]}, at_least=1
    )
    assert len(got) == 2 * 2 * 2
    (failed,) = [item for item in got if item.outcome is not Outcome.MET]
    assert failed.subject == {"model": "mini", "precision": "int4", "batch": 8}
    assert failed.reason == "the cell failed: RuntimeError: no int4 kernel for <batch 8> & more"


def test_a_failed_base_is_undecided(full_run: Run) -> None:
    got = one(
        full_run,
        metric="decode_rate",
        where={"model": "smollm2", "precision": "int8", "batch": 8},
        against={"precision": "fp32"},
        at_least=1,
    )
    assert got.outcome is Outcome.UNDECIDED
    assert got.reason == "the cell to compare with: the cell ran out of memory: the process was killed at 6.2 GiB"


def test_the_base_is_not_compared_with_itself(full_run: Run) -> None:
    got = outcomes(full_run, metric="weight_bytes", where={"model": "nano"}, against={"precision": "fp32"}, at_most=1)
    assert [item.subject["precision"] for item in got] == ["bf16", "int8", "int4"]
    alone = one(full_run, metric="weight_bytes", where={"precision": "fp32"}, against={"precision": "fp32"}, at_most=1)
    assert alone.outcome is Outcome.UNDECIDED and "itself" in alone.reason


def test_parts_of_one_cell_are_compared(builders: ModuleType, tmp_path: Path) -> None:
    rate = builders.METRICS["decode_rate"]
    parts = [
        Measurement(metric=rate, value=value, low=value - 1, high=value + 1, interval="t", part=part)
        for part, value in (("own", 40.0), ("other", 80.0), ("third", 20.0))
    ]
    cell = builders.cell_result(tmp_path, "nano", "inference", {"precision": "fp32"}, {"batch": 1}, parts)
    run = builders.write_run(tmp_path, cells=[cell])
    found = one(run, metric="decode_rate", where={"part": "own"}, against={"part": "other"}, at_most=0.6)
    assert found.value == pytest.approx(0.5) and found.outcome is Outcome.MET and found.subject["part"] == "own"
    all_others = outcomes(run, metric="decode_rate", against={"part": "other"}, at_most=0.6)
    assert [outcome.subject["part"] for outcome in all_others] == ["own", "third"]
    itself = one(run, metric="decode_rate", where={"part": "own"}, against={"part": "own"}, at_most=2)
    assert itself.outcome is Outcome.UNDECIDED and "itself" in itself.reason


def test_another_model_as_the_base(full_run: Run) -> None:
    got = one(
        full_run,
        metric="loss",
        where={"model": "mini", "precision": "fp32"},
        against={"model": "nano"},
        at_most=0.8,
    )
    assert got.outcome is Outcome.MET and got.value is not None and 0.6 < got.value < 0.75
    elsewhere = one(
        full_run, metric="loss", where={"model": "smollm2", "precision": "fp32"}, against={"model": "nano"}, at_most=1
    )
    assert elsewhere.outcome is Outcome.UNDECIDED
    assert elsewhere.reason == "no cell has (nano) with the other axes and settings the same"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metric": "perplexitee"}, "no measure has a metric 'perplexitee' (did you mean 'perplexity'?)"),
        ({"metric": "perplexity", "where": {"precision": "int9"}}, "precision = int9 (did you mean 'int8'?)"),
        ({"metric": "perplexity", "where": {"modle": "nano"}}, "no cell has 'modle' (did you mean 'model'?)"),
        (
            {"metric": "perplexity", "where": {"precision": "int8"}, "against": {"precision": "fp23"}},
            "no cell to compare with: no cell has precision = fp23 (did you mean 'fp32'?)",
        ),
        ({"metric": "perplexity", "measure": "inference"}, "no cell has measure = inference"),
    ],
)
def test_what_matches_nothing_is_undecided_and_says_what_there_is(
    full_run: Run, fields: dict[str, Any], said: str
) -> None:
    for got in outcomes(full_run, at_most=1e9, **fields):
        assert got.outcome is Outcome.UNDECIDED
        assert said in got.reason


def test_a_metric_that_no_cell_measured(builders: ModuleType, tmp_path: Path) -> None:
    run = small_run(builders, tmp_path, {"fp32": (1.0, 0.9, 1.1)})
    assert one(run, metric="perplexity", at_most=1).reason == "the run has no cell that measures perplexity"


def test_speeds_of_two_machines_in_one_run_are_not_comparable(builders: ModuleType, tmp_path: Path) -> None:
    run = small_run(builders, tmp_path, {"fp32": (100.0, 90.0, 110.0), "int8": (150.0, 140.0, 160.0)})
    moved = [
        cell.model_copy(update={"records": [r.model_copy(update={"fingerprint_class": "other"}) for r in cell.records]})
        if cell.axes["precision"] == "int8"
        else cell
        for cell in run.cells
    ]
    run = builders.write_run(tmp_path, cells=moved)
    got = one(run, metric="decode_rate", where={"precision": "int8"}, against={"precision": "fp32"}, at_least=1)
    assert got.outcome is Outcome.UNDECIDED and got.reason.startswith("not comparable: the machines differ")


def test_outcomes_survive_json(full_run: Run) -> None:
    for item in full_run.expectations:
        assert ExpectationOutcome.model_validate_json(item.model_dump_json()) == item


def test_findings_are_judged_too(full_run: Run) -> None:
    law = {"law": "x"}
    findings = [
        Finding(analysis="fit", name="alpha", value=0.35, low=0.3, high=0.4, interval="i", subject=law),
        Finding(analysis="fit", name="flops", value=2.0, interval="exact"),
        Finding(analysis="fit", name="coverage", value=0.9),
        Finding(analysis="fit", name="lost", note="not identified: why"),
    ]

    def outcome(**fields: Any) -> tuple[str, str]:
        (judged,) = evaluate([Expectation(**fields)], full_run, findings)
        return judged.outcome.value, judged.reason

    assert outcome(finding="alpha", at_least=0.25, at_most=0.5) == ("met", "")
    assert outcome(finding="alpha", where=law, at_least=0.5)[0] == "unmet"
    assert outcome(finding="alpha", where={"analysis": "fit"}, at_least=0.35)[0] == "undecided"
    assert outcome(finding="flops", at_most=2)[0] == "met"
    assert "no interval" in outcome(finding="coverage", at_least=0.5)[1]
    assert "not identified" in outcome(finding="lost", at_least=0.5)[1]
    assert "did you mean 'alpha'" in outcome(finding="alpa", at_least=0.5)[1]
    doubted = [*findings, Finding(analysis="fit", name="trust", value=0.0, interval="exact", subject=law, note="why")]
    (judged,) = evaluate([Expectation(finding="alpha", at_least=0.25)], full_run, doubted)
    assert (judged.outcome.value, judged.reason) == ("undecided", "the fit is not to be trusted: why")
    (judged,) = evaluate([Expectation(finding="trust", at_least=1)], full_run, doubted)
    assert judged.outcome.value == "unmet"
    assert "there are: law x" in outcome(finding="alpha", where={"law": "y"}, at_least=0.5)[1]
    with pytest.raises(ValueError, match="of one of them"):
        Expectation(metric="loss", finding="alpha", at_least=1)
    with pytest.raises(ValueError, match="no `against`"):
        Expectation(finding="alpha", against={"precision": "fp32"}, at_least=1)
