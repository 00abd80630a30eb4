"""The chart of quality against speed: which of a cell's numbers it draws."""

from harness.charts.tradeoff import tradeoff_values
from harness.results.run import Run


def test_tradeoff_takes_the_smallest_batch(full_run: Run) -> None:
    rows = tradeoff_values(full_run)
    assert len(rows) == 16
    assert all("batch 1," in row["speed_told"] for row in rows)
    assert {row["text"] for row in rows} == {"microworld/test", "asset:shakespeare/test"}
