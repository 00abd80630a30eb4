"""A value that is missing: templates may test it, and may not write it.

`{% if hint %}`, `{{ hint or '' }}`, `hint is none` and `hint == none` work as with None. What writes it raises
`NullWritten`: a prompt that says "None" asks something that no one wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn


class NullWritten(Exception):
    """A template writes a value that this document doesn't have."""


class Null:
    """Stands for None, or for a float that is no number, while a template is rendered."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: float | None) -> None:
        self.name, self.value = name, value

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Null)

    def __hash__(self) -> int:
        return hash(None)

    def _written(self, *arguments: Any) -> NoReturn:
        what = "null" if self.value is None else "no number"
        raise NullWritten(
            f"writes `{self.name}`, which is {what} here; test it first: {{% if {self.name} %}}, or give a "
            f"default: {{{{ {self.name} or '' }}}}"
        )

    __str__ = __repr__ = __format__ = __int__ = __float__ = __index__ = _written


def hidden(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with a `Null` for each value that is missing, however deep; the row itself where none is."""
    lacking = {name: _hidden(value, str(name)) for name, value in row.items() if _lacks(value)}
    return {**row, **lacking} if lacking else row


def shown(value: Any) -> Any:
    """What a `Null` stands for, however deep; anything else as it is."""
    if isinstance(value, Null):
        return value.value
    if isinstance(value, list | tuple):
        return type(value)(map(shown, value))
    if isinstance(value, dict):
        return {name: shown(inner) for name, inner in value.items()}
    return value


def _lacks(value: Any) -> bool:
    """Whether something in it is missing."""
    if isinstance(value, str):
        return False
    if isinstance(value, list):
        return any(map(_lacks, value))
    if isinstance(value, dict):
        return any(map(_lacks, value.values()))
    return value is None or (isinstance(value, float) and value != value)


def _hidden(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_hidden(inner, f"{name}[{place}]") for place, inner in enumerate(value)]
    if isinstance(value, dict):
        return {key: _hidden(inner, f"{name}.{key}") for key, inner in value.items()}
    return Null(name, value) if _lacks(value) else value
