"""`harness.fit`: a scaling law fitted to a table of trained models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.argument_kinds import told_value
from harness.errors import UserError, WrongArgument, shown
from harness.number import with_interval

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.scaling.report import ScalingReport
    from harness.analysis.scaling.runs import Runs
    from harness.report.report import Report
    from harness.results.finding import Finding
    from harness.results.record import Scalar


@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted law: what was found, whether to believe it, and its report."""

    findings: tuple[Finding, ...]
    problems: tuple[str, ...]
    """Why the fit is not to be trusted; empty where nothing says so."""
    notes: tuple[str, ...]
    """What a reader of the numbers must know of the table."""
    scaling: ScalingReport
    """The fit itself: parameters, draws, profiles, certificate."""
    made: Report
    """As it is printed and written."""

    def table(self) -> pd.DataFrame:
        """A row for each finding: analysis, name, value, unit, low, high, interval, n, what it is about, note."""
        import pandas as pd

        hidden = {"data", "subject", "failed"}
        return pd.DataFrame([{**one.subject, **one.model_dump(mode="json", exclude=hidden)} for one in self.findings])

    @property
    def draws(self) -> pd.DataFrame | None:
        """The joint draws of the parameters, a row for each; None without replicates."""
        import pandas as pd

        drawn = self.scaling.draws
        if drawn is None:
            return None
        return pd.DataFrame(drawn.natural, columns=list(self.scaling.fit.law.names))

    def write(self, folder: Path | str) -> list[Path]:
        """Write findings.json, the page, the draws and pictures; returns what was written. Raises UserError."""
        from harness.report.fit_files import write_fit

        make_folder(Path(folder))
        return write_fit(Path(folder), self.made, self.findings, self.draws)

    def __repr__(self) -> str:
        numbers = "\n".join(f"{one.name:>24}  {with_interval(one.value, one.low, one.high)}" for one in self.findings)
        return "\n".join(
            [f"Fit of {self.scaling.fit.law.formula}", *(f"not to be trusted: {why}" for why in self.problems), numbers]
        )

    def _repr_html_(self) -> str:
        """In a notebook: the tables of the report."""
        from harness.report.html import part_of_page

        return part_of_page(self.made)


def fit(
    data: str | Path | pd.DataFrame,
    *,
    law: str = "chinchilla",
    over: str = "compute",
    then: str | None = None,
    objective: str = "huber",
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, float] | None = None,
    counted: str | None = None,
    rows: str | None = None,
    fit_below: float | None = None,
    compute: Sequence[float] = (),
    losses: Sequence[float] = (),
    draw: str | None = None,
    interval: str = "percentile",
    replicates: int = 1000,
    seed: int = 0,
    approaches: bool = False,
    choose: bool = False,
    profiles: bool = True,
    command: str = "",
) -> Fit:
    """Fit a scaling law to a table: a CSV or Parquet file, a published data set by name, or a DataFrame.

    columns: role -> column (`{"parameters": "N"}`); units: role -> factor. fit_below: FLOPs; runs above are predicted.
    compute: budgets in FLOPs for which the best use is wanted; losses: losses for which the compute is wanted. command:
    what the report says it was made by. The rest is as `harness fit` says (docs/scaling.md). Raises UserError.
    """
    from harness.analysis.scaling.findings import findings
    from harness.analysis.scaling.report import scaling_report
    from harness.analysis.scaling.suite.law_choice import LawChoiceSettings, law_choice
    from harness.analysis.scaling.suite.scaling_approaches import approaches as side_by_side
    from harness.analysis.scaling.suite.settings import fit_settings
    from harness.analysis.scaling.two_step_findings import two_step_findings
    from harness.analysis.scaling.work import check_compared, check_work
    from harness.report.making import of_findings

    settings = fit_settings(
        law=law,
        over=over,
        then=then,
        objective=objective,
        fit_below=fit_below,
        compute=list(compute),
        losses=list(losses),
        draw=draw,
        interval=interval,
        replicates=replicates,
        seed=seed,
        profiles=profiles,
    )
    if approaches and not replicates:
        raise WrongArgument(
            "`approaches` compares intervals: it needs replicates", place="replicates", beside=("approaches",)
        )
    runs, title = _runs(data, dict(columns or {}), dict(units or {}), counted, rows)
    check_work(len(runs), settings)
    for asked, option in ((approaches, "--approaches"), (choose, "--choose")):
        if asked:
            check_compared(len(runs), option)
    report = scaling_report(runs, settings)
    about: dict[str, Scalar] = {"data": title}
    found = findings(report, about)
    if settings.then is not None:
        found += two_step_findings(runs, settings, about)
    if approaches:
        found += side_by_side(runs, settings.compute, replicates, about)
    if choose:
        found += law_choice(runs, LawChoiceSettings(replicates=min(max(replicates, 50), 400)), about)
    second = [item.note for item in found if item.name == "error_trust" and item.value == 0]
    problems = [*report.problems, *(f"the second step: {note.partition(': ')[2]}" for note in second)]
    text = f"{report.fit.law.formula} ({report.fit.law.source}), fitted to {len(report.fit.runs)} runs of {title}."
    made = of_findings(f"Scaling law of {title}", text, found, problems, command)
    return Fit(tuple(found), tuple(problems), tuple(runs.flags), report, made)


def make_folder(folder: str | Path) -> None:
    """The folder for what is written, before minutes are spent on it. Raises UserError where none can be made."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        raise UserError("no folder can be made there: something else is in its place", place=str(folder)) from error


def _runs(
    data: str | Path | pd.DataFrame,
    columns: dict[str, str],
    units: dict[str, float],
    counted: str | None,
    rows: str | None,
) -> tuple[Runs, str]:
    """The runs of a file or a published data set, and what to call them."""
    from harness.analysis.scaling.runs import parameter_count, runs_from_frame
    from harness.analysis.scaling.table_file import read_table
    from harness.input_file import refuse_endless, why_no_path
    from harness.published_data import DATA_SETS, data_set, fitted_runs, training_runs
    from harness.published_data import frame as published_frame

    if not isinstance(data, str | Path):
        if rows is not None:
            raise UserError("`rows` names rows of a published data set, not of a DataFrame", place="rows")
        if not hasattr(data, "columns"):
            raise WrongArgument(
                f"should be a table (a DataFrame, or the path of a CSV or Parquet file), not {told_value(data)}",
                place="data",
            )
        found = runs_from_frame(data, columns=columns, units=units, counted=parameter_count(counted))
        return found, "a DataFrame"
    data = str(data)
    path = Path(data)
    if (why := why_no_path(data)) is not None:
        raise UserError(f"{why}; name a CSV or Parquet file", place=shown(data))
    if path.is_file():
        if rows is not None:
            raise WrongArgument(f"names rows of a published data set, not of the file {data}", place="rows")
        return runs_from_frame(
            read_table(path), columns=columns, units=units, counted=parameter_count(counted), place=data
        ), path.name
    if path.is_dir():
        raise UserError("this is a folder; name a CSV or Parquet file in it", place=data)
    if path.exists():
        refuse_endless(path, "a table")
    if data not in DATA_SETS and (path.suffix or "/" in data):
        raise UserError("there is no such file", place=data)
    declared = data_set(data)
    frame = training_runs(data) if rows == "every" else fitted_runs(data, rows)
    whole = published_frame(data)
    others = [name for name in columns.values() if name not in frame and name in whole]
    frame = frame.join(whole[others])
    known = columns | {role: role for role in frame.columns if role in ("parameters", "tokens", "compute", "loss")}
    return runs_from_frame(
        frame.rename(columns={"run": "name"}),
        columns=known,
        units=units,
        counted=parameter_count(counted or declared.counted),
        place=data,
    ), data
