"""What is done with functions of a task file beside calling them with a document: metrics, filters, classes'
requests.

Where the function is: `done` runs an operation there, in the process that runs task code. A function of our own,
which is no `ForeignFunction`, is used where it stands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from harness.tasks.code.lm_eval_classes import requests_of


@runtime_checkable
class Foreign(Protocol):
    """A function that is somewhere else."""

    def do(self, operation: str, *arguments: Any) -> Any:
        """Run an operation of `OPERATIONS` where the function is."""

    def statistic(self, items: Sequence[Any]) -> Callable[[Sequence[int]], float]:
        """See `statistic_of`."""


def done(function: Any, operation: str, *arguments: Any) -> Any:
    """What an operation of `OPERATIONS` makes with the function, wherever that is."""
    if isinstance(function, Foreign):
        return function.do(operation, *arguments)
    return OPERATIONS[operation](function, *arguments)


def statistic_of(function: Any, items: Sequence[Any]) -> Callable[[Sequence[int]], float]:
    """An aggregation of some of the items, chosen by their places; wherever the function is, they go there once."""
    if isinstance(function, Foreign):
        return function.statistic(items)
    return lambda places: float(function([items[place] for place in places]))


def plain(value: Any) -> Any:
    """The same as plain data that JSON can hold: tuples and arrays become lists, numpy's numbers Python's."""
    if value is None:
        return None
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, set | frozenset):
        return sorted((plain(entry) for entry in value), key=repr)
    if isinstance(value, Sequence) or hasattr(value, "__iter__"):
        return [plain(entry) for entry in value]
    raise TypeError(f"{type(value).__name__} can't be stored: give numbers, texts, lists or mappings")


def _metric(metric: Callable[..., Any], gold: str, value: Any, options: Mapping[str, Any], as_lm_eval: bool) -> Any:
    """`fn(references=[gold], predictions=[answer], **options)`, else `fn([gold, answer])`."""
    try:
        inspect.signature(metric).bind(references=[gold], predictions=[value], **options)
    except TypeError:
        return metric([gold, value])
    except ValueError:  # a function without a signature
        pass
    try:
        return metric(references=[gold], predictions=[value], **options)
    except TypeError:
        if as_lm_eval:
            return metric([gold, value])
        raise


def _results(process_results: Callable[..., Any], row: dict[str, Any], results: Any) -> dict[str, Any]:
    """What `process_results` makes of a document and its answers, as items."""
    return {str(name): plain(item) for name, item in process_results(row, results).items()}


def _filtered(
    function: Callable[..., Any], row: dict[str, Any], values: Any, options: Mapping[str, Any] | None
) -> list[Any]:
    """What a filter makes of the samples of one document. options: of a class, what it is made with."""
    made = function if options is None else function(**options)
    run = made.apply if options is not None and hasattr(made, "apply") else made
    return [
        list(result) if isinstance(result, Iterable) and not isinstance(result, str) else result
        for result in run([values], [row])
    ]


def _requests(
    construct: Callable[..., Any],
    row: dict[str, Any],
    context: str,
    told: Mapping[str, Any],
    place: str,
    which: str,
) -> Any:
    """(kind, arguments) of each request that a class makes of a document, and how an answer is written."""
    return requests_of(construct(row, context, **told), place, which)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "metric": _metric,
    "results": _results,
    "filter": _filtered,
    "requests": _requests,
}
"""By name. Of those that take a row it is the first argument, which may be changed."""
ON_ROWS = ("results", "filter", "requests")
