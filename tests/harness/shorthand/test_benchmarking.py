"""What `harness bench` stands for."""

from __future__ import annotations

from harness.shorthand.benchmarking import UNTRAINED, bench_suite, untrained
from harness.suite.load import load_suite


def test_cells_of_every_precision_and_batch() -> None:
    entries = {"nano": {"reference": "nano", "train": dict(UNTRAINED)}}
    suite = bench_suite(entries, precision=["fp32", "int8"], batch=[1, 8], prompt=32, new=8, threads=1)
    assert suite["about"].startswith("Untrained: nano.")
    cells = load_suite(suite).cells
    assert len(cells) == 8
    assert {(cell.measure, cell.axes["precision"]) for cell in cells} == {
        (measure, precision) for measure in ("inference", "memory") for precision in ("fp32", "int8")
    }
    assert {cell.settings["context"] for cell in cells if cell.measure == "memory"} == {40}
    assert untrained(entries) == ["nano"]
    assert len(load_suite(bench_suite(entries, batch=[1], memory=False)).cells) == 1
