"""What a run knows of models that took turns: each ratio of times with its interval, and what that shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.measures.side_by_side import NAME, SAME_CODE_SCATTER, TIME_RATIO
from harness.results.record import CellResult, Record, Scalar

if TYPE_CHECKING:
    import pandas as pd

FASTER, SLOWER, NO_DIFFERENCE = "faster", "slower", "no difference shown"
NO_INTERVAL = "nothing: no interval"


@dataclass(frozen=True)
class SideBySide:
    """One model against another one, by one of their times."""

    at: dict[str, Scalar]
    """Model, axes and settings of the comparison."""
    ratio: Record | None
    """None where the two could not be compared."""
    scatter: float | None
    """Of identical code: see `SAME_CODE_SCATTER`."""
    why_not: str
    """Why there is no ratio; empty where there is one."""

    @property
    def head(self) -> str:
        """What is compared: `model int8`."""
        return f"{self.at['model']} {self.at.get('precision', '')}".strip()

    @property
    def base(self) -> str:
        """What it is compared with."""
        return str(self.at.get("against"))

    @property
    def shows(self) -> str:
        """Which is faster, as far as the interval says it; empty where there is no ratio."""
        if self.ratio is None:
            return ""
        if self.ratio.low is None or self.ratio.high is None:
            return NO_INTERVAL
        return FASTER if self.ratio.high < 1 else SLOWER if self.ratio.low > 1 else NO_DIFFERENCE


def side_by_side(cells: Iterable[CellResult]) -> list[SideBySide]:
    """The comparisons among cells, in their order."""
    return [_read(cell) for cell in cells if cell.measure == NAME]


def ratios_frame(cells: Iterable[CellResult]) -> pd.DataFrame:
    """A row for each comparison: head, base, times (`ttft`, `tpot`), batch, ratio (of times: below 1 the head is
    faster), low, high, n, n_unit, interval, shows, scatter, why_not."""
    import pandas as pd

    rows = []
    for one in side_by_side(cells):
        of = one.ratio
        rows.append(
            {
                **{"head": one.head, "base": one.base, "times": one.at.get("times"), "batch": one.at.get("batch")},
                **{"ratio": of and of.value, "low": of and of.low, "high": of and of.high},
                **{"n": of and of.n, "n_unit": of and of.n_unit, "interval": of and of.interval},
                **{"shows": one.shows, "scatter": one.scatter, "why_not": one.why_not},
            }
        )
    columns = [
        *("head", "base", "times", "batch", "ratio", "low", "high"),
        *("n", "n_unit", "interval", "shows", "scatter", "why_not"),
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype(dict.fromkeys(("ratio", "low", "high", "scatter"), float) | {"n": "Int64"})


def _read(cell: CellResult) -> SideBySide:
    by_metric = {record.metric: record for record in cell.records if record.value is not None}
    scatter = by_metric.get(SAME_CODE_SCATTER.name)
    ratio = by_metric.get(TIME_RATIO.name)
    why_not = "" if ratio is not None else cell.reason or "no ratio was asked for"
    at = {"model": cell.model, **cell.axes, **cell.settings}
    return SideBySide(at, ratio, None if scatter is None else scatter.value, why_not)
