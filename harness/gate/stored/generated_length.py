"""How much text the cells of two runs generated: a model that writes less is quicker without being faster."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import UserError
from harness.evidence.selection import Point
from harness.measures.task.samples.columns import CONTINUATION_IDS, FINISH
from harness.results.record import CellResult
from harness.results.run import Run

LEAST, MOST = 0.9, 1.1
"""What the head may write, as a share of what the base wrote, for its speed to count (as in MLPerf inference)."""
STEPS = "step_s"
"""Column of a timed generation: a time for each token after the first."""
CONTINUATION = "continuation"
"""Column of a probe: the tokens that continue a document, in the rows of those that were continued."""


def why_other_length(pairs: Iterable[tuple[Point, Point]]) -> str | None:
    """Why a speed does not count, as a sentence; None where all cells that generate text wrote as much, or none does.

    pairs: of the speed itself and of its guards.
    """
    for base, head in pairs:
        before, after = generated_tokens(base.run, base.cell), generated_tokens(head.run, head.cell)
        if before is None or after is None or not before:
            continue
        if not LEAST <= after / before <= MOST:
            return (
                f"the head wrote {100 * after / before:.0f} % of the base's text ({base.cell.measure}: {before:,} and "
                f"{after:,} tokens), and a speed counts within {100 * LEAST:.0f} to {100 * MOST:.0f} %"
            )
    return None


def generated_tokens(run: Run, cell: CellResult) -> int | None:
    """Tokens that a cell's model wrote; None where it wrote none, or its samples do not say."""
    if cell.samples is None:
        return None
    try:
        samples = run.samples_of(cell)
    except UserError:  # told of where the samples are judged
        return None
    if STEPS in samples:
        return int(sum(1 + len(steps) for steps in samples[STEPS] if steps is not None))
    if CONTINUATION in samples:
        tokens = [len(one) for one in samples[CONTINUATION] if one is not None and not isinstance(one, float)]
        return sum(tokens) if tokens else None
    answers = [
        sum(len(one) for one in ids)
        for ids, ended in zip(CONTINUATION_IDS.all(samples), FINISH.all(samples), strict=True)
        if ended
    ]
    return sum(answers) if answers else None
