"""What a person sees while a run goes: which cell runs, how many are left, what the last number was."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from harness.execution.events import CellEnded, CellGoing, CellStarted, Event, Planned, Preparing
from harness.measures.noise import about_its_time
from harness.measures.registry import MEASURES
from harness.number import with_interval
from harness.results.record import CellResult, Status

AT_ONCE = 4
"""Lines that the live display has for things that are prepared side by side."""


class RunProgress:
    """Listens to a run's events: a live display in a terminal, plain lines in a log."""

    def __init__(self, console: Console) -> None:
        self.folder: str | None = None
        self._console = console
        self._live: Live | None = None
        self._cells = Progress(
            TextColumn("[bold]cells"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(),
            SpinnerColumn(), TextColumn("{task.fields[now]}", markup=False), console=console,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._total = 0
        self._ended = 0
        self._last_said: dict[str, float] = {}
        self._preparations: dict[str, str] = {}
        """What is being prepared, several things at once maybe, and how far each is."""

    def __enter__(self) -> RunProgress:
        if self._console.is_terminal:
            self._live = Live(self._cells, console=self._console, refresh_per_second=8)
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Planned():
                self.folder = event.folder
                self._total, self._ended = event.cells, event.done
                self._task = self._cells.add_task("cells", total=event.cells, completed=event.done, now="")
                already = f", {event.done} done before" if event.done else ""
                cached = f", {event.cached} known from earlier runs" if event.cached else ""
                self._say(f"{event.cells} cells{already}{cached} -> {event.folder}")
            case Preparing():
                self._preparing(event)
            case CellStarted():
                launch = f" (launch {event.launch} of {event.launches})" if event.launches > 1 else ""
                self._now(event.cell.title + launch)
            case CellGoing():
                self._now(f"{event.cell.title}  {event.done:.0%}  {event.text}")
            case CellEnded():
                self._ended += 1
                if self._task is not None:
                    self._cells.update(self._task, completed=self._ended)
                said = about_its_time(event.result)
                if event.result.source == "measured" or said:
                    left = f"[{self._ended:>{len(str(self._total))}}/{self._total}]"
                    said = f"  ({said})" if said else ""
                    self._say(f"{left} {event.cell.title}  {last_number(event.result)}{said}")
                    for note in event.result.notes:
                        self._say(f"note: {note}")

    def _preparing(self, event: Preparing) -> None:
        text = f"{event.what}  {event.done:.0%}  {event.text}" if event.done < 1 else ""
        if text:
            self._preparations[event.what] = text
        else:
            self._preparations.pop(event.what, None)
        several = list(self._preparations.values())
        more = [f"and {len(several) - AT_ONCE} more"] if len(several) > AT_ONCE else []
        self._now("\n".join([*several[:AT_ONCE], *more]))
        if event.done >= 1 and event.text:
            self._say(f"ready: {event.what}  {event.text}")
        elif text and self._live is None and event.done >= self._last_said.get(event.what, -1.0) + 0.25:
            self._last_said[event.what] = event.done
            self._say(text)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _now(self, text: str) -> None:
        if self._task is not None:
            self._cells.update(self._task, now=text)


def last_number(result: CellResult) -> str:
    """A cell's headline numbers, or why it has none."""
    if result.status is not Status.OK:
        return f"{result.status.upper()}: {result.reason}"
    records = {record.metric: record for record in reversed(result.records)}  # of the whole cell before its parts
    having = [record for record in result.records if record.metric is not None]
    measure = MEASURES.get(result.measure)
    declared = () if measure is None else measure.metrics
    shown = [records[metric.name] for metric in declared if metric.headline and metric.name in records] or having[:1]
    numbers = "  ".join(f"{record.metric} {with_interval(record.value, None, None, record.unit)}" for record in shown)
    lacking = [f"{record.status.upper()}: {record.reason}" for record in result.missing]
    return "  ".join([numbers, *lacking])
