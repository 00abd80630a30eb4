"""The baselines that are here, and how one was moved, as DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.results.baseline import BASELINES, PREFIX, Baseline, BaselineMissing, baselines, find_baseline

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("baseline", "suite", "run", "commit", "dirty", "who", "why", "time", "moves", "bytes", "problem")


def list_baselines(below: str | Path = BASELINES) -> pd.DataFrame:
    """A row for each baseline, by name: what it is, from which commit, who set it when and why; `problem` says what is
    wrong with one, which is then compared with nothing."""
    import pandas as pd

    return pd.DataFrame([_row(one) for one in baselines(Path(below))], columns=list(COLUMNS))


def baseline_log(name: str, below: str | Path = BASELINES) -> pd.DataFrame:
    """A row for each move of a baseline, oldest first; `before` and `before_commit` are the run that it was. Raises
    UserError where there is no such baseline, or a later version wrote its log."""
    import pandas as pd

    rows = []
    for move in find_baseline(name, Path(below)).moves:
        told = move.model_dump(mode="python", exclude={"before", "schema_version", "cells_sha256"})
        before = None if move.before is None else move.before
        rows.append(told | {"before": before and before.run, "before_commit": before and before.commit})
    frame = pd.DataFrame(rows).astype(object)
    return frame.where(frame.notna(), None)


def open_baseline(name: str | None = None, below: str | Path = BASELINES) -> Baseline:
    """A baseline by name; left out, the only one. Raises UserError, and BaselineMissing where there is none."""
    if name is not None:
        return find_baseline(name.removeprefix(PREFIX), Path(below))
    there = baselines(Path(below))
    if not there:
        raise BaselineMissing(
            "there is no baseline here; `harness baseline set RUN --why REASON` makes one", place=str(below)
        )
    if len(there) > 1:
        raise UserError(f"name one of {', '.join(one.name for one in there)}", place=str(below))
    return there[0]


def _row(baseline: Baseline) -> dict[str, object]:
    problem = baseline.problem
    try:
        last = baseline.moves[-1] if baseline.moves else None
    except UserError:
        last = None
    told = {} if last is None else last.model_dump(include=set(COLUMNS))
    moves = 0 if last is None else last.number
    return {"baseline": baseline.name, "moves": moves, "bytes": baseline.size, "problem": problem, **told}
