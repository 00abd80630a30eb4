"""A suite of 5,000 cells, the most that one may have: multiplied out, resolved, every key computed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.execution.plan import Plan, make_plan
from harness.suite.load import multiplied_out, parse_suite

PRECISIONS = ["fp32", "bf16", "int8", "int4", "int8-dynamic"]


def planned(checkpoint: Path, prompts: list[int], generated: list[int], batches: list[int]) -> Plan:
    """The plan of a suite with two models, five precisions and so many settings."""
    suite = parse_suite(
        f"name: wide\nmodels: {{a: {{reference: {checkpoint}}}, b: {{reference: {checkpoint}}}}}\n"
        f"matrix: {{precision: [{', '.join(PRECISIONS)}]}}\n"
        f"measures:\n  - inference: {{prompt: {prompts}, generate: {generated}, batch: {batches}}}\n"
    )
    return make_plan(multiplied_out(suite))


@pytest.mark.benchmark(group="planning", max_time=5.0)
def test_a_plan(
    benchmark: BenchmarkFixture, checkpoint: Path, timed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5,000 cells of which none is cached."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    sizes = (list(range(8, 18)), list(range(8, 18)), [1, 2, 3, 4, 5]) if timed else ([8, 9], [8], [1, 2])
    found = benchmark(planned, checkpoint, *sizes)
    cells = {(cell.cell.model, str(cell.cell.axes), str(cell.cell.settings)): cell.key for cell in found.cells}
    assert len(cells) == len(found.cells) == 10 * len(sizes[0]) * len(sizes[1]) * len(sizes[2])
    alone = planned(checkpoint, sizes[0][-1:], sizes[1][-1:], sizes[2][-1:])
    assert len(alone.cells) == 10
    for one in alone.cells:
        assert cells[one.cell.model, str(one.cell.axes), str(one.cell.settings)] == one.key
    assert len(set(cells.values())) == len(cells) // 2, "both models are the same checkpoint"
