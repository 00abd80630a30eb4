"""`harness compare` as a function: two stored runs side by side, what changed around them, and what is looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.comparison.compare import compared_frame, comparison_rows
from harness.errors import ExitCode, UserError, WrongArgument
from harness.gate.stored.fail_on import FailOn, Found, kinds_of, look_for
from harness.results.find import find_cells, run_before
from harness.results.run import Run
from harness.results.software import software_changes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CheckedRuns:
    """Two runs side by side, and what was found of what was looked for."""

    base: Run
    head: Run
    names: tuple[str, ...]
    """Coordinates of the rows: model, measure, axes and settings."""
    rows: tuple[Mapping[str, Any], ...]
    """One for each metric of each cell, as `harness.compare` has them."""
    software: tuple[str, ...]
    """What changed in the software, a sentence each."""
    found: tuple[Found, ...]
    """Of each kind that was looked for: `.sentence`, `.notes` and `.exit_code`."""

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        return compared_frame(self.names, self.rows)

    @property
    def problems(self) -> list[str]:
        """Samples that can't be read, a sentence each; the other cells are compared."""
        return list(dict.fromkeys(str(row["reason"]) for row in self.rows if row["damaged"]))

    @property
    def exit_code(self) -> ExitCode:
        """What `harness compare` exits with: 1 where something is worse or different that was looked for, 2 where
        something is damaged, 4 where nothing, or something that was looked for, is not comparable."""
        codes = {one.exit_code for one in self.found}
        if ExitCode.UNMET in codes:
            return ExitCode.UNMET
        if self.problems:
            return ExitCode.USAGE
        comparable = any(row["comparable"] for row in self.rows)
        if not comparable or ExitCode.NOT_COMPARABLE in codes:
            return ExitCode.NOT_COMPARABLE
        return ExitCode.USAGE if any(map(_is_damaged, self.runs)) else ExitCode.PASS

    @property
    def runs(self) -> tuple[Run, Run]:
        """The base and the head."""
        return self.base, self.head


def check_runs(
    base: str | Path | Run | None = None,
    head: str | Path | Run = "latest",
    *,
    fail_on: str | Sequence[str] = (),
    tolerance: float | None = None,
    out: str | Path = "results/runs",
) -> CheckedRuns:
    """Two runs side by side, with what changed in the software and an exit code: what `harness compare` prints.

    base: left out, the run of the same suite before `head`. fail_on: `worse`, `different`, `incomparable`, or several
    of them. tolerance: of `different`, the share by which values may differ. Raises UserError.
    """
    kinds = kinds_of([fail_on] if isinstance(fail_on, str) else fail_on)
    if tolerance is not None and FailOn.DIFFERENT not in kinds:
        raise WrongArgument(
            "says how far values may differ: give `fail_on` different too", place="tolerance", beside=("fail_on",)
        )
    first = None if base is None else find_cells(base, Path(out))
    second = find_cells(head, Path(out))
    first = first or run_before(second, Path(out))
    names, rows = comparison_rows(first, second)
    found = look_for(kinds, first, second, compared_frame(names, rows), tolerance or 0.0)
    software = software_changes(_fingerprint(first), _fingerprint(second))
    return CheckedRuns(first, second, tuple(names), tuple(rows), tuple(software), tuple(found))


def _is_damaged(run: Run) -> bool:
    try:
        return run.manifest is None or bool(run.damage_of_cells)
    except UserError:
        return True


def _fingerprint(run: Run) -> dict[str, Any]:
    """That of a run's manifest; nothing where it can't be read."""
    try:
        return run.manifest.fingerprint
    except UserError:
        return {}
