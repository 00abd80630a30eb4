"""Expectations against a stored run or a baseline: the ratio or the difference to the same cell there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.baselines.listing import list_baselines
from harness.baselines.setting import set_baseline
from harness.comparison.evaluate import evaluate
from harness.comparison.expectation import Expectation
from harness.comparison.expected_run import why_no_stored_runs
from harness.errors import UserError
from harness.evidence.difference import difference
from harness.evidence.per_document import per_document
from harness.evidence.ratio import ratio
from harness.evidence.selection import points
from harness.gate.stored.judging import judge
from harness.results.finding import ExpectationOutcome, Outcome
from harness.results.record import Direction, Measurement, Metric, Status
from harness.results.run import Run
from harness.suite.load import load_suite, parse_suite, suite_text
from tests.harness.gate.gate_runs import Makes, broken

ACC = Metric(name="acc", unit="share", direction=Direction.HIGHER, definition="right answers")


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Makes(builders, tmp_path / "results/runs")


def judged(run: Run, **expectation: Any) -> list[ExpectationOutcome]:
    return evaluate([Expectation(**expectation)], run)


def reasons(outcomes: Sequence[ExpectationOutcome]) -> str:
    assert {one.outcome for one in outcomes} == {Outcome.UNDECIDED}
    return "; ".join(one.reason for one in outcomes)


def test_the_ratio_to_the_same_cell_of_a_run(make: Makes) -> None:
    base, head = make.run("main"), make.run("head", shift=0.02)
    both = judged(head, metric="bits_per_byte", against={"run": "main"}, at_most=1.01)
    assert [one.outcome for one in both] == [Outcome.UNMET, Outcome.UNMET]
    assert [one.subject["precision"] for one in both] == ["fp32", "int8"]
    assert both[0].expectation == "bits_per_byte / bits_per_byte (run main) at most 1.01"
    assert both[0].interval == "paired by document (ratio estimator, t)"
    of, to = points(head, "bits_per_byte")[0], points(base, "bits_per_byte")[0]
    wanted = ratio(of, to)
    assert wanted is not None and (both[0].value, both[0].low, both[0].high) == (wanted.value, wanted.low, wanted.high)
    assert judged(head, metric="bits_per_byte", against={"run": "main"}, at_most=1.05)[0].outcome is Outcome.MET


def test_a_baseline_a_folder_and_another_precision(make: Makes) -> None:
    make.run("main")
    set_baseline("main", name="ci", why="a test", by="me")
    head = make.run("head", shift=0.02)
    for name in ("baseline:ci", "ci", "results/runs/main", str(make.folder / "main"), "results/baselines/ci"):
        (one,) = judged(head, metric="loss", where={"precision": "int8"}, against={"run": name}, at_least=1.01)
        assert one.outcome is Outcome.MET and one.value == pytest.approx(np.exp(0.02), rel=1e-3)
    crossed = {"run": "ci", "precision": "fp32"}
    (one,) = judged(head, metric="loss", where={"precision": "int8"}, against=crossed, at_most=1.03)
    assert one.value is not None and one.value > 1.023 and one.subject == {"model": "nano", "precision": "int8"}
    (one,) = judged(head, metric="loss", where={"precision": "fp32"}, against=crossed, at_least=1.01)
    assert one.outcome is Outcome.MET, "the same precision in another run is no comparison with itself"


def test_a_difference_has_the_unit_of_the_metric(make: Makes) -> None:
    base, head = make.run("main"), make.run("head", shift=0.02)
    (one,) = judged(
        head, metric="loss", where={"precision": "fp32"}, against={"run": "main"}, by="difference", at_most=0.01
    )
    assert one.expectation == "loss (fp32) - loss (run main) at most 0.01" and one.outcome is Outcome.UNMET
    of, to = points(head, "loss")[0], points(base, "loss")[0]
    assert of.record.value is not None and to.record.value is not None
    assert one.value == pytest.approx(of.record.value - to.record.value) and one.interval == "paired by document"
    exact = Expectation(metric="tokens_scored", against={"run": "main"}, by="difference", at_most=0, at_least=0)
    assert {one.outcome for one in evaluate([exact], head)} == {Outcome.MET}
    within = Expectation(
        metric="loss", where={"precision": "int8"}, against={"precision": "fp32"}, by="difference", at_most=1
    )
    assert evaluate([within], head)[0].outcome is Outcome.MET, "within one run too"


@pytest.mark.parametrize("metric", ["loss", "bits_per_byte", "perplexity"])
def test_an_interval_of_a_difference_is_that_of_resampled_documents(make: Makes, metric: str) -> None:
    """The oracle draws documents with replacement and takes the metric of each draw."""
    base, head = make.run("main"), make.run("head", seed=1, shift=0.001)
    of, to = points(head, metric)[0], points(base, metric)[0]
    found, a, b = difference(of, to), per_document(of), per_document(to)
    assert found is not None and a is not None and b is not None and found.low is not None and found.high is not None
    drawn = np.random.default_rng(0).integers(0, len(a.documents), (4000, len(a.documents)))

    def value(side: Any) -> Any:
        means = side.sums[drawn].sum(axis=1) / side.weights[drawn].sum(axis=1)
        return {"loss": means, "bits_per_byte": means / np.log(2), "perplexity": np.exp(means)}[metric]

    spread = float((value(a) - value(b)).std())
    assert (found.high - found.low) / 2 == pytest.approx(2.0 * spread, rel=0.1)
    assert found.low < found.value < found.high


def test_right_and_wrong_are_paired(make: Makes, task_builders: ModuleType) -> None:
    b, runs = task_builders, []
    for name, lost in (("main", 0), ("head", 8)):
        rows = [b.choice_row(n, f"Q{n}", ["yes", "no"], [-1.0, 0.0 if n < lost else -2.0]) for n in range(40)]
        frame, axes = b.samples(rows), {"precision": "fp32", "device": "cpu"}
        measured = [Measurement(metric=ACC, value=float(frame["acc"].mean()), part="capitals")]
        cell = make.builders.cell_result(
            make.folder / name, "nano", "task", axes, {"task": "capitals"}, measured, samples=frame
        )
        runs.append(make.run(name, cells=[cell]))
    found = difference(points(runs[1], "acc")[0], points(runs[0], "acc")[0])
    assert found is not None and found.value == pytest.approx(-0.2) and found.method == "paired by document"
    assert found.low is not None and found.high is not None and -0.4 < found.low < found.high < -0.05


def test_a_time_of_a_stored_run_is_shown_and_undecided(make: Makes) -> None:
    make.run("main")
    head = make.run("head", slower=2.0)
    outcomes = judged(head, metric="decode_rate", against={"run": "main"}, at_least=0.9)
    assert "two runs made one after the other decide no time; `harness gate` and `harness ab` do" in reasons(outcomes)
    assert outcomes[0].value == pytest.approx(0.5, rel=0.1) and outcomes[0].low is None
    other = make.run("other", machine="e" * 8, fingerprint={"cpu_model": "another"}, fingerprint_class="e" * 8)
    assert "not comparable: the machines differ" in reasons(
        judged(other, metric="decode_rate", against={"run": "main"}, at_least=0.9)
    )
    assert judged(other, metric="loss", against={"run": "main"}, at_most=1.1)[0].outcome is Outcome.MET


def test_memory_needs_the_machine_and_is_decided_there(make: Makes) -> None:
    make.run("main")
    (one, _) = judged(make.run("head", memory=1.3), metric="peak_memory", against={"run": "main"}, at_most=1.1)
    assert one.outcome is Outcome.UNMET


def test_what_has_no_other_half_is_told(make: Makes) -> None:
    cells = make.cells(make.folder / "main")
    other = cells[0].model_copy(update={"settings": cells[0].settings | {"window": 128}})
    make.run("main", cells=[other, *cells[1:3], broken(cells[3], Status.FAILED, "no kernel"), *cells[4:]])
    head = make.run("head")
    told = reasons(judged(head, metric="loss", against={"run": "main"}, at_most=2))
    assert "has no such cell: its definition changed: window is 256 in the head and 128 in the base" in told
    assert "in the run main the cell failed: no kernel" in told
    told = reasons(judged(head, metric="loss", against={"run": "main", "precision": "int4"}, at_most=2))
    assert "no cell of the run main has (int4) with the other axes and settings the same" in told


def test_another_version_and_another_text_are_not_comparable(make: Makes) -> None:
    cells = make.cells(make.folder / "main")
    records = [one.model_copy(update={"metric_id": f"{one.metric}@7"}) for one in cells[0].records]
    make.run("main", cells=[cells[0].model_copy(update={"records": records}), *cells[1:]])
    head = make.run("head")
    first = {"where": {"precision": "fp32"}, "against": {"run": "main"}, "at_most": 2}
    told = reasons(judged(head, metric="loss", **first))
    assert "not comparable: the metric's definition changed: loss@7 and loss@1" in told
    samples = make.builders.quality_samples("nano", "fp32").assign(text_digest="another")
    cell = make.builders.cell_result(
        make.folder / "edited", "nano", "perplexity", cells[0].axes, cells[0].settings,
        make.builders.quality_measurements(samples), samples=samples,
    )  # fmt: skip
    make.run("edited", cells=[cell.model_copy(update={"key": "another text, another key"})])
    told = reasons(judged(head, metric="loss", **first | {"against": {"run": "edited"}}))
    assert "not comparable: the texts differ" in told


def test_a_run_that_is_not_there_is_undecided_and_told_beforehand(make: Makes) -> None:
    head = make.run("20260101-ci")
    there = {"metric": "loss", "at_most": 1.0}
    for name in ("main", "baseline:main", "ci", "2026"):
        told = reasons(judged(head, **there, against={"run": name}))
        assert "there is nothing to hold it against" in told and "there is no" in told
    told = reasons(judged(head, **there, against={"run": "20260101-ci"}))
    assert told == "20260101-ci is this run itself"
    set_baseline(head, name="ci", why="a test", by="me")
    assert reasons(judged(head, **there, against={"run": "ci"})) == "ci is this run itself"
    expectations = [Expectation(**there, against={"run": name}) for name in ("ci", "gone", "gone")]
    (sentence,) = why_no_stored_runs([*expectations, Expectation(**there)], make.folder, "ci")
    assert sentence.startswith("2 expectations against the run 'gone' will be undecided: there is nothing to hold it")


def test_a_baseline_is_found_from_every_folder_of_its_project(
    make: Makes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_baseline(make.run("main"), name="ci", why="a test", by="me")
    head = make.run("head")
    against = {"metric": "loss", "against": {"run": "baseline:ci"}, "at_most": 2}
    (tmp_path / "suites").mkdir()
    monkeypatch.chdir(tmp_path / "suites")
    assert "there is no baseline 'ci'" in reasons(judged(head, **against))  # above is no repository: it may be anyone's
    with pytest.raises(UserError, match="there is no baseline"):
        judge(head, "baseline:ci")
    (tmp_path / ".git").mkdir()
    assert {one.outcome for one in judged(head, **against)} == {Outcome.MET}
    assert judge(head, "baseline:ci").base == judge(head).base != ""
    moved = set_baseline(head, name="ci", why="from below", by="me", another_suite=True)
    assert moved.folder == tmp_path / "results/baselines/ci" and list(list_baselines()["moves"]) == [2]


def test_a_suite_s_own_project_has_its_baselines(make: Makes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite is run from a folder that has nothing to do with it: pytest's rootdir is elsewhere, or a job's folder."""
    set_baseline(make.run("main"), name="ci", why="a test", by="me")
    (tmp_path / ".git").mkdir()
    (tmp_path / "suites").mkdir()
    suite = tmp_path / "suites/ci.yaml"
    suite.write_text("name: ci")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".git").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    expectation = Expectation(metric="loss", against={"run": "baseline:ci"}, at_most=2)
    assert why_no_stored_runs([expectation], make.folder, str(suite)) == []
    assert len(why_no_stored_runs([expectation], make.folder, "ci")) == 1
    (elsewhere / "results/baselines").mkdir(parents=True)  # a project's own comes first, also where it lacks this one
    assert len(why_no_stored_runs([expectation], make.folder, str(suite))) == 1


def test_a_damaged_baseline_is_undecided_with_its_name(make: Makes) -> None:
    set_baseline(make.run("main"), name="ci", why="a test", by="me")
    (Path("results/baselines/ci") / "log.jsonl").unlink()
    told = reasons(judged(make.run("head"), metric="loss", against={"run": "ci"}, at_most=1.0))
    assert "results/baselines/ci: there is no log.jsonl in this folder" in told


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ({"against": {"run": "latest"}}, "name a baseline"),
        ({"against": {"run": ""}}, "`run` is the name of a run or of a baseline"),
        ({"against": {"run": 3}}, "`run` is the name of a run or of a baseline"),
        ({"by": "difference"}, "`by: difference` says what of an `against` is bounded"),
        ({"by": "both", "against": {"run": "a"}}, "'ratio' or 'difference'"),
    ],
)
def test_what_is_written_wrong(expectation: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Expectation(metric="loss", at_most=1.0, **expectation)


HEAD = """name: bounds
models:
  a: {transformers: some/a}
matrix: {precision: [fp32, int8]}
measures:
  - perplexity: {text: microworld/test}
expect:
"""


def test_a_suite_says_it(tmp_path: Path) -> None:
    path = tmp_path / "bounds.yaml"
    line = "  - {metric: perplexity, against: {run: bounds, precision: fp32}, by: difference, at_most: 0.1}\n"
    path.write_text(HEAD + line)
    loaded = load_suite(str(path)).suite
    assert loaded.expect[0].stored == "bounds" and loaded.expect[0].replaced == {"precision": "fp32"}
    assert parse_suite(suite_text(loaded)).expect == loaded.expect
    path.write_text(HEAD + "  - {metric: perplexity, against: {run: main, precison: fp32}, at_most: 1.1}\n")
    with pytest.raises(UserError, match=r"bounds.yaml:8: expect.0.against: no cell has 'precison' .did you mean 'prec"):
        load_suite(str(path))
    path.write_text(HEAD + "  - {metric: perplexity, against: {run: latest}, at_most: 1.1}\n")
    with pytest.raises(UserError, match=r"bounds.yaml:8: .*`run: latest` would be another run each time"):
        load_suite(str(path))
