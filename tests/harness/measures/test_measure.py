"""Notes that samples carry to the cell's result."""

from __future__ import annotations

import pandas as pd

from harness.measures.measure import notes_of, with_notes


def test_notes_travel_with_the_samples() -> None:
    samples = with_notes([{"x": 1}, {"x": 2}], ["b.doc was passed over", "b.doc was passed over", "another"])
    assert notes_of(pd.DataFrame(samples)) == ["b.doc was passed over", "another"]
    launches = pd.concat([pd.DataFrame(samples)] * 2)
    assert notes_of(launches) == ["b.doc was passed over", "another"]


def test_no_notes_leave_no_column() -> None:
    samples = with_notes([{"x": 1}], [])
    assert samples == [{"x": 1}]
    assert notes_of(pd.DataFrame(samples)) == []
