"""`harness explain` and `harness diff` as a user meets them."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import harness
from harness.cli import main


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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("explain", "after", "capitols", "1"), "did you mean 'capitals'?"),
        (("explain", "nothing", "capitals", "1"), "no run 'nothing'"),
        (("explain", "after", "capitals", "one"), "Invalid value"),
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
