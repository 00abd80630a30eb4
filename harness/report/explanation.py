"""What a model saw of one document and how its answer was judged, token by token, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.evidence.selection import coordinates, describe, varying
from harness.evidence.where_text import chosen
from harness.measures.task.samples.columns import DOCUMENT, PIECES
from harness.measures.task.samples.document import Document, Request
from harness.measures.task.samples.frames import document as document_of
from harness.measures.task.samples.frames import has_documents, of_task, tasks_of
from harness.number import NOTHING, Shown
from harness.report.table import Column, Row, Table
from harness.report.tables import print_table
from harness.report.token_text import LEGEND, has_colors, one_line, token_text, token_text_with_log_probs
from harness.results.record import CellResult, Scalar, Status
from harness.results.run import Run
from harness.results.samples import reading_samples
from harness.spelling import nearest_aside
from harness.tasks.judging.metric_table import BUILT_IN

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

HEAD, TAIL = 60, 240
"""Tokens that are shown of the beginning and the end of a long text."""
WINDOWS = 4
"""Windows of a long text that are shown."""
ENDS = {"stop_string": "a stop string", "end": "the model's end of text", "length": "the token limit: it is cut off"}


@dataclass(frozen=True)
class Explanation:
    """One document in one cell."""

    at: dict[str, Scalar]
    """Model, axes, measure and settings of the cell."""
    title: str
    """What tells this cell from the others of its run, in words."""
    document: Document
    pieces: Mapping[int, str]
    """The text of every token id."""


def explanations(
    run: Run, task: str | None, document: int, model: str | None = None, where: Sequence[str] = ()
) -> list[Explanation]:
    """A document of a task in every cell that has it, and (`name=value`) all that is asked of the cell.

    Raises UserError with what there is where the model, the cells, the task or the document don't exist.
    """
    cells, asked = asked_cells(run, model, where)
    with reading_samples(*(run.samples_file(cell) for cell, _ in asked)):
        return _explained(run, cells, asked, task, document)


def asked_cells(
    run: Run, model: str | None, where: Sequence[str]
) -> tuple[list[CellResult], list[tuple[CellResult, pd.DataFrame]]]:
    """All cells of a run that have documents; and those that are meant, with their samples. Raises UserError where
    there are none."""
    cells = [cell for cell in run.cells if cell.measure == "task" and cell.status is Status.OK]
    if not cells:
        raise UserError("no cell of this run has documents: the measure `task` keeps them", place=str(run.folder))
    picked = chosen(cells, [*([f"model={model}"] if model is not None else []), *where], "where")
    picked = [cell for cell in picked if run.why_no_samples(cell) is None] or picked  # what is damaged was told of
    return cells, [(cell, samples) for cell in picked if has_documents(samples := run.samples_of(cell))]


def _explained(
    run: Run,
    cells: Sequence[CellResult],
    asked: Sequence[tuple[CellResult, pd.DataFrame]],
    task: str | None,
    document: int,
) -> list[Explanation]:
    task = the_task(task, asked, run)
    found = [
        Explanation(coordinates(cell), _title(cell, cells), one, PIECES.first(samples))
        for cell, samples in asked
        if (one := document_of(samples, task, document)) is not None
    ]
    if not found:
        there = sorted({number for _, samples in asked for number in DOCUMENT.each(of_task(samples, task))})
        raise UserError(f"task {task} has no document {document} here; it has {_numbers(there)}", place=str(run.folder))
    return found


def the_task(task: str | None, asked: Sequence[tuple[CellResult, pd.DataFrame]], run: Run) -> str:
    """The task that is meant: the only one where none is named, and of a group of one task that one. Raises UserError,
    with the tasks that there are, where no cell has it."""
    tasks = list(dict.fromkeys(name for _, samples in asked for name in tasks_of(samples)))
    if task is None and len(tasks) == 1:
        return tasks[0]
    if task is None:
        raise UserError(f"which task? There are: {', '.join(tasks[:20])}", place=str(run.folder))
    if task in tasks:
        return task
    groups = {str(cell.settings.get("task")): tasks_of(samples) for cell, samples in asked}
    if len(groups.get(task, ())) == 1:
        return groups[task][0]
    if task in groups:
        raise UserError(f"{task} is a group; name one of its tasks: {', '.join(groups[task])}", place=str(run.folder))
    few = ", ".join(tasks[:20]) + (f" and {len(tasks) - 20} more" if len(tasks) > 20 else "")
    raise UserError(
        f"these cells have no task '{task}'{nearest_aside(task, tasks)}; there are: {few}", place=str(run.folder)
    )


def _numbers(there: Sequence[int]) -> str:
    if list(there) == list(range(there[0], there[-1] + 1)):
        return f"{there[0]} to {there[-1]}"
    return ", ".join(map(str, there[:20])) + (f" … {there[-1]} ({len(there)} documents)" if len(there) > 20 else "")


def _title(cell: CellResult, cells: Sequence[CellResult]) -> str:
    at, names = coordinates(cell), {"model", *varying(cells)} - {"task", "measure"}
    return describe({name: value for name, value in at.items() if name in names})


def print_explanation(explanation: Explanation, console: Console, whole: bool = False) -> None:
    """Print one explanation. Of long prompts the beginning and the end, unless the whole is wanted."""
    from rich.text import Text

    one = explanation.document
    console.print()
    console.print(Text.assemble((f"{one.task}, document {one.number}", "bold"), f"  {explanation.title}"))
    if one.shots:
        console.print(f"few-shot examples: documents {', '.join(map(str, one.shots))} of their split", highlight=False)
    if one.broken is not None:
        console.print(Text(f"not judged: {one.broken}", style="red"), soft_wrap=True)
    if not one.requests:
        for prompt in one.prompts:
            console.print(Text(prompt), soft_wrap=True)
        return
    borders = "shades tell tokens apart" if has_colors(console) else "| between tokens, \\| a | of the text"
    console.print(Text(f"{borders}; {LEGEND}", style="dim"), soft_wrap=True)
    shown = _Shown(explanation.pieces, console, whole)
    if one.written:
        shown.prompts(one.requests[:1], "")
        shown.answers(one)
    elif one.chosen or one.requests[0].text is not None:
        shown.prompts(one.chosen or one.requests, "choice" if one.chosen else "")
        shown.choices(one)
    else:
        shown.windows(one.requests)
    _print_scores(one, console)


@dataclass(frozen=True)
class _Shown:
    """Prints the parts of one document."""

    pieces: Mapping[int, str]
    console: Console
    whole: bool

    def line(self, words: str, style: str = "bold") -> None:
        from rich.text import Text

        self.console.print(Text(words, style=style), soft_wrap=True)

    def prompts(self, requests: Sequence[Request], name: str) -> None:
        """Every different prompt once, with the requests that it is of."""
        owners: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for place, request in enumerate(requests):
            owners.setdefault((request.prompt, request.cut), []).append(place)
        for (prompt, cut), places in owners.items():
            of = f" of {name} {', '.join(map(str, places))}" if len(owners) > 1 else ""
            lost = f"; {cut} more at its left did not fit and were cut off" if cut else ", nothing cut off"
            self.console.print()
            self.line(f"prompt{of}: {_tokens(len(prompt))}{lost}")
            self.stretch(prompt)
            self.line("◂ here the prompt ends", "dim")

    def stretch(self, tokens: Sequence[int]) -> None:
        """Tokens, without the middle of a long text."""
        if self.whole or len(tokens) <= HEAD + TAIL + 20:
            self.console.print(token_text(tokens, self.pieces, self.console), soft_wrap=True)
            return
        self.console.print(token_text(tokens[:HEAD], self.pieces, self.console), soft_wrap=True)
        self.line(f"… {_tokens(len(tokens) - HEAD - TAIL)} are not shown (--whole shows them) …", "dim")
        self.console.print(token_text(tokens[-TAIL:], self.pieces, self.console), soft_wrap=True)

    def choices(self, one: Document) -> None:
        """The continuations token by token, then what each is worth to each rule."""
        rows = one.chosen or one.requests
        names = [f"choice {place}" for place in range(len(rows))] if one.chosen else ["continuation"]
        self.console.print()
        for name, place, request in zip(names, range(len(rows)), rows, strict=True):
            self.scored(name + (" (right)" if place in one.gold else ""), request)
        for place, request in enumerate(one.unconditional):
            before = token_text(request.prompt, self.pieces, self.console).plain
            self.scored(f"choice {place} without context, after {before}", request)
        if not one.chosen:
            greedy = "every token is" if rows[0].greedy else "not every token is"
            self.line(f"sum {rows[0].log_prob:.4f} nats; {greedy} the likeliest (greedy)", "")
            return
        rules = one.rules()
        columns = [Column("choice", numeric=True), Column("text"), Column("right")]
        columns += [Column(BUILT_IN[rule].worth, "nats", numeric=True) for rule in rules]
        columns += [Column("tokens", numeric=True), Column("greedy"), Column("taken by")]
        table = [
            Row(
                (
                    Shown(str(place)),
                    one_line(one.choices[place]),
                    "right" if place in one.gold else "",
                    *(Shown(f"{values[place]:.4f}") for values in rules.values()),
                    Shown(str(len(request.continuation))),
                    "yes" if request.greedy else "no",
                    _rules(one, place),
                ),
                state="met" if place in one.gold else "",
            )
            for place, request in enumerate(rows)
        ]
        caption = f"guessing is right with probability {one.chance:.3g}" if one.chance is not None else ""
        print_table(Table("choices", tuple(columns), tuple(table), caption), self.console)

    def scored(self, name: str, request: Request) -> None:
        """One continuation with the log-probability of each token."""
        from rich.text import Text

        kept = request.continuation if self.whole else request.continuation[: HEAD + TAIL]
        told = token_text_with_log_probs(kept, request.log_probs, self.pieces, self.console)
        self.console.print(Text.assemble((f"{name}  " if name else "", "bold"), told), soft_wrap=True)
        if len(kept) < len(request.continuation):
            left = _tokens(len(request.continuation) - len(kept))
            self.line(f"… {left} are not shown (--whole shows them) …", "dim")

    def windows(self, requests: Sequence[Request]) -> None:
        """The windows of a long text."""
        last = len(requests) - 1
        for place, request in enumerate(requests):
            if not self.whole and WINDOWS - 1 <= place < last:
                if place == WINDOWS - 1:
                    self.line(f"… {last - place} windows are not shown (--whole shows them) …", "dim")
                continue
            self.console.print()
            after = "after nothing" if not request.prompt else f"after {_tokens(len(request.prompt))}"
            count, total = _tokens(len(request.continuation)), request.log_prob
            self.line(f"window {place + 1} of {last + 1}: {count} scored {after}, sum {total:.4f} nats")
            self.scored("", request)

    def answers(self, one: Document) -> None:
        """What the model wrote, and what the filters made of it."""
        for place, request in enumerate(one.requests):
            name = "answer" if len(one.requests) == 1 else f"answer {place + 1} of {len(one.requests)}"
            end = ENDS.get(request.finish or "", request.finish or "?")
            self.console.print()
            self.line(f"{name}: {_tokens(len(request.continuation))}, ended by {end}")
            self.scored("", request)
            if request.thought:
                self.line(f"thought: {one_line(request.thought)}", "dim")
            told = one_line(request.text or "") if request.answered else "none: still thinking when it ended"
            self.line(f"text: {told}", "")
        rows = []
        for pipeline, value in one.extracted.items():
            scores = {key: item for key, item in one.items.items() if _of(key, pipeline, one)}
            told = ", ".join(f"{_metric(key, pipeline)} {_item(item)}" for key, item in scores.items())
            ended = one.programs.get(pipeline)
            rows.append(Row((pipeline, _item(value), told + (f" ({'; '.join(map(str, ended))})" if ended else ""))))
        columns = (Column("filters"), Column("extracted"), Column("scores"))
        if rows:
            print_table(Table("judged", columns, tuple(rows)), self.console)
        self.line(f"right: {' or '.join(map(one_line, one.target)) or NOTHING}")


def _print_scores(one: Document, console: Console) -> None:
    """The items that no table above holds."""
    from rich.text import Text

    # f1 and mcc of choices are no numbers of a document, but its classes
    shown = {key: item for key, item in one.items.items() if not (one.chosen and isinstance(item, list))}
    told = [f"{key} {_item(item)}" for key, item in shown.items() if not one.extracted]
    if told:
        console.print(Text("scores: " + ", ".join(told)), soft_wrap=True)


def _rules(one: Document, choice: int) -> str:
    taken = [rule for rule, taken in one.predictions.items() if taken == choice]
    return "every rule" if len(taken) == len(one.predictions) > 1 else ", ".join(taken)


def _of(key: str, pipeline: str, one: Document) -> bool:
    """Whether a score is of what this pipeline extracted."""
    others = [name for name in one.extracted if name != "none"]
    return key.endswith(f"/{pipeline}") if pipeline != "none" else not any(key.endswith(f"/{o}") for o in others)


def _metric(key: str, pipeline: str) -> str:
    return key.removesuffix(f"/{pipeline}")


def _item(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return one_line(value)
    return "[" + ", ".join(map(_item, value)) + "]" if isinstance(value, list) else str(value)


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count:,} tokens"
