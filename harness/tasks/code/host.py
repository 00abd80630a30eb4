"""What runs in the process of one task and one pass: it loads the helper files and answers questions about their
functions.

Questions and answers are lines of tagged JSON. A function that changes the document it is given changes it for what
is asked next, as in one process: the changed document goes back with the answer.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.tasks.code import class_facts
from harness.tasks.code.datasets_module import as_rows
from harness.tasks.code.frames import Channel, Ended, Lines
from harness.tasks.code.generators import Document, Generators
from harness.tasks.code.judging import ON_ROWS, OPERATIONS
from harness.tasks.code.modules import Modules, Named
from harness.tasks.code.substituting import substituted_within
from harness.tasks.code.tagged_json import dumps, loads
from harness.tasks.data.features import features_of, told_features
from harness.tasks.data.remembered_rows import Memory, RememberedRows
from harness.tasks.data.rows import Rows

_TOLD, _TRACE = 2000, 4000  # characters of an error's text, of its traceback


def serve(channel: Channel) -> None:
    """Answer until the other side ends."""
    host: Host | None = None
    while True:
        try:
            lines = channel.receive()
        except Ended:
            return
        try:
            if host is None:
                host, answer = Host(loads(lines[0])), [dumps({})]
            else:
                answer = host.answer(loads(lines[0]), lines[1:])
        except BaseException as error:  # whatever code of others raises, SystemExit too
            answer = [dumps({"error": told_error(error)})]
        try:
            channel.send(answer)
        except Ended:
            return


def told_error(error: BaseException) -> dict[str, Any]:
    """An exception as plain values. Nothing of it is trusted: its text may fail or be endless."""
    if isinstance(error, UserError):
        return {"user": [str(error.message)[:_TOLD], None if error.place is None else str(error.place)[:_TOLD]]}
    try:
        text = str(error)[:_TOLD]
    except BaseException:
        text = "?"
    try:
        trace = "".join(traceback.format_exception(error))[-_TRACE:]
    except BaseException:
        trace = ""
    kind = type(error)
    return {"kind": str(kind.__name__)[:80], "text": text, "key": issubclass(kind, KeyError), "trace": trace}


class Host:
    """The modules of one task and one pass, and what they keep."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        """order: `allow`, `together`, `sources` (None: files are read from the disk)."""
        self._generators = Generators()
        sources = order["sources"]
        self._modules = Modules(
            order["allow"],
            {Path(file): tuple(names) for file, names in order["together"]},
            None if sources is None else {Path(file): text for file, text in sources},
            self._generators.imported,
        )
        self._memory: Memory = {}
        self._read: dict[str, Rows] = {}
        self._custom: Mapping[Any, Any] = {}
        self._items: list[Any] = []
        self._actions: dict[str, Callable[[dict[str, Any], Lines], list[bytes]]] = {
            "preload": self._preload,
            "call": self._call,
            "apply": self._apply,
            "operate": self._operate,
            "rows": self._rows,
            "samples": self._samples,
            "custom": self._make_custom,
            "custom_rows": self._custom_rows,
            "hold": self._hold,
            "aggregate": self._aggregate,
            "class": self._class,
            "substitute": self._substitute,
        }

    def answer(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """order: `do` names an action, `document` for whom random numbers are drawn."""
        document = order.get("document")
        self._turn(None if document is None else (document[0], document[1]))
        return self._actions[order["do"]](order, lines)

    def _turn(self, document: Document | None) -> None:
        self._generators.turn_to(document, self._modules)

    def _function(self, order: Mapping[str, Any]) -> Callable[..., Any]:
        return self._modules.load(_named(order["function"]), order["key"])

    def _preload(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """Load modules now, so that what a file does when it is loaded falls into no document. One that can't be
        loaded says so when it is called."""
        for key, function in order["functions"]:
            try:
                self._modules.load(_named(function), key)
            except UserError:
                continue
        return [dumps({})]

    def _call(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """A function of a document (the one line), or of `arguments` and `options`."""
        if lines:
            return _of_row(lines[0], lambda row: self._function(order)(row))
        return [dumps({"value": self._function(order)(*order["arguments"], **order["options"])}, objects=True)]

    def _apply(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """Several functions of each row, one after the other as far as they succeed."""
        answers = []
        for line in lines:
            found: list[Any] = []
            for key, function in order["functions"]:
                try:
                    load = self._modules.load(_named(function), key)
                    header, *changed = _of_row(line, load)
                except BaseException as error:  # whatever code of others raises
                    found.append(dumps({"error": told_error(error)}).decode("utf-8", "surrogatepass"))
                    break
                found.append(header.decode("utf-8", "surrogatepass"))
                if changed:
                    line = changed[0]
                    found[-1] = [found[-1], line.decode("utf-8", "surrogatepass")]
            answers.append(dumps(found))
        return [dumps({}), *answers]

    def _operate(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """An operation of `judging`, with functions among its arguments loaded."""
        run = OPERATIONS[order["operation"]]
        arguments = [self._loaded(one, order["key"]) for one in order["arguments"]]
        if order["operation"] in ON_ROWS:
            return _of_row(lines[0], lambda row: run(self._function(order), row, *arguments))
        return [dumps({"value": run(self._function(order), *arguments)}, objects=True)]

    def _loaded(self, argument: Any, key: str) -> Any:
        if not isinstance(argument, dict) or set(argument) != {"options"}:
            return argument
        return {
            name: self._modules.load(_named(of), key) if kind == "function" else of
            for name, (kind, of) in argument["options"].items()
        }

    def _rows(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """Documents that a function makes of rows. split: where these are remembered, as `datasets` does; then they
        come with the first call alone."""
        split = order["split"]
        if order["given"]:
            given = Rows(map(loads, lines), features_of(order["features"]))
            if split is not None:
                self._read[split] = given
        else:
            given = self._read[split]
        if split is not None and order["remember"]:
            given = RememberedRows.of(given, self._memory, split)
        made = self._function(order)(given)
        return [dumps({"none": True})] if made is None else [dumps({"none": False}), *_written(as_rows(made).plain)]

    def _samples(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        return [dumps({}), *_written([dict(row) for row in self._function(order)()])]

    def _make_custom(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """A data set of the file's own: the names of its splits."""
        made = self._function(order)(**order["options"])
        self._custom = made if isinstance(made, Mapping) else {}
        names = list(map(str, made)) if isinstance(made, Mapping) else None
        return [dumps({"splits": names})]

    def _custom_rows(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        (found,) = (rows for name, rows in self._custom.items() if str(name) == order["split"])
        rows = as_rows(found)
        return [dumps({"features": told_features(rows.features)}), *_written(rows.plain)]

    def _hold(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        self._items = list(map(loads, lines))
        return [dumps({})]

    def _aggregate(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        items = [self._items[place] for place in order["places"]]
        return [dumps({"value": float(self._function(order)(items))})]

    def _substitute(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        """`re.sub`, which is not task code but may take as long."""
        given = (order[name] for name in ("most", "pattern", "replacement", "text", "count"))
        return [dumps({"value": substituted_within(*given)})]

    def _class(self, order: dict[str, Any], lines: Lines) -> list[bytes]:
        named = _named(order["function"])
        return [dumps({"value": class_facts.facts(self._modules, named)}, objects=True)]


def _named(function: Any) -> Named:
    return Named(Path(function[0]), function[1])


def _of_row(line: bytes, run: Callable[[Any], Any]) -> list[bytes]:
    """What a function makes of a row, and the row if it was changed."""
    row = loads(line)
    value = run(row)
    after = dumps(row, objects=True)
    answer = dumps({"value": value}, objects=True)
    return [answer] if after == line else [answer, after]


def _written(rows: Iterable[Any]) -> list[bytes]:
    written = []
    for number, row in enumerate(rows):
        try:
            written.append(dumps(row))
        except UserError as error:
            raise UserError(f"document {number}: {error.message}") from None
    return written
