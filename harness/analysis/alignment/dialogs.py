"""`dialogs`: what the models of a run answered to the same prompts, side by side, with what the judge says of each.

Reads cells of `responses`. Answers are shown, not chosen: the prompts are evenly spaced, each model's first sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness import strict_json
from harness.analysis.analysis import Analysis, AnalysisSettings
from harness.errors import UserError
from harness.evidence.selection import selects
from harness.limits import MOST_DOCUMENTS
from harness.measures.evenly_spaced import evenly_spaced
from harness.results.finding import Finding
from harness.results.record import Scalar, Status
from harness.results.run import Run

if TYPE_CHECKING:
    import pandas as pd

MEASURE = "responses"
MOST_CHARACTERS = 400
"""Of a prompt or an answer that are shown."""


class DialogsSettings(AnalysisSettings):
    """Which dialogs."""

    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells of `responses`; left out, all. Of several seeds each answers for itself."""
    count: int = Field(default=8, ge=1, le=MOST_DOCUMENTS)
    """How many prompts, evenly spaced among those that all these cells answered."""


def run(run: Run, settings: DialogsSettings) -> list[Finding]:
    """A finding per prompt and cell: the answer, its score, and which parts of the score apply."""
    cells = [
        cell
        for cell in run.cells
        if cell.measure == MEASURE and cell.status is Status.OK and selects(settings.where, cell)
    ]
    if not cells:
        return [_none("nothing to show: no cell of `responses` ended well")]
    try:
        said = [(cell, _first_answers(run.samples_of(cell))) for cell in cells]
    except UserError as error:
        return [_none(str(error))]
    shared = [asked for asked in said[0][1] if all(asked in rows for _, rows in said)]
    if not shared:
        return [
            _none("nothing to show: no prompt was answered by all models; give the cells the same prompts, or `where`")
        ]
    seeds = len({cell.axes.get("seed") for cell in cells}) > 1
    return [
        _shown(asked, {"model": cell.model, **({"seed": cell.axes.get("seed")} if seeds else {})}, rows[asked])
        for asked in evenly_spaced(shared, settings.count)
        for cell, rows in said
    ]


def _first_answers(samples: pd.DataFrame) -> dict[str, Mapping[str, Any]]:
    """The first sample of each prompt, by the prompt."""
    first = samples.sort_values(["prompt", "sample"]).drop_duplicates("prompt")
    rows = first.to_dict("records")
    return {str(row["asked"]): {str(name): value for name, value in row.items()} for row in rows}


def _shown(asked: str, subject: Mapping[str, Scalar], row: Mapping[str, Any]) -> Finding:
    score = row["score"]
    scored = score is not None and not math.isnan(score)
    parts = strict_json.loads(row["parts"]) if isinstance(row["parts"], str) else {}
    return Finding(
        analysis="dialogs",
        name="answer",
        value=float(score) if scored else None,
        unit="score" if scored else "",
        interval="none: one answer" if scored else None,
        subject={"prompt": _cut(asked), **subject},
        note=" ".join((f"“{_cut(row['response'])}”", *_applies(parts))),
    )


def _applies(parts: Mapping[str, float]) -> Sequence[str]:
    """In brackets the parts that aren't 0."""
    named = [
        name.replace("_", " ") if value == 1 else f"{name.replace('_', ' ')} {value:g}"
        for name, value in parts.items()
        if value
    ]
    return [f"({', '.join(named)})"] if named else []


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _none(why: str) -> Finding:
    return Finding(analysis="dialogs", name="answer", note=why)


DIALOGS = Analysis(
    name="dialogs",
    about="What the models answered to the same prompts, side by side, with what the judge says of each",
    settings=DialogsSettings,
    run=run,
)
