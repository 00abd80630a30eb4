"""What a run's models answered wrong: question, answer, what was right, and by how much it was missed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.comparison.first_difference import margin
from harness.comparison.paired_samples import preferred_metric, says_right_or_wrong
from harness.errors import UserError, WrongArgument, shown
from harness.evidence.selection import coordinates, describe, varying
from harness.measures.task.samples.document import Document
from harness.measures.task.samples.frames import judged, metrics_of, of_task, values_of
from harness.measures.task.samples.rows import read
from harness.number import NOTHING, Shown
from harness.report.explanation import asked_cells, the_task
from harness.report.output.rows import rows_of
from harness.report.output.shapes import WRONG
from harness.report.output.written import Answer
from harness.report.table import Column, Row, Table
from harness.report.token_text import one_line
from harness.results.record import CellResult, Scalar
from harness.results.run import Run
from harness.results.samples import reading_samples
from harness.spelling import nearest_aside
from harness.tasks.judging.metric_table import built_in

if TYPE_CHECKING:
    import pandas as pd

BEGINNING = 70
"""Characters of a question or an answer in a table; CSV and JSON have all of it."""
EXAMPLES_END = "\n\n"
"""What stands between few-shot examples and the question, unless a task says otherwise."""


@dataclass(frozen=True)
class WrongAnswer:
    """One document that is not right by a metric."""

    document: Document
    metric: str
    score: float
    """What the metric says: 0, or less than 1 where it is a share of several answers."""

    @property
    def rule(self) -> str:
        """The metric without the filters that it judges after."""
        return self.metric.partition("/")[0]

    @property
    def question(self) -> str:
        """What was asked, without few-shot examples where blank lines part them."""
        one = self.document
        text = one.prompts[0] if one.prompts else next((v for v in (one.row or {}).values() if isinstance(v, str)), "")
        last = text.rstrip().rpartition(EXAMPLES_END)[2] if one.shots else ""
        return (last or text).strip()

    @property
    def answer(self) -> str | None:
        """What was chosen or written; None where only a given text's likelihood was asked."""
        one = self.document
        if one.chosen or (one.choices and one.predictions):
            place = one.predictions.get(self.rule, next(iter(one.predictions.values()), -1))
            return one.choices[place] if 0 <= place < len(one.choices) else None
        if not one.written and not one.extracted:
            return None
        pipeline = self.metric.partition("/")[2] or "none"
        value = one.extracted.get(pipeline, next(iter(one.extracted.values()), None))
        if value is None:
            return one.requests[0].text if one.requests else None
        return (
            value if isinstance(value, str) else " | ".join(map(str, value)) if isinstance(value, list) else str(value)
        )

    @property
    def right(self) -> str:
        """What was right."""
        one = self.document
        if one.choices:
            return " | ".join(one.choices[place] for place in one.gold if 0 <= place < len(one.choices))
        return " | ".join(one.target) or (one.requests[0].text if one.requests else None) or one.shown_target or ""

    @property
    def margin(self) -> float | None:
        """How far the right choice is above the best other, by the metric's rule; None where nothing was chosen."""
        found = margin(self.document, self.rule)
        return None if found is None or math.isnan(found) else found

    @property
    def ended(self) -> str | None:
        """How the programs ended that the model wrote."""
        told = [str(ended) for several in self.document.programs.values() for ended in several]
        return "; ".join(dict.fromkeys(told)) or None


@dataclass(frozen=True)
class WrongAnswers:
    """Those of one cell, in the order of the documents."""

    at: dict[str, Scalar]
    """What tells the cell from the others: model, axes, settings."""
    task: str
    metric: str
    documents: int
    """How many were judged."""
    answers: tuple[WrongAnswer, ...]


def wrong_answers(
    run: Run, task: str | None, model: str | None = None, where: Sequence[str] = (), metric: str | None = None
) -> list[WrongAnswers]:
    """What every cell that has the task answered wrong.

    task: may be left out where there is one alone. metric: what says right or wrong; left out, `acc` or the first of
    its kind. Raises UserError with what there is where the model, the cells, the task or the metric don't exist.
    """
    _, asked = asked_cells(run, model, where)
    with reading_samples(*(run.samples_file(cell) for cell, _ in asked)):
        task = the_task(task, asked, run)
        names = ["model", *(name for name in varying([cell for cell, _ in asked]) if name not in ("model", "task"))]
        return list(_found(run, names, asked, task, metric))


def _found(
    run: Run, names: Sequence[str], asked: Sequence[tuple[CellResult, pd.DataFrame]], task: str, metric: str | None
) -> Iterator[WrongAnswers]:
    for cell, samples in asked:
        rows = judged(of_task(samples, task))
        if rows.empty:
            continue
        at = coordinates(cell)
        name = _metric(rows, metric, task, run)
        is_lower = (declared := built_in(name.partition("/")[0])) is not None and declared.metric.direction == "lower"
        wrong = [
            WrongAnswer(read(rows.iloc[place].to_dict()), name, value)
            for place, value in enumerate(values_of(rows, name))
            if not math.isnan(value) and (value > 0 if is_lower else value < 1)
        ]
        wrong.sort(key=lambda one: one.document.number)
        yield WrongAnswers({key: at[key] for key in names if key in at}, task, name, len(rows), tuple(wrong))


def _metric(rows: pd.DataFrame, asked: str | None, task: str, run: Run) -> str:
    """The metric that says which documents are wrong. Raises UserError."""
    values = {name: values_of(rows, name) for name in metrics_of(rows)}
    able = [name for name, each in values.items() if says_right_or_wrong(each)]
    shares = [name for name in values if name not in able and _is_share(name, values[name])]
    if asked is not None:
        if asked in able or asked in shares:
            return asked
        there = [*able, *shares]
        raise WrongArgument(
            f"no metric '{shown(asked)}' says right or wrong of the documents of {task}{nearest_aside(asked, there)}; "
            f"there are: {', '.join(there) or 'none'}",
            place="metric",
        )
    found = preferred_metric(able) or next(iter(shares), None)
    if found is None:
        raise UserError(f"no metric says right or wrong of the documents of {task}", place=str(run.folder))
    return found


def _is_share(name: str, values: Sequence[float]) -> bool:
    """Whether a metric says of each document which share of its answers is right, such as `pass@1` of several."""
    declared = built_in(name.partition("/")[0])
    if declared is None or declared.metric.unit != "share" or declared.metric.direction != "higher":
        return False
    return all(math.isnan(value) or 0 <= value <= 1 for value in values)


def wrong_answers_answer(found: Sequence[WrongAnswers], limit: int, *, wide: bool = False) -> Answer:
    """Wrong answers as tables and as rows: `limit` of each cell."""
    names = list(dict.fromkeys(name for one in found for name in one.at))
    rows = [_row(one.at, each) for one in found for each in one.answers[:limit]]
    declared = [field.name for field in WRONG.fields]
    data = rows_of(WRONG, ["model", *(name for name in names if name != "model"), *declared], rows, wide=wide)
    return Answer("Wrong answers", [_table(one, limit) for one in found], data)


def _row(at: dict[str, Scalar], one: WrongAnswer) -> dict[str, Any]:
    return at | {
        "task": one.document.task,
        "document": one.document.number,
        "metric": one.metric,
        "question": one.question,
        "answer": one.answer,
        "right": one.right,
        "score": one.score,
        "margin": one.margin,
        "reason": one.ended,
        "prompt": one.document.prompts[0] if one.document.prompts else None,
    }


def _table(found: WrongAnswers, limit: int) -> Table:
    listed = found.answers[:limit]
    columns = [Column("document", numeric=True), Column("question"), Column("answer"), Column("right")]
    has_margins = any(one.margin is not None for one in listed)
    columns += [Column("margin", "nats", numeric=True)] if has_margins else []
    columns += [Column("ended")] if any(one.ended for one in listed) else []
    rows = []
    for one in listed:
        cells: list[str | Shown] = [Shown(str(one.document.number))]
        cells += [_cut(text) for text in (one.question, one.answer, one.right)]
        cells += [Shown(NOTHING if one.margin is None else f"{one.margin:+.4f}")] if has_margins else []
        cells += [_cut(one.ended)] if any(each.ended for each in listed) else []
        rows.append(Row(tuple(cells)))
    count = len(found.answers)
    caption = f"{describe(found.at)}: {count} of {found.documents} wrong by {found.metric}"
    notes = [f"{count - len(listed)} more: --wrong {count} lists all"] if count > len(listed) else []
    return Table(f"{found.task}: wrong answers", tuple(columns), tuple(rows), caption, tuple(notes))


def _cut(text: str | None) -> str:
    if text is None:
        return NOTHING
    line = one_line(text)
    return line if len(line) <= BEGINNING else f"{line[: BEGINNING - 1]}…"
