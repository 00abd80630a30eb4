"""Which line of a suite asks for what was judged: that of the entry of `gate:` or `calls:`, else the suite's first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.comparison.gate_entry import GateEntry
from harness.errors import UserError
from harness.evidence.selection import selects_row
from harness.gate.judgment import Judged
from harness.suite.document import read_suite_file
from harness.suite.include import with_includes
from harness.suite.load import find_suite, parse_gate
from harness.yaml_files.document import Document, KeyPath


class Line(NamedTuple):
    """A line of a file."""

    file: str
    number: int


@dataclass(frozen=True)
class SuiteLines:
    """The lines of one suite."""

    name: str
    """As it was given to the command: a path, or the name of one that ships."""
    document: Document | None
    """None where the file can't be read (any more)."""
    entries: tuple[GateEntry, ...] = ()

    def of(self, row: Judged) -> Line:
        """The line that asks for a row."""
        if self.document is None:
            return Line(self.name, 1)
        file, _, number = self.document.place(self._path(row)).rpartition(":")
        return Line(file, int(number)) if file and number.isdecimal() else Line(self.name, 1)

    def _path(self, row: Judged) -> KeyPath:
        if "call" in row.at:
            return "calls", str(row.at["call"])
        for number, entry in enumerate(self.entries):
            if self._asks(entry, row):
                return "gate", number
        for number, entry in enumerate(self.entries):
            if any(guard.metric == row.metric for guard in entry.guards):
                return "gate", number
        return ("gate",) if self.entries and row.metric is not None else ()

    @staticmethod
    def _asks(entry: GateEntry, row: Judged) -> bool:
        names = (row.metric or "").split()  # a time may decide two metrics
        named = entry.metric in names or entry.metric.partition("@")[0] in names
        return named and selects_row(entry.where, row.at) and entry.measure in (None, row.at.get("measure"))


def suite_lines(name: str) -> SuiteLines:
    """The lines of a suite, given as to a command; of one that can't be read there are none."""
    try:
        path = find_suite(name)
        document = with_includes(read_suite_file(path), (path.resolve(),))
        entries = tuple(parse_gate(document))
    except UserError:
        return SuiteLines(name or "suite", None)
    given = Path(name).is_file()
    if not given:  # one that ships: its file is none of the project's
        places = {key: f"{name}:{place.rpartition(':')[2]}" for key, place in document.places.items()}
        document = Document(document.data, places)
    return SuiteLines(name, document, entries)
