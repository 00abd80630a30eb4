"""A speed counts only where as much text was generated."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from harness.evidence.selection import Point
from harness.gate.stored.generated_length import generated_tokens, why_other_length
from harness.gate.stored.stored_runs import judge_runs
from harness.gate.verdict import Verdict
from harness.measures.task.samples.columns import CONTINUATION_IDS, FINISH
from harness.results.record import CellResult
from harness.results.run import Run
from tests.harness.gate.gate_runs import Makes, stand_in


def timed(tokens: int) -> pd.DataFrame:
    return pd.DataFrame({"iteration": [0, 1], "ttft_s": [0.1, 0.1], "step_s": [[0.01] * (tokens - 1)] * 2})


def answered(tokens: int) -> pd.DataFrame:
    rows = [{**CONTINUATION_IDS.cell([[1] * tokens]), **FINISH.cell(["stop"])} for _ in range(3)]
    return pd.DataFrame([*rows, {**CONTINUATION_IDS.cell([[1, 2]]), **FINISH.cell([])}])  # the last one was scored


def probed(tokens: int) -> pd.DataFrame:
    return pd.DataFrame({"document": ["a", "b"], "continuation": [[1] * tokens, None], "ended_by": ["stop", None]})


def point(builders: ModuleType, folder: Path, samples: pd.DataFrame | None) -> Point:
    cell: CellResult = builders.cell_result(
        folder,
        "nano",
        "inference",
        {"precision": "fp32"},
        {},
        builders.speed_measurements("nano", "fp32", 1)[:1],
        samples=samples,
    )
    run: Run = builders.write_run(folder, cells=[cell])
    return Point(run, run.cells[0], run.cells[0].records[0])


@pytest.mark.parametrize(("written", "total"), [(timed, 2), (answered, 3), (probed, 1)])
def test_what_was_written_is_counted_and_compared(
    builders: ModuleType, tmp_path: Path, written: object, total: int
) -> None:
    assert callable(written)
    base = point(builders, tmp_path / "base", written(100))
    assert generated_tokens(base.run, base.cell) == 100 * total
    for tokens in (90, 100, 110):
        assert why_other_length([(base, point(builders, tmp_path / f"{tokens}", written(tokens)))]) is None
    for tokens in (50, 89, 111, 300):
        told = why_other_length([(base, point(builders, tmp_path / f"{tokens}", written(tokens)))])
        assert told is not None and f"the head wrote {tokens} % of the base's text" in told


def test_what_writes_nothing_is_as_long(builders: ModuleType, tmp_path: Path) -> None:
    silent = pd.DataFrame({"document": ["a"], "nll": [1.0]})
    for number, samples in enumerate((None, silent, probed(1).assign(continuation=None))):
        one = point(builders, tmp_path / str(number), samples)
        assert generated_tokens(one.run, one.cell) is None and why_other_length([(one, one)]) is None


def test_known_bad_a_model_that_stops_early_is_not_quicker(
    builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong stop token: less is written, in less time."""
    stand_in(monkeypatch)
    make = Makes(builders, tmp_path)
    runs = []
    for name, tokens in (("base", 64), ("head", 20)):
        cells = make.cells(tmp_path / name)
        one = point(builders, tmp_path / f"of {name}", timed(tokens)).cell
        (tmp_path / name / "samples").mkdir(exist_ok=True)
        source = tmp_path / f"of {name}" / str(one.samples)
        (tmp_path / name / str(one.samples)).write_bytes(source.read_bytes())
        cells[4] = cells[4].model_copy(update={"samples": one.samples})
        runs.append(make.run(name, "{metric: ttft, where: {precision: int8}}", cells=cells))
    result = judge_runs(*runs)
    (row,) = [row for row in result.rows if row.metric == "ttft"]
    assert row.verdict is Verdict.INCONCLUSIVE
    assert (
        "void" in row.reason and "the head wrote 31 % of the base's text (inference: 128 and 40 tokens)" in row.reason
    )
