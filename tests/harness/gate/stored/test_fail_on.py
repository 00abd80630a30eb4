"""`harness compare --fail-on`: what is worse, different or incomparable ends a build, and noise does not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result
from typer.testing import CliRunner

from harness.cli.app import app
from harness.comparison import metric_kind
from harness.comparison.compare import compare as compare_runs
from harness.errors import ExitCode, UserError
from harness.gate.stored.fail_on import FailOn, Found, kinds_of, look_for
from harness.gate.stored.what_changed import of_what
from harness.results.record import Status
from harness.results.run import Run
from tests.harness.gate.gate_runs import Makes, broken


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(metric_kind, "is_counted", lambda metric: metric.name == "weight_bytes")
    return Makes(builders, tmp_path / "results/runs")


def found(kind: FailOn, base: Run, head: Run, tolerance: float = 0.0) -> Found:
    (one,) = look_for([kind], base, head, compare_runs(base, head), tolerance)
    return one


def command(*words: str) -> Result:
    done = CliRunner().invoke(app, ["compare", "base", "head", *words], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_identical_runs_are_nothing(make: Makes) -> None:
    make.run("base"), make.run("head", slower=3.0)
    plain, strict = command(), command("--fail-on", "worse,different", "--fail-on", "incomparable")
    assert plain.exit_code == strict.exit_code == ExitCode.PASS
    assert strict.output.startswith(plain.output), "the table first, and it is the same"
    last = strict.output.splitlines()[-5:]
    assert last[0].startswith("12 timed metrics are undecided, as two runs made one after the other decide no time")
    assert last[1].startswith("worse: none of ") and last[3].startswith("different: none of ")
    assert last[4].startswith("incomparable: none of ")


def test_a_clearly_worse_run_fails(make: Makes) -> None:
    make.run("base"), make.run("head", shift=0.05)
    assert command().exit_code == ExitCode.PASS
    done = command("--fail-on", "worse")
    assert done.exit_code == ExitCode.UNMET
    last = done.output.splitlines()[-1]
    assert last.startswith("worse: 6 of ") and "(nano, fp32" in last and last.endswith("; and 3 more")
    assert "+5.1" in last and command("--fail-on", "incomparable").exit_code == ExitCode.PASS


def test_a_perfect_model_that_broke_is_worse_though_its_documents_are_few(make: Makes) -> None:
    """Six documents that were predicted for certain: their loss was 0, of which there is no share."""
    runs = []
    for name, loss in (("base", 0.0), ("head", 5.6)):
        samples = make.builders.quality_samples("nano", "fp32", 6)
        samples = samples.assign(nll=samples["tokens"] * loss)
        axes, asked = {"precision": "fp32", "device": "cpu"}, {"text": "microworld/test"}
        measured = make.builders.quality_measurements(samples)
        cell = make.builders.cell_result(
            make.folder / name, "nano", "perplexity", axes, asked, measured, samples=samples
        )
        runs.append(make.run(name, cells=[cell]))
    one = found(FailOn.WORSE, *runs)
    assert one.exit_code is ExitCode.UNMET and "the base's mean is 0" in one.sentence
    assert "6 are too few for the test, so each of them was looked at" in one.sentence


def test_a_slower_run_alone_is_never_worse(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", slower=5.0)
    assert found(FailOn.WORSE, base, head).exit_code is ExitCode.PASS


def test_less_than_the_margin_is_told_and_does_not_count(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", shift=0.003)
    one = found(FailOn.WORSE, base, head)
    assert one.exit_code is ExitCode.PASS
    assert one.notes[0] == "6 more are worse for certain, but by less than the margin, which doesn't count"


def test_better_is_not_worse_and_different(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", shift=-0.05)
    assert found(FailOn.WORSE, base, head).exit_code is ExitCode.PASS
    one = found(FailOn.DIFFERENT, base, head)
    assert one.exit_code is ExitCode.UNMET and "%)" in one.sentence and "loss (nano, fp32" in "".join(one.named)
    assert found(FailOn.DIFFERENT, base, head, 0.3).exit_code is ExitCode.PASS
    assert found(FailOn.DIFFERENT, base, head, 0.01).exit_code is ExitCode.UNMET


def test_more_memory_and_more_bytes_are_worse(make: Makes) -> None:
    base = make.run("base")
    one = found(FailOn.WORSE, base, make.run("heavy", bytes_more=1))
    assert one.exit_code is ExitCode.UNMET and "a count has to be equal" in one.sentence
    assert found(FailOn.WORSE, base, make.run("fat", memory=1.5)).sentence.count("peak_memory") == 2


def test_what_broke_is_worse_and_incomparable(make: Makes) -> None:
    base = make.run("base")
    cells = make.cells(make.folder / "head")
    head = make.run("head", cells=[broken(cells[0], Status.FAILED, "no kernel"), *cells[1:]])
    one = found(FailOn.WORSE, base, head)
    assert (
        one.named[0]
        == "perplexity (nano, fp32, threads 2, microworld/test): the cell was fine in the base and failed: no kernel"
    )
    assert found(FailOn.INCOMPARABLE, base, head).exit_code is ExitCode.NOT_COMPARABLE
    assert command("--fail-on", "incomparable").exit_code == ExitCode.NOT_COMPARABLE
    assert command("--fail-on", "incomparable,worse").exit_code == ExitCode.UNMET, "worse counts first"
    assert command().exit_code == ExitCode.PASS


def test_cells_that_one_has_and_other_machines_are_incomparable(make: Makes) -> None:
    base = make.run("base")
    one = found(FailOn.INCOMPARABLE, base, make.run("less", precisions=["fp32"]))
    assert one.named == ("only the base has this cell (13 times)",)
    make.run("head", machine="e" * 8, fingerprint={"cpu_model": "another"}, fingerprint_class="e" * 8)
    done = command("--fail-on", "incomparable")
    assert done.exit_code == ExitCode.NOT_COMPARABLE and "the machines differ" in done.output.splitlines()[-1]


def test_other_weights_and_texts_are_different(make: Makes) -> None:
    base = make.run("base")
    cells = make.cells(make.folder / "head")
    records = [one.model_copy(update={"model_digest": "another digest"}) for one in cells[0].records]
    head = make.run("head", cells=[cells[0].model_copy(update={"records": records}), *cells[1:]])
    one = found(FailOn.DIFFERENT, base, head, 0.5)
    assert one.named == ("the model nano: digest-of-na and another dige",)


def test_a_digest_is_called_what_it_is_of() -> None:
    """Known bad: "weights of nano", which two machines train to other bits under the same digest."""
    assert "not the weights" in of_what("nano", {"settings": {}, "kind": "reference", "path": "p"})
    assert of_what("mine", {"kind": "in_memory", "path": "1"}) == "weights and code of mine"
    assert of_what("folder", {"kind": "transformers", "path": "p"}) == "the files of folder"


def test_a_damaged_run_is_told_of_before_what_can_not_be_compared(make: Makes) -> None:
    make.run("base"), make.run("head")
    run = Run(make.folder / "head")
    cell = next(cell for cell in run.cells if cell.samples)
    run.samples_file(cell).write_bytes(b"")
    assert command("--fail-on", "incomparable,worse").exit_code == ExitCode.USAGE


def test_words() -> None:
    assert kinds_of(["worse, different", "worse"]) == [FailOn.WORSE, FailOn.DIFFERENT]
    for typed in (["better"], [""], ["worse,"]):
        with pytest.raises(UserError, match="fail_on: is worse, different or incomparable, not"):
            kinds_of(typed)


def test_a_tolerance_wants_its_kind(make: Makes) -> None:
    make.run("base"), make.run("head")
    with pytest.raises(UserError, match="--tolerance: says how far values may differ"):
        command("--fail-on", "worse", "--tolerance", "0.1")
