"""Functions of task files as the rest of the harness uses them: each call is a question to the process that runs
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from harness.tasks.code.judging import ON_ROWS
from harness.tasks.config import Function

_OPTIONS = {"filter": 1, "metric": 2}
"""By operation: the place of its options, among which functions may be."""


class Host(Protocol):
    """The process that runs a task's functions, as `harness.tasks.code.helper_state.HelperState` speaks for it."""

    def called(self, function: Function, key: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """What a function returns."""

    def of_row(self, function: Function, key: str, row: dict[str, Any]) -> Any:
        """What a function makes of a document, which it may change."""

    def operated(
        self, function: Function, key: str, operation: str, row: dict[str, Any] | None, arguments: list[Any]
    ) -> Any:
        """What an operation of `judging.OPERATIONS` makes with a function, and perhaps a document."""

    def hold(self, items: Sequence[Any]) -> None:
        """Keep the items that are aggregated next."""

    def aggregated(self, function: Function, key: str, places: Sequence[int]) -> float:
        """An aggregation of the items at these places."""


class ForeignFunction:
    """A function of a task file, under the key that names it; its file isn't loaded here."""

    def __init__(self, host: Host, function: Function, key: str) -> None:
        self._host, self._function, self._key = host, function, key

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What it returns. A document that it changes is changed. Raises UserError, and ForeignError for what it
        raises."""
        if len(arguments) == 1 and isinstance(arguments[0], dict) and not options:
            return self._host.of_row(self._function, self._key, arguments[0])
        return self._host.called(self._function, self._key, arguments, options)

    def do(self, operation: str, *arguments: Any) -> Any:
        """An operation of `judging.OPERATIONS` with it. Raises as a call does."""
        row, others = (arguments[0], arguments[1:]) if operation in ON_ROWS else (None, arguments)
        told = list(others)
        if (place := _OPTIONS.get(operation)) is not None and told[place] is not None:
            told[place] = _with_functions(told[place])
        return self._host.operated(self._function, self._key, operation, row, told)

    def statistic(self, items: Sequence[Any]) -> Callable[[Sequence[int]], float]:
        """Its value of some of the items, chosen by their places. Raises as a call does."""
        self._host.hold(items)
        return lambda places: self._host.aggregated(self._function, self._key, places)


def _with_functions(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the other process reads them: which are functions that it must load."""
    told = {
        name: ["function", named(value)] if isinstance(value, Function) else ["value", value]
        for name, value in options.items()
    }
    return {"options": told}


def named(function: Function) -> list[str]:
    """A function as the other process reads it."""
    return [str(function.file), function.name]
