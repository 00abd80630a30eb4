"""A column of samples: its name, and how its values are stored and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness import strict_json

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column, of values T."""

    name: str
    read: Callable[[Any], T]
    """A stored value, or None where there is none, as a T."""
    store: Callable[[T], Any]
    """A T as a number, a text or a list of them: what Parquet holds."""

    def cell(self, value: T) -> dict[str, Any]:
        """The column's part of a row."""
        return {self.name: self.store(value)}

    def of(self, row: Mapping[Any, Any]) -> T:
        """The value in a row, which may lack the column."""
        value = row.get(self.name)
        return self.read(None if is_absent(value) else value)

    def all(self, frame: pd.DataFrame) -> list[T]:
        """The values of every row; the frame may lack the column."""
        return self.each(frame) if self.is_in(frame) else [self.read(None)] * len(frame)

    def each(self, frame: pd.DataFrame) -> list[T]:
        """The values of every row. Raises KeyError where the frame lacks the column."""
        return [self.read(None if is_absent(value) else value) for value in frame[self.name]]

    def is_in(self, frame: pd.DataFrame) -> bool:
        """Whether the frame has the column."""
        return self.name in frame.columns

    def has_values_in(self, frame: pd.DataFrame) -> bool:
        """Whether the frame has the column, and a value in some row."""
        return self.is_in(frame) and bool(frame[self.name].notna().any())

    def first(self, frame: pd.DataFrame) -> T:
        """The first value that there is: of what one row tells of the whole cell."""
        return self.read(frame[self.name].dropna().iloc[0] if self.has_values_in(frame) else None)


def is_absent(value: Any) -> bool:
    """Whether there is no value: pandas writes None or NaN where a row lacks a column."""
    return value is None or (isinstance(value, float) and value != value)


def text(name: str) -> Column[str]:
    """A text that every row has."""
    return Column(name, str, str)


def whole(name: str) -> Column[int]:
    """A whole number that every row has."""
    return Column(name, int, int)


def text_or_none(name: str) -> Column[str | None]:
    """A text."""
    return Column(name, lambda value: None if value is None else str(value), _as_it_is)


def whole_or_none(name: str) -> Column[int | None]:
    """A whole number."""
    return Column(name, lambda value: None if value is None else int(value), _as_it_is)


def number_or_none(name: str) -> Column[float | None]:
    """A number."""
    return Column(name, lambda value: None if value is None else float(value), _as_it_is)


def flag_or_none(name: str) -> Column[bool | None]:
    """Yes or no."""
    return Column(name, lambda value: None if value is None else bool(value), _as_it_is)


def texts(name: str) -> Column[tuple[str, ...]]:
    """A list of texts."""
    return Column(name, lambda value: tuple(map(str, _listed(value))), list)


def wholes(name: str) -> Column[tuple[int, ...]]:
    """A list of whole numbers."""
    return Column(name, lambda value: tuple(map(int, _listed(value))), list)


def flags(name: str) -> Column[tuple[bool, ...]]:
    """A list of yes and no."""
    return Column(name, lambda value: tuple(map(bool, _listed(value))), list)


def lists_of_wholes(name: str) -> Column[tuple[tuple[int, ...], ...]]:
    """A list of lists of whole numbers."""
    return Column(name, lambda value: tuple(tuple(map(int, _listed(one))) for one in _listed(value)), _lists)


def lists_of_numbers(name: str) -> Column[tuple[tuple[float, ...], ...]]:
    """A list of lists of numbers."""
    return Column(name, lambda value: tuple(tuple(map(float, _listed(one))) for one in _listed(value)), _lists)


def numbers_or_none(name: str) -> Column[tuple[float, ...] | None]:
    """A list of numbers; an empty one is not the same as none."""
    return Column(name, lambda value: None if value is None else tuple(map(float, _listed(value))), _listed)


def mapping(name: str, **options: Any) -> Column[Mapping[str, Any]]:
    """JSON: what has names. options: how `strict_json.dumps` writes it."""
    return Column(name, mapping_of, lambda value: strict_json.dumps(value, **options))


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Stored JSON that has names; empty where it is something else, or isn't there."""
    found = {} if value is None else strict_json.loads(value)
    return found if isinstance(found, dict) else {}


def _as_it_is(value: Any) -> Any:
    return value


def _listed(value: Any) -> list[Any]:
    """A list, whatever pandas made of it."""
    if is_absent(value):
        return []
    return value.tolist() if hasattr(value, "tolist") else list(value)


def _lists(value: tuple[tuple[Any, ...], ...]) -> list[list[Any]]:
    return [list(each) for each in value]
