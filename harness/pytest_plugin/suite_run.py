"""A suite run once in a session, whoever asks first: one process runs it, and workers of xdist that need it wait.

What they share is a lock and a note beside it, which names the run folder, or says why there is none. The system lets
the lock of a killed process go: who then finds a note without an end says so, and runs nothing again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import kept_file, strict_json
from harness.errors import UserError, unexpected
from harness.execution.events import CellEnded, Event, Planned
from harness.pytest_plugin.options import Settings
from harness.results.record import Status
from harness.results.run import Run

Tell = Callable[[str], None]


class SuiteRun:
    """The run of one suite in this session."""

    def __init__(self, suite: str, settings: Settings, *, fresh: bool, shared: Path | None, tell: Tell) -> None:
        """suite: its path. shared: a folder that all processes of the session have; None where there is only this one.
        tell: takes a line of progress."""
        self._suite, self._settings, self._fresh, self._tell = suite, settings, fresh, tell
        name = hashlib.sha256(suite.encode()).hexdigest()[:16]
        self._note = None if shared is None else shared / f"{name}.json"
        self._folder = ""
        self._run: Run | None = None
        self._why_none = ""

    def get(self) -> Run:
        """The run, made now or already. Raises UserError where there is none, with the same sentence each time."""
        if self._run is None and not self._why_none:
            self._why_none = f"{self._suite}: the run was interrupted"  # by what is no Exception, such as a time limit
            with self._alone():
                self._why_none = self._made_by_another() or self._made()
                self._write_note()
        if self._run is None:
            raise UserError(self._why_none)
        return self._run

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if self._note is None:
            yield
            return
        from filelock import FileLock

        self._note.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._note.with_suffix(".lock")):
            yield

    def _made_by_another(self) -> str:
        """Take what another process made, or tried; a sentence where it came to nothing, empty where none tried."""
        found = None if self._note is None else kept_file.kept_json(self._note)
        if found is None:
            return ""
        note = json.loads(found)
        if note["ended"] and not note["why_none"]:
            self._run = Run(Path(note["folder"]))
            return ""
        resume = f"; go on with: harness run --resume {note['folder']}" if note["folder"] else ""
        return str(note["why_none"]) or f"{self._suite}: the process that ran it was ended before it was done{resume}"

    def _made(self) -> str:
        """Run the suite; a sentence where that can't be done."""
        if self._run is not None:
            return ""
        from harness import workflow

        self._write_note(ended=False)
        try:
            run = workflow.run(
                self._suite,
                out=as_seen(self._settings.out),
                fresh=self._fresh,
                allowed=self._settings.allowed,
                on_event=_Progress(self._tell, self._planned),
            )
            self._run = Run(run.folder.resolve())  # tests may change the working folder
        except UserError as error:
            return str(error)
        except KeyboardInterrupt:
            if self._folder:
                self._tell(f"harness: interrupted; go on with: harness run --resume {self._folder}")
            raise
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            return f"{self._suite}: {unexpected('running the suite', error, 'the traceback is in what was captured')}"
        return ""

    def _planned(self, folder: str) -> None:
        self._folder = folder
        self._write_note(ended=False)

    def _write_note(self, *, ended: bool = True) -> None:
        if self._note is not None:
            folder = self._folder if self._run is None else str(self._run.folder)
            told = {"folder": folder, "why_none": self._why_none if ended else "", "ended": ended}
            kept_file.write_json(self._note, strict_json.dumps(told))


class _Progress:
    """A line for the start of a run and for each cell that ended."""

    def __init__(self, tell: Tell, planned: Callable[[str], None]) -> None:
        self._tell, self._planned = tell, planned
        self._cells = self._ended = 0

    def __call__(self, event: Event) -> None:
        match event:
            case Planned():
                self._planned(event.folder)
                self._cells, self._ended = event.cells, event.done
                known = f", {event.cached} known from earlier runs" if event.cached else ""
                self._tell(f"harness: {event.cells} cells{known} -> {event.folder}")
            case CellEnded():
                self._ended += 1
                how = (
                    "" if event.result.status is Status.OK else f"  {event.result.status.value}: {event.result.reason}"
                )
                self._tell(f"harness: [{self._ended}/{self._cells}] {event.cell.title}{how}")


def as_seen(path: Path) -> Path:
    """The path as a person would write it: relative where it lies below the working folder."""
    with contextlib.suppress(ValueError):
        return path.relative_to(Path.cwd())
    return path
