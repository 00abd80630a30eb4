"""What a person sees while a run goes: which cell runs and how far it is, how many are left, how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness import Cell, CellEnded, CellGoing, CellStarted, Event, Left, Planned, Preparing, TimeLeft
from harness.cli.console import can_go_back, print_folded
from harness.cli.preparing import far, ready
from harness.number import duration
from harness.report.cell_line import about_its_time, last_number

AT_ONCE = 4
"""Lines that the live display has for things that are prepared side by side."""
BETWEEN_LINES = 10.0
"""Seconds between two lines of a log about what is under way, at first."""
SELDOM = 60.0
"""The same after ten minutes, and where there is nothing new to say."""
TITLE = 16
"""Columns that a title keeps beside what is said of it, in a narrow terminal."""


class RunProgress:
    """Listens to a run's events: a live display in a terminal, in a log a line when a cell ends and now and then."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder: str | None = None
        self.ended = 0
        """Cells that have a result, from wherever."""
        self.total = 0
        self._console = console
        self._clock = clock
        self._live: Live | None = None
        self._over = threading.Event()
        self._left = TimeLeft(clock)
        self._began = self._said = clock()
        self._measured = self._known = self._before = 0
        self._cell: Cell | None = None
        self._launch = ""
        self._last = ("", "")
        self._now: dict[str, str] = {}
        """What is under way, the cell and what is prepared, several things at once maybe: how far each is."""

    def __enter__(self) -> RunProgress:
        if can_go_back(self._console):
            self._live = Live(get_renderable=self.display, console=self._console, refresh_per_second=4)
            self._live.__enter__()
        else:
            threading.Thread(target=self._say_now_and_then, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._now = {}
        if self._live is not None:
            self._live.__exit__(None, None, None)
        if error[:1] == (None,) and self.total:
            self._say(self._summary())

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._left(event)
        match event:
            case Planned():
                self._planned(event)
            case Preparing():
                self._preparing(event)
            case CellStarted():
                self._cell = event.cell
                self._launch = f"launch {event.launch} of {event.launches}" if event.launches > 1 else ""
                self._now[event.cell.title] = self._launch
            case CellGoing():
                far = f"{event.done:.0%}  {event.text}".rstrip()
                self._now[event.cell.title] = "  ".join(filter(None, (self._launch, far)))
            case CellEnded():
                self._cell_ended(event)

    def display(self) -> Group:
        """The live display: the whole run in one line, and a line for what is under way; none is folded."""
        width = self._console.width
        seconds = duration(float(round(self._clock() - self._began))).replace(".0 s", " s")
        under_way = 0.0 if self._cell is None else self._left.share(self._cell)
        bar = ProgressBar(total=max(self.total, 1), completed=self.ended + under_way, width=min(24, width // 6))
        count = f"{self.ended}/{self.total} cells"
        whole = Table.grid(padding=(0, 2, 0, 0))
        whole.add_column()
        whole.add_column(no_wrap=True, min_width=len(count))
        whole.add_column(no_wrap=True, overflow="ellipsis")
        told = ", ".join(
            filter(None, (seconds, in_words(self._left.left()) if self.ended < self.total or self._now else ""))
        )
        whole.add_row(bar, count, told)
        lines = [_line(title, said, width) for title, said in list(self._now.items())[:AT_ONCE]]
        more = [Text(f"and {len(self._now) - AT_ONCE} more", style="dim")] if len(self._now) > AT_ONCE else []
        return Group(whole, *lines, *more)

    def say_where_it_is(self) -> None:
        """A line of a log about what is under way, unless something was said not long ago."""
        if not self._now:
            return
        now = self._clock()
        title, said = next(reversed(self._now.items()))
        often = min(max((now - self._began) / 10, BETWEEN_LINES), SELDOM)
        if now - self._said < (often if (title, said) != self._last else SELDOM):
            return
        self._last = (title, said)
        more = f"  (and {len(self._now) - 1} more)" if len(self._now) > 1 else ""
        left = f"[{self._count()}] {title}  {said or 'under way'}{more}; {in_words(self._left.left())}"
        self._say(left)

    def _say_now_and_then(self) -> None:
        while not self._over.wait(1.0):
            self.say_where_it_is()

    def _planned(self, event: Planned) -> None:
        self.folder = event.folder
        self.total, self.ended, self._before = event.cells, event.done, event.done
        already = f", {event.done} done before" if event.done else ""
        cached = f", {event.cached} known from earlier runs" if event.cached else ""
        left = self._left.left()
        expected = f"; {in_words(left)}" if left.seconds or left.unknown else ""
        self._say(f"{event.cells} cell{'' if event.cells == 1 else 's'}{already}{cached}{expected} -> {event.folder}")

    def _preparing(self, event: Preparing) -> None:
        if event.done >= 1:
            self._now.pop(event.what, None)
            if event.text:
                self._say(ready(event))
            return
        is_new = event.what not in self._now
        self._now[event.what] = far(event)
        if is_new and self._live is None:
            self._say(f"{event.what}  {event.text}".rstrip())

    def _cell_ended(self, event: CellEnded) -> None:
        self._now.pop(event.cell.title, None)
        self._cell = None
        self.ended += 1
        if event.result.source == "measured":
            self._measured += 1
        else:
            self._known += 1
        said = about_its_time(event.result)
        if event.result.source == "measured" or said:
            said = f"  ({said})" if said else ""
            self._say(f"[{self._count()}] {event.cell.title}  {last_number(event.result)}{said}")
            for note in event.result.notes:
                self._say(f"note: {note}")

    def _summary(self) -> str:
        """What came of it: `12 cells in 3.2 s: 9 known from earlier runs, 3 measured`."""
        counted = [
            f"{count} {how}"
            for count, how in (
                (self._before, "done before"),
                (self._known, "known from earlier runs"),
                (self._measured, "measured"),
            )
            if count
        ]
        cells = f"{self.total} cell{'' if self.total == 1 else 's'} in {duration(self._clock() - self._began)}"
        return f"{cells}: {', '.join(counted)}" if counted else cells

    def _count(self) -> str:
        return f"{self.ended:>{len(str(self.total))}}/{self.total}"

    def _say(self, text: str) -> None:
        self._said = self._clock()
        print_folded(self._console, text)


def in_words(left: Left) -> str:
    """`about 4 min 10 s left`; what nobody can tell is said to be unknown."""
    unknown = f"{left.unknown} step{'s' if left.unknown > 1 else ''} of unknown length" if left.unknown else ""
    if left.seconds < 1 and unknown:
        return f"{unknown} left"
    seconds = duration(max(1.0, float(round(left.seconds)))).replace(".0 s", " s")
    return f"about {seconds}{' and ' if unknown else ''}{unknown} left"


def _line(title: str, said: str, width: int) -> Text:
    """What is said stays whole where there is room for a piece of the title beside it."""
    named = Text(title, no_wrap=True)
    named.truncate(max(width - len(said) - 3, TITLE), overflow="ellipsis")
    line = Text.assemble(named, "  ", (said, "dim"), no_wrap=True, overflow="ellipsis")
    line.truncate(width - 1, overflow="ellipsis")
    return line
