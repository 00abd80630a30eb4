"""`harness explain` and `harness diff` as a user meets them."""

import json
import sys
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

import harness
from harness.cli import main
from harness.measures.task.samples.columns import PROGRAMS
from harness.report.output.json_schema import output_schema


@pytest.fixture
def runs(task_builders: ModuleType, tmp_path: Path) -> Path:
    """Two runs in `results/runs`, which differ in the answer to one of three questions."""
    b, out = task_builders, tmp_path / "results" / "runs"
    for name, margin in (("before", 1.0), ("after", -1.0)):
        rows = [
            b.choice_row(n, f"Question {n}.", ["yes", "no"], [-2, -2 - (margin if n == 1 else 1)]) for n in range(3)
        ]
        b.task_run(out / name, [b.task_cell(out / name, rows)])
    return out


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["harness", *arguments])
        patch.setenv("COLUMNS", "160")
        main()
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out, output.err


def test_diff_tells_what_flipped_and_exits_with_0(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = command(capsys, "diff", "before", "after")
    assert code == 0
    assert "+1.0000 and -1.0000 nats" in output
    code, output, _ = command(capsys, "diff", "before", "after", "--limit", "0")
    assert code == 0 and "capitals: 1 flipped; what differs first: log-probabilities 1" in output


def test_explain_shows_what_flipped(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = command(capsys, "explain", "after", "capitals", "1", "--where", "precision=fp32")
    assert code == 0
    assert "|Question| 1|.|" in output and "choice 0 (right)" in output


def test_explain_without_a_task_means_the_only_one(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = command(capsys, "explain", "after", "capitals", "1", "--where", "precision=fp32")
    assert command(capsys, "explain", "after", "1", "--where", "precision=fp32") == named and named[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("explain", "after", "capitols", "1"), "did you mean 'capitals'?"),
        (("explain", "nothing", "capitals", "1"), "no run 'nothing'"),
        (("explain", "after", "capitals", "one"), "document: should be a whole number, not 'one'"),
        (("diff", "before", "nothing"), "no run 'nothing'"),
        (("diff", "before", "before"), "a run differs in nothing from itself"),
        (("diff", "before", "after", "--metric", "akk"), "there are: acc, acc_norm"),
    ],
)
def test_a_mistake_is_one_sentence(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    code, _, errors = command(capsys, *arguments)
    assert code == 2
    assert sentence in errors and "Traceback" not in errors


def test_the_same_in_python(runs: Path) -> None:
    found = harness.diff("before", "after", out=runs)
    assert found.flips["document"].tolist() == [1]
    assert found.counts["paired"].tolist() == [3]
    (one,) = harness.explain("after", "capitals", 1, out=runs)
    assert one.document.predictions["acc"] == 1


def rows_of(output: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(output)
    return found


@pytest.fixture
def written(task_builders: ModuleType, tmp_path: Path) -> Path:
    """One cell with choices, one with written answers, one of likelihoods, one of programs."""
    b, folder = task_builders, tmp_path / "results" / "runs" / "written"
    choices = [b.choice_row(n, f"Question {n} =x|y.", ["yes", "no"], [-2, -1 if n % 2 else -3]) for n in range(5)]
    sums = [b.written_row(n, f"1 + {n} =", [f" {n}\n"], "5", {"none": str(n + 1)}) for n in range(5)]
    words = [b.continuation_row(n, "The cat sat on the", " mat", -0.5 if n else -9.0) for n in range(2)]
    programs = [b.written_row(0, "def f():", [" return 1"], "check(f)", {"none": "def f(): return 1"}, task="code")]
    programs[0] |= PROGRAMS.cell({"none": ["AssertionError: 1 is not 2"]})
    cells = [b.task_cell(folder, rows) for rows in (choices, sums, words, programs)]
    b.task_run(folder, cells)
    return folder


def test_wrong_answers_of_choices(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = command(capsys, "explain", "written", "capitals", "--wrong")
    assert code == 0 and "2 of 5 wrong by acc" in output and "-1.0000" in output and "Question 1 =x|y." in output
    code, output, _ = command(capsys, "explain", "written", "capitals", "--wrong", "1")
    assert "Question 3" not in output and "1 more: --wrong 2 lists all" in output
    code, output, errors = command(capsys, "explain", "written", "capitals", "--wrong", "--format", "json")
    rows = rows_of(output)
    assert errors == "" and [row["document"] for row in rows] == [1, 3]
    assert rows[0]["answer"] == "no" and rows[0]["right"] == "yes" and rows[0]["margin"] == -1.0
    jsonschema.validate(rows, output_schema("explain"))
    _, output, _ = command(capsys, "explain", "written", "capitals", "--wrong", "--format", "md")
    assert r"Question 1 =x\|y." in output


def test_wrong_answers_in_python(written: Path) -> None:
    frame = harness.wrong_answers(written, "capitals")
    assert frame["document"].tolist() == [1, 3] and frame["margin"].tolist() == [-1.0, -1.0]
    assert len(harness.wrong_answers(written, "capitals", where="precision=fp32", limit=1)) == 1


def test_wrong_answers_that_were_written(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = command(capsys, "explain", "written", "sums", "--wrong", "--format", "json")
    rows = rows_of(output)
    assert [(row["document"], row["answer"], row["right"], row["margin"]) for row in rows] == [
        (n, str(n + 1), "5", None) for n in range(4)
    ]
    assert rows[0]["question"] == "1 + 0 ="
    _, output, _ = command(capsys, "explain", "written", "code", "--wrong")
    assert "AssertionError: 1 is not 2" in output and "def f(): return 1" in output


def test_wrong_answers_of_likelihoods(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = command(capsys, "explain", "written", "last_words", "--wrong", "--format", "csv")
    assert output.count("\n") == 2 and "The cat sat on the,,mat,0.0,," in output.replace(" mat", "mat")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("capitols", "--wrong"), "did you mean 'capitals'?"),
        (("capitals", "--wrong", "0"), "at least one"),
        (("capitals", "--wrong", "--metric", "akk"), "there are: acc, acc_norm"),
        (("capitals", "--wrong", "--model", "mega"), "there are: nano"),
        (("capitals",), "which document? `harness explain written capitals 0`, or --wrong"),
        (("capitals", "1", "--format", "json"), "this goes with --wrong"),
        (("capitals", "--wrong", "--format", "jsn"), "did you mean 'json'?"),
        (("texts", "--wrong"), "no task 'texts'"),
    ],
)
def test_a_mistake_about_wrong_answers_is_one_sentence(
    written: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    code, output, errors = command(capsys, "explain", "written", *arguments)
    assert code == 2 and output == ""
    assert sentence in errors and errors.count("\n") == 1


def test_what_flipped_as_data(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = command(capsys, "diff", "before", "after", "--format", "json")
    (row,) = rows_of(output)
    assert code == 0 and errors == "" and row["document"] == 1 and row["base_right"] is True
    jsonschema.validate([row], output_schema("diff"))
    _, output, _ = command(capsys, "diff", "before", "after", "--format", "json", "--limit", "0")
    (row,) = rows_of(output)
    assert (row["paired"], row["both"], row["only_base"]) == (3, 2, 1)
    jsonschema.validate([row], output_schema("diff"))


def test_two_models_of_one_run(task_builders: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    b, folder = task_builders, tmp_path / "results" / "runs" / "two"
    cells = [
        b.task_cell(folder, [b.choice_row(n, f"Q {n}.", ["yes", "no"], [-2, at]) for n in range(2)], model=model)
        for model, at in (("nano", -3), ("micro", -1))
    ]
    b.task_run(folder, cells)
    between = ("two", "two", "--base", "model=nano", "--head", "model=micro")
    code, output, errors = command(capsys, "diff", *between, "--task", "capitals", "--format", "csv")
    assert code == 0 and errors == "" and output.count("\n") == 3 and output.splitlines()[1].startswith("capitals,0,")
    _, output, _ = command(capsys, "explain", "two", "capitals", "--wrong", "--model", "micro", "--format", "csv")
    assert output.count("\n") == 3
