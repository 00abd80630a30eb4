"""Documents of an unfinished cell, kept as they are answered, so that a kill costs little."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import kept_file, strict_json
from harness.errors import told
from harness.notice import notice, remark
from harness.tasks.ask import Asked
from harness.whole_file import write_whole


@dataclass
class FinishedDocuments:
    """The file of finished documents: a line each, with its checksum under the file's name, the cell's key. A line that
    is damaged (the disk was full, the power gone, or it is another cell's) is a document that did not finish."""

    path: Path | None
    known: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    def read(self) -> None:
        """What an earlier try finished."""
        if self.path is None or not self.path.is_file():
            return
        *lines, torn = self.path.read_bytes().split(b"\n")
        whole = []
        for line in lines:
            try:
                entry = strict_json.loads(kept_file.unseal(line, self.path.name))
                if not ({"log_probs", "hits"} <= entry.keys() or {"prompt", "cut", "samples"} <= entry.keys()):
                    continue
                self.known[entry["task"], entry["document"]] = entry
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
            whole.append(line)
        if torn or len(whole) < len(lines):
            with self._may_fail():
                write_whole(self.path, b"".join(line + b"\n" for line in whole))
        if len(whole) < len(lines):
            notice(f"{self.path}: {len(lines) - len(whole)} answers are damaged in the cache; they are asked again")

    @contextmanager
    def _may_fail(self) -> Iterator[None]:
        """A cache that is full or can't be written to costs the next try of a killed cell, not this result."""
        try:
            yield
        except OSError as error:
            remark(f"answers are not kept for another try: {told(error)}")
            self.path = None

    def add(self, asked: Asked, found: dict[str, Any]) -> None:
        """Keep one document; it is on the disk when this returns."""
        if self.path is None:
            return
        entry = strict_json.dumps({"task": asked.task, "document": asked.document, **found})
        with self._may_fail(), self.path.open("a", encoding="utf-8") as file:
            file.write(kept_file.seal(entry, self.path.name) + "\n")
