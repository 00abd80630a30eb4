"""Whether a time was measured on a busy machine, and how a result says so.

A speed that was measured while other programs used the cores is theirs as much as the model's. It is shown, because it
was asked for, but not kept: the next run measures it again instead of giving it out as a result.
"""

from __future__ import annotations

from harness.measures.registry import MEASURES
from harness.results.conditions import QUIET
from harness.results.record import CellResult, Status


def is_noise(cell: CellResult) -> bool:
    """Whether a cell measured time while others took more than `QUIET` of the cores; False where that is unknown."""
    return is_timed(cell) and (cell.conditions.get("others_share") or 0.0) > QUIET


def about_its_time(cell: CellResult) -> str:
    """What must be said beside a time: that it is noise and not kept, or, from the cache, when and how it was measured;
    empty for what is no time, and for one that was measured now on a quiet machine."""
    if not is_timed(cell):
        return ""
    share = cell.conditions.get("others_share")
    if cell.source == "cache":
        others = "" if share is None else f", others took {share:.0%} of the cores"
        return f"measured {cell.measured or 'earlier'}{others}"
    return f"others took {share:.0%} of the cores: not kept for later runs" if is_noise(cell) else ""


def is_timed(cell: CellResult) -> bool:
    """Whether a cell ended well and its numbers are times."""
    measure = MEASURES.get(cell.measure)
    return measure is not None and measure.timed and cell.status is Status.OK
