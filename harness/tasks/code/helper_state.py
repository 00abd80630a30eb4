"""What helper code of task files can remember from one call to the next: a process of its own, and what it keeps.

A pass over the documents gets a state of its own, so that what it makes of them depends on the file and the data
alone: not on what was opened before, how often, or how many documents are asked. The process is started when
something is first asked of it; here nothing of the code is held, only plain data.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.tasks.code.foreign import ForeignFunction, named
from harness.tasks.code.functions import check_allowed
from harness.tasks.code.helper_files import refuse_outside, source_files
from harness.tasks.code.imports import imported_modules
from harness.tasks.code.process import HostProcess, error_of
from harness.tasks.code.stateless import keeps_nothing
from harness.tasks.code.tagged_json import dumps, loads
from harness.tasks.config import Function
from harness.tasks.data.features import features_of, told_features
from harness.tasks.data.rows import Rows

_CHUNK = 4 << 20
"""Bytes of rows that are sent at once."""
_REMEMBERED = 128 << 20
"""Bytes of answers that are kept, of functions that give the same for the same row."""

Named = tuple[str, Function]
"""A function and the key that names it."""


class HelperState:
    """The process of one task and one pass: modules of helper files, each loaded once, and two global generators."""

    def __init__(
        self,
        functions: Sequence[Named],
        allow_task_code: bool,
        together: Mapping[Path, tuple[str, ...]] | None = None,
        inside: Path | None = None,
    ) -> None:
        """functions: all that may be asked of it. together: see `code.modules.Modules`. inside: the folder that the
        files must lie in, without permission: by default that of the first function."""
        self._functions = list(functions)
        self._allow = allow_task_code
        self._together = together or {}
        self._inside = inside
        self._process: HostProcess | None = None
        self._preloaded: list[Named] = []
        self._document: tuple[int, str] | None = None
        self._turns = 0
        self._stateless: bool | None = None
        self._known: dict[bytes, tuple[bytes, bytes | None]] = {}
        self._known_bytes = 0
        self._sent: set[str] = set()

    def close(self) -> None:
        """End its process: what the helper files kept is gone."""
        if self._process is not None:
            self._process.close()
        self._process = None
        self._sent.clear()
        self.forget()

    def forget(self) -> None:
        """Forget answers that were kept for rows that are asked again: they take memory, and can be asked for again."""
        self._known.clear()
        self._known_bytes = 0

    def preload(self) -> None:
        """Load the modules of all functions as soon as the process starts, so that what a file does when it is loaded
        falls into no document. One that can't be loaded says so when it is called."""
        self._preloaded = self._functions
        if self._process is not None:
            self._load_all(self._process)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run code with this state's global generators, going on where the last code left them."""
        before, self._document = self._document, None
        try:
            yield
        finally:
            self._document = before

    @contextlib.contextmanager
    def running_of(self, name: str) -> Iterator[None]:
        """Run code with generators that only `name` determines: the global ones and those that the modules keep."""
        self._turns += 1
        before, self._document = self._document, (self._turns, name)
        try:
            yield
        finally:
            self._document = before

    def function(self, function: Function, key: str) -> ForeignFunction:
        """A function that can be called here and runs there. Raises UserError where it may not run."""
        check_allowed(function, key, self._allow)
        return ForeignFunction(self, function, key)

    def rows(
        self, function: Function, key: str, given: Rows, split: str | None, remember: bool
    ) -> list[dict[str, Any]] | None:
        """The documents that a function makes of rows; None where it gives none back.

        split: of rows that are given again under this name, which are sent once. remember: whether they remember what
        was made of them, as `datasets` does. Raises UserError and ForeignError.
        """
        check_allowed(function, key, self._allow)
        send = split is None or split not in self._sent
        lines = [_line(row, f"document {number}") for number, row in enumerate(given.plain)] if send else []
        told = {"split": split, "remember": remember, "given": send}
        features = told_features(given.features) if send else {}
        answer, made = self._ask("rows", lines, function=named(function), key=key, features=features, **told)
        if split is not None:
            self._sent.add(split)
        return None if answer.get("none") else self._rows(made, function)

    def samples(self, function: Function, key: str) -> list[dict[str, Any]]:
        """The few-shot examples that a function gives. Raises UserError and ForeignError."""
        check_allowed(function, key, self._allow)
        return self._rows(self._ask("samples", function=named(function), key=key)[1], function)

    def custom(self, function: Function, key: str, options: Mapping[str, Any]) -> list[str] | None:
        """The splits of the data set that a function makes; None where it makes none. Raises UserError,
        ForeignError."""
        check_allowed(function, key, self._allow)
        answer, _ = self._ask("custom", function=named(function), key=key, options=dict(options))
        splits = answer.get("splits")
        return [str(split) for split in splits] if isinstance(splits, list) else None

    def custom_rows(self, function: Function, split: str) -> Rows:
        """One of these splits. Raises UserError, ForeignError."""
        answer, lines = self._ask("custom_rows", split=split)
        features = answer.get("features")
        return Rows(self._rows(lines, function), features_of(features) if isinstance(features, dict) else None)

    def class_facts(self, function: Function) -> dict[str, Any]:
        """What a task's class says: see `code.class_facts`. Raises UserError."""
        facts = self._value(self._ask("class", function=named(function), key="class")[0])
        if not isinstance(facts, dict):
            raise UserError(f"{function.name} can't be read", place=str(function.file))
        return facts

    def called(self, function: Function, key: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """What a function returns."""
        told: dict[str, Any] = {"arguments": list(arguments), "options": dict(options)}
        return self._value(self._ask("call", function=named(function), key=key, **told)[0])

    def of_row(self, function: Function, key: str, row: dict[str, Any]) -> Any:
        """What a function makes of a document, which it may change."""
        line = _line(row, "this document")
        place = _place(function, key, line)
        if place in self._known:
            said, changed = self._known[place]
            answer = loads(said)
            if (error := error_of(answer)) is not None:
                raise error
        else:
            answer, others = self._ask("call", [line], function=named(function), key=key)
            changed = others[0] if others else None
            if self._keeps_nothing:
                self._know(place, dumps(answer, objects=True), changed)
        self._change(row, changed)
        return self._value(answer)

    def foresee(self, functions: Sequence[Named], rows: Iterable[dict[str, Any]]) -> None:
        """Ask what these functions, one after the other, make of each row, all rows at once: what is asked of a row
        later is answered without a question. Only of functions that keep nothing, for which the order makes no
        difference."""
        if not functions or not self._keeps_nothing:
            return
        wanted = [(key, function) for key, function in functions]
        waiting: list[bytes] = []
        size = 0
        for row in rows:
            with contextlib.suppress(UserError):  # told where the row is asked
                line = dumps(row)
                if _place(wanted[0][1], wanted[0][0], line) not in self._known:
                    waiting.append(line)
                    size += len(line)
            if size > _CHUNK:
                self._foresee(wanted, waiting)
                waiting, size = [], 0
        self._foresee(wanted, waiting)

    def operated(
        self, function: Function, key: str, operation: str, row: dict[str, Any] | None, arguments: list[Any]
    ) -> Any:
        """What an operation of `code.judging` makes with a function, and perhaps a document, which it may change."""
        lines = [] if row is None else [_line(row, "this document")]
        told = {"operation": operation, "arguments": arguments}
        answer, others = self._ask("operate", lines, function=named(function), key=key, **told)
        if row is not None:
            self._change(row, others[0] if others else None)
        return self._value(answer)

    def hold(self, items: Sequence[Any]) -> None:
        """Give it the items that are aggregated next."""
        self._ask("hold", [dumps(item) for item in items])

    def aggregated(self, function: Function, key: str, places: Sequence[int]) -> float:
        """An aggregation of the items at these places."""
        answer, _ = self._ask("aggregate", function=named(function), key=key, places=[int(place) for place in places])
        return float(self._value(answer))

    @property
    def _keeps_nothing(self) -> bool:
        if self._stateless is None:
            self._stateless = keeps_nothing(self._functions)
        return self._stateless

    def _foresee(self, functions: list[Named], lines: list[bytes]) -> None:
        lines = list(dict.fromkeys(lines))
        if not lines:
            return
        told = [[key, named(function)] for key, function in functions]
        _, answers = self._ask("apply", lines, functions=told)
        for line, found in zip(lines, self._values(answers), strict=False):
            for (key, function), one in zip(functions, found if isinstance(found, list) else [], strict=False):
                said, changed = one if isinstance(one, list) else (one, None)
                after = None if changed is None else str(changed).encode("utf-8", "surrogatepass")
                self._know(_place(function, key, line), str(said).encode("utf-8", "surrogatepass"), after)
                line = after or line

    def _know(self, place: bytes, said: bytes, changed: bytes | None) -> None:
        size = len(said) + len(changed or b"")
        if self._known_bytes + size <= _REMEMBERED:
            self._known[place] = (said, changed)
            self._known_bytes += size

    def _change(self, row: dict[str, Any], changed: bytes | None) -> None:
        if changed is None:
            return
        (after,) = self._values([changed])
        if isinstance(after, dict):
            row.clear()
            row.update(after)

    def _value(self, answer: dict[str, Any]) -> Any:
        return answer.get("value")

    def _rows(self, lines: list[bytes], function: Function) -> list[dict[str, Any]]:
        rows = self._values(lines)
        if not all(isinstance(row, dict) for row in rows):
            raise UserError(f"`{function.name}` gives rows that are no mappings", place=str(function.file))
        return rows

    def _values(self, lines: list[bytes]) -> list[Any]:
        return self._host.values(lines)

    def _ask(self, do: str, lines: Sequence[bytes] = (), **told: Any) -> tuple[dict[str, Any], list[bytes]]:
        document = None if self._document is None else list(self._document)
        return self._host.ask(dumps({"do": do, "document": document, **told}), lines)

    @property
    def _host(self) -> HostProcess:
        if self._process is None:
            self._process = self._started()
        return self._process

    def _started(self) -> HostProcess:
        files = {source for _, function in self._functions for source in source_files(function.file)}
        for file in sorted(files) if not self._allow else ():
            refuse_outside(file, self._inside or self._functions[0][1].file.parent)
        sources = {file: file.read_bytes() for file in sorted(files)}
        place = str(self._functions[0][1].file) if self._functions else "task code"
        process = HostProcess(self._allow, imported_modules(sources), place)
        told = None if self._allow else [[str(file), text] for file, text in sources.items()]
        together = [[str(file), list(names)] for file, names in self._together.items()]
        process.ask(dumps({"allow": self._allow, "sources": told, "together": together}))
        if self._preloaded:
            self._load_all(process)
        return process

    def _load_all(self, process: HostProcess) -> None:
        told = [[key, named(function)] for key, function in self._preloaded]
        process.ask(dumps({"do": "preload", "document": None, "functions": told}))


def _line(row: dict[str, Any], which: str) -> bytes:
    try:
        return dumps(row)
    except UserError as error:
        raise UserError(f"{which} can't be given to code of the task: {error.message}") from None


def _place(function: Function, key: str, line: bytes) -> bytes:
    return hashlib.sha256(
        b"\n".join([str(function.file).encode(), function.name.encode(), key.encode(), line])
    ).digest()
