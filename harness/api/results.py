"""What a run comes back as: its numbers, its evidence and its report, in a notebook too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness.results.run import Run
from harness.results.run_folder import HTML

if TYPE_CHECKING:
    import pandas as pd

    from harness.report.report import Report


class Results(Run):
    """The results of one run: `Run` (records, findings, expectations, cells) with all samples, its headline numbers and
    its report. Everything is read from the run's folder when it is asked for."""

    @cached_property
    def samples(self) -> pd.DataFrame:
        """What the numbers were made of: a row for each document, iteration or launch, with the model, the measure and
        the axes of its cell before the columns of its measure. Raises UserError where they are missing or damaged."""
        import pandas as pd

        frames = []
        for cell in self.cells:
            if not self.samples_file(cell).is_file():
                continue
            identity = {"model": cell.model, "measure": cell.measure, **cell.axes}
            frame = self.samples_of(cell)
            frame = frame.drop(columns=[name for name in identity if name in frame])
            for place, (name, value) in enumerate(identity.items()):
                frame.insert(place, name, value)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["model", "measure"])

    @property
    def exit_code(self) -> int:
        """What `harness run` exits with: 0 all well, 1 an expectation is unmet, 2 something failed, 3 undecided."""
        from harness.results.exit_code import exit_code

        return int(exit_code(self))

    @property
    def report_exit_code(self) -> int:
        """What `harness report` exits with: 2 where an analysis or a report failed, or something is damaged, else 0."""
        from harness.results.exit_code import report_exit_code

        return int(report_exit_code(self))

    def table(self) -> pd.DataFrame:
        """The headline numbers: a row for each thing that was measured (its model, measure, and the axes and settings
        in which rows differ), a column for each metric."""
        from harness.report.headlines import headlines

        return headlines(self)

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """Models side by side, as `harness.bench` compares them: a row for each comparison, with the ratio of times
        (below 1 the head is faster), its interval, and what that shows. Empty where nothing was compared."""
        from harness.evidence.side_by_side import ratios_frame
        from harness.report.results import in_plan_order

        return ratios_frame(in_plan_order(self))

    def numbers(
        self, metrics: str | Sequence[str] = (), where: str | Sequence[str] = (), *, wide: bool = False
    ) -> pd.DataFrame:
        """Every number that is chosen, a row each, as `harness show --format csv` has it (docs/output.md).

        metrics: names or wildcards, `"ppl,acc*"`. where: `"precision=int8"`. wide: all columns. Raises UserError, with
        the nearest name, where nothing is meant.
        """
        from harness.report.output.choice import choice
        from harness.report.output.of_run import run_rows

        names, cells = ([typed] if isinstance(typed, str) else list(typed) for typed in (metrics, where))
        return run_rows(self, choice(names, cells, wide)).frame

    @cached_property
    def made(self) -> Report | None:
        """The report as it was written, for who prints it; None where it could not be made, which the manifest's
        `problems` tell."""
        from harness.report.making import of_run

        return of_run(self)

    @classmethod
    def of(cls, run: Run) -> Self:
        """The same run as results; what was read of it is not read again."""
        results = cls(run.folder)
        results.__dict__.update({name: value for name, value in run.__dict__.items() if name not in results.__dict__})
        return results

    def with_report(self, made: Report | None) -> Self:
        """The same results, whose report was made just now."""
        self.__dict__["made"] = made
        return self

    def report(self) -> Path:
        """The page `report.html`; made again from the cells where it is not there."""
        if not (self.folder / HTML).is_file():
            from harness.conclusion import report_again

            report_again(self)
        return self.folder / HTML

    def __repr__(self) -> str:
        from harness.errors import UserError

        try:
            numbers = self.table().to_string(index=False)
        except UserError as error:
            numbers = str(error)
        return f"{type(self).__name__} of {self.folder}\n{numbers}"

    def _repr_html_(self) -> str:
        """In a notebook: the tables of the report."""
        from harness.report.html import part_of_page
        from harness.report.making import of_run

        return part_of_page(self.made or of_run(self))
