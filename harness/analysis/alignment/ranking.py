"""`ranking`: one order of all models that were compared by `win_rate`, with intervals over prompts (Bradley-Terry)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field

from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.errors import UserError
from harness.evidence.selection import describe, selects
from harness.results.finding import Finding
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run

MEASURE = "win_rate"
OWN = ("model", "against", "measure", "seed")
"""Coordinates of a comparison's cell that its ranking is over; cells that differ in others are ranked apart."""


class RankingSettings(AnalysisSettings):
    """Which comparisons."""

    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells of `win_rate`; left out, all. Other judges, prompts and settings are ranked apart."""


def run(run: Run, settings: RankingSettings) -> list[Finding]:
    """A strength per model, the strongest first, and its chance of winning against the mean of all."""
    cells = [
        cell
        for cell in run.cells
        if cell.measure == MEASURE and cell.status is Status.OK and selects(settings.where, cell)
    ]
    if not cells:
        note = "nothing to rank: no cell of `win_rate` ended well; give `measures` one with `against` and `judge`"
        return [Finding(analysis="ranking", name="ranking", note=note)]
    apart: dict[str, list[CellResult]] = {}
    for cell in cells:
        apart.setdefault(repr(sorted(_shared(cell).items())), []).append(cell)
    return [finding for group in apart.values() for finding in _ranked(run, group)]


def _shared(cell: CellResult) -> dict[str, Scalar]:
    return {name: value for name, value in {**cell.axes, **cell.settings}.items() if name not in OWN}


def _ranked(run: Run, cells: Sequence[CellResult]) -> list[Finding]:
    from harness.statistics.bradley_terry import Comparison, bradley_terry

    subject: dict[str, Scalar] = {"judge": cells[0].settings["judge"], "prompts": cells[0].settings["prompts"]}
    names: dict[str, int] = {}
    comparisons = []
    for cell in cells:
        one, other = cell.model, str(cell.settings["against"])
        try:
            samples = run.samples_of(cell)
        except UserError as error:
            return [Finding(analysis="ranking", name="strength", subject=subject, note=str(error))]
        for which in (one, other):
            names.setdefault(which, len(names))
        if one == other:
            continue  # the control: it says nothing of who is stronger
        comparisons += [
            Comparison(names[one], names[other], float(outcome), str(opening))
            for outcome, opening in zip(samples["outcome"], samples["opening"], strict=True)
            if outcome is not None and not math.isnan(outcome)
        ]
    try:
        ranking = bradley_terry(comparisons, len(names))
    except ValueError as error:
        note = f"{error} ({describe(subject)}); compare each with one that the others are compared with"
        return [Finding(analysis="ranking", name="strength", subject=subject, note=note)]
    order = sorted(names, key=lambda name: -ranking.strengths[names[name]])
    return [
        Finding(
            analysis="ranking",
            name="strength",
            value=float(ranking.strengths[at]),
            unit="log odds",
            low=None if ranking.low is None else float(ranking.low[at]),
            high=None if ranking.high is None else float(ranking.high[at]),
            interval=f"bootstrap over {ranking.clusters} prompts (percentile)"
            if ranking.low is not None
            else "none: one prompt",
            n=sum(at in (one.one, one.other) for one in comparisons),
            subject=subject | {"place": place, "model": name},
            note=f"wins {1 / (1 + math.exp(-ranking.strengths[at])):.0%} against one of mean strength",
        )
        for place, name in enumerate(order, start=1)
        for at in (names[name],)
    ]


RANKING = Analysis(
    name="ranking",
    about="One order of the models that `win_rate` compared, with intervals over prompts (Bradley-Terry)",
    settings=RankingSettings,
    run=run,
)
