"""jinja's filters, with a look before those that could make much or take long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from harness.template_bounds.clock import look
from harness.template_bounds.lengths import PLAIN, TEXT, Turns, collected, concatenated, made, too_long, weigh
from harness.template_bounds.operations import check_counts, check_format, check_growth

_SLOW_TEXT = 1 << 20
_SLOW_FILTERS = (
    *("wordwrap", "urlize", "striptags", "title", "pprint", "tojson", "xmlattr", "forceescape", "escape", "e"),
)
_GROWING_FILTERS = (
    *("center", "indent", "truncate", "batch", "slice", "round", "format", "replace", "sum", "list", "string", "sort"),
    *("unique", "groupby", "dictsort", "reverse", "int", "float", "filesizeformat", "trim", "upper", "lower"),
    *("capitalize",),
)


def bounded_filters(filters: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Those of jinja's filters that could make much or take long, with a look before."""
    found: dict[str, Callable[..., Any]] = {
        name: _bounded(filters[name], TEXT) for name in _GROWING_FILTERS if name in filters
    }
    found |= {name: _bounded(filters[name], _SLOW_TEXT) for name in _SLOW_FILTERS if name in filters}
    found |= {"join": _joining(filters["join"]), "_concatenated": concatenated, "_made": made}
    return {**found, "_turns": Turns}


def _bounded(filter_: Callable[..., Any], most: int) -> Callable[..., Any]:
    @wraps(filter_)
    def call(*arguments: Any, **options: Any) -> Any:
        look()
        place = 1 if hasattr(filter_, "jinja_pass_arg") else 0
        value, others = arguments[place], (*arguments[place + 1 :], *options.values())
        if isinstance(value, Iterator):
            value = collected(value)
            arguments = (*arguments[:place], value, *arguments[place + 1 :])
        if isinstance(value, str):
            if len(value) > most:
                raise too_long()
        elif not isinstance(value, PLAIN):
            weigh(value, most)
        if others:
            check_counts(others)
            check_growth(value, (one for one in others if isinstance(one, str)))
            if filter_.__name__ == "do_format":
                check_format(value, others)
        return filter_(*arguments, **options)

    return call


def _joining(filter_: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filter_)
    def call(context: Any, value: Any, d: str = "", attribute: Any = None) -> Any:
        if isinstance(value, str):
            members: Any = value
            size = len(value)
        else:
            members = collected(value)
            size = sum(len(one) if isinstance(one, str) else weigh(one) for one in members)
        if size + len(members) * len(str(d)) > TEXT:
            raise too_long()
        return filter_(context, members, d, attribute)

    return call
