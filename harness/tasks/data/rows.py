"""Rows of a data set as a list, with the methods of `datasets.Dataset` that helper code of task files calls.

Those helpers were written for the Hugging Face library; they get this instead, so that no task needs it. Two habits
of the original are kept since helpers rely on them: a row that is read is a copy (a helper that shuffles its
choices in place changes nobody else's), and a method gives a new set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from harness.tasks.ask import Row
from harness.tasks.data.plain_values import copied, is_missing, plain, plain_row


class Rows(Sequence[Row]):
    """A list of rows. `features`: what is known of the columns (None for most)."""

    def __init__(self, rows: Iterable[Row], features: Mapping[str, Any] | None = None) -> None:
        self.plain = list(rows)
        """The rows themselves, not copies: for readers that change nothing."""
        self._features = features or {}

    @classmethod
    def from_list(cls, rows: Iterable[Mapping[str, Any]], **options: Any) -> Rows:
        """Of a list of rows; `options` (features, split, ...) change nothing here."""
        return cls(plain_row(row) for row in rows)

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[Any]], **options: Any) -> Rows:
        """Of columns of equal length. Raises ValueError where they differ."""
        if len({len(values) for values in columns.values()}) > 1:
            lengths = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
            raise ValueError(f"columns of different lengths: {lengths}")
        return cls(plain_row(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True))

    @classmethod
    def from_generator(cls, generator: Callable[..., Iterable[Row]], gen_kwargs: Any = None, **options: Any) -> Rows:
        """Of what a generator function yields."""
        return cls.from_list(generator(**(gen_kwargs or {})))

    @classmethod
    def from_pandas(cls, frame: Any, **options: Any) -> Rows:
        """Of a DataFrame, without its index; missing values become None."""
        return cls.from_list(
            {str(name): None if is_missing(value) else value for name, value in row.items()}
            for row in frame.to_dict(orient="records")
        )

    def __len__(self) -> int:
        return len(self.plain)

    def __iter__(self) -> Iterator[Row]:
        return (copied(row) for row in self.plain)

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> Any: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...
    def __getitem__(self, key: int | slice | str) -> Any:
        """A row, the columns of a range of rows (as the original does), or a column."""
        if isinstance(key, str):
            if key not in self.column_names:
                raise KeyError(f"there is no column '{key}' (there are: {', '.join(self.column_names)})")
            return [copied(row.get(key)) for row in self.plain]
        if isinstance(key, slice):
            return Rows(self.plain[key]).to_dict()
        return copied(self.plain[key])

    @property
    def column_names(self) -> list[str]:
        """Every key that a row has, in order of first appearance."""
        return list(dict.fromkeys(name for row in self.plain for name in row))

    @property
    def features(self) -> dict[str, Any]:
        """What is known of every column; None where nothing is."""
        return {name: self._features.get(name) for name in self.column_names}

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.plain)

    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        remove_columns: str | list[str] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Rows:
        """Each row (or batch, as a dictionary of columns) with what the function returns put over it.

        Other `options` of the original concern its files and processes, and change nothing here.
        """
        if function is None:
            return self
        given, dropped = fn_kwargs or {}, _names(remove_columns)
        if batched:
            size = batch_size or max(1, len(self))
            batches = (range(start, min(start + size, len(self))) for start in range(0, len(self), size))
            mapped = [
                row for batch in batches for row in self._mapped_batch(function, batch, with_indices, dropped, given)
            ]
            return Rows(mapped, self._features)
        rows = []
        for index, row in enumerate(self):
            arguments = [row[name] for name in _names(input_columns)] if input_columns else [row]
            made = function(*arguments, *([index] if with_indices else []), **given)
            kept = {name: value for name, value in row.items() if name not in dropped}
            rows.append(plain_row({**kept, **(made or {})}))
        return Rows(rows, self._features)

    def _mapped_batch(
        self,
        function: Callable[..., Any],
        batch: range,
        with_indices: bool,
        dropped: list[str],
        given: Mapping[str, Any],
    ) -> Iterable[Row]:
        columns = self.select(batch).to_dict()
        made = function(columns, *([list(batch)] if with_indices else []), **given)
        kept = {name: values for name, values in columns.items() if name not in dropped}
        return Rows.from_dict({**kept, **(made or {})}).plain

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | list[str] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Rows:
        """The rows of which the function is true."""
        kept = []
        for index, row in enumerate(self):
            arguments = [row[name] for name in _names(input_columns)] if input_columns else [row]
            if function is None or function(*arguments, *([index] if with_indices else []), **(fn_kwargs or {})):
                kept.append(self.plain[index])
        return Rows(kept, self._features)

    def select(self, indices: Iterable[int], **options: Any) -> Rows:
        """The rows at these places, in this order."""
        return Rows((self.plain[index] for index in indices), self._features)

    def take(self, n: int) -> Rows:
        """The first n rows."""
        return Rows(self.plain[:n], self._features)

    def skip(self, n: int) -> Rows:
        """All but the first n rows."""
        return Rows(self.plain[n:], self._features)

    def shuffle(self, seed: int | None = None, **options: Any) -> Rows:
        """In the order that the original draws for this seed (numpy's default generator); without a seed, for 0."""
        return self.select(_permutation(len(self), seed))

    def train_test_split(
        self,
        test_size: float | int = 0.25,
        train_size: float | int | None = None,
        shuffle: bool = True,
        seed: int | None = None,
        **options: Any,
    ) -> dict[str, Rows]:
        """Two parts, `train` and `test`, drawn as the original draws them. Sizes: numbers of rows, or shares."""
        test = math.ceil(test_size * len(self)) if isinstance(test_size, float) else test_size
        train = len(self) - test
        if train_size is not None:
            train = math.floor(train_size * len(self)) if isinstance(train_size, float) else train_size
        if not shuffle:
            return {"train": self.select(range(train)), "test": self.select(range(train, train + test))}
        order = _permutation(len(self), seed)
        return {"train": self.select(order[test : test + train]), "test": self.select(order[:test])}

    def sort(self, column_names: str | Sequence[str], reverse: bool = False, **options: Any) -> Rows:
        """In order of one column or several; rows without a value last."""
        names = _names(column_names)

        def has_all(row: Row) -> bool:
            return all(row.get(name) is not None for name in names)

        full = sorted(filter(has_all, self.plain), key=lambda row: [row[name] for name in names], reverse=reverse)
        return Rows([*full, *(row for row in self.plain if not has_all(row))], self._features)

    def unique(self, column: str) -> list[Any]:
        """The different values of a column, in order of first appearance."""
        return list(dict.fromkeys(self[column]))

    def select_columns(self, column_names: str | list[str]) -> Rows:
        """Only these columns."""
        names = self._existing(column_names)
        return Rows(({name: row.get(name) for name in names} for row in self.plain), self._features)

    def remove_columns(self, column_names: str | list[str]) -> Rows:
        """All but these columns."""
        names = self._existing(column_names)
        rows = ({name: value for name, value in row.items() if name not in names} for row in self.plain)
        return Rows(rows, self._features)

    def rename_column(self, original_column_name: str, new_column_name: str) -> Rows:
        """With one column under another name."""
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: Mapping[str, str]) -> Rows:
        """With columns under other names: old name -> new name."""
        self._existing(list(column_mapping))
        features = {column_mapping.get(name, name): feature for name, feature in self._features.items()}
        rows = ({column_mapping.get(name, name): value for name, value in row.items()} for row in self.plain)
        return Rows(rows, features)

    def add_column(self, name: str, column: Sequence[Any], **options: Any) -> Rows:
        """With one column more. Raises ValueError for a column of another length."""
        if len(column) != len(self):
            raise ValueError(f"the new column '{name}' has {len(column)} values for {len(self)} rows")
        added = ({**row, name: plain(value)} for row, value in zip(self.plain, column, strict=True))
        return Rows(added, self._features)

    def add_item(self, item: Row, **options: Any) -> Rows:
        """With one row more."""
        return Rows([*self.plain, plain_row(item)], self._features)

    def flatten_indices(self, **options: Any) -> Rows:
        """Itself: there are no indices here."""
        return self

    def to_list(self) -> list[Row]:
        """The rows, copied."""
        return list(self)

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns, copied."""
        return {name: [copied(row.get(name)) for row in self.plain] for name in self.column_names}

    def to_pandas(self) -> Any:
        """A DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.to_list())

    def _existing(self, names: str | list[str]) -> list[str]:
        for name in _names(names):
            if name not in self.column_names:
                raise ValueError(f"there is no column '{name}' (there are: {', '.join(self.column_names)})")
        return _names(names)


def concatenated(parts: Iterable[Rows], **options: Any) -> Rows:
    """The rows of several sets, one set after the other."""
    parts = list(parts)
    return Rows((row for part in parts for row in part.plain), parts[0]._features if parts else None)


def _permutation(count: int, seed: int | None) -> list[int]:
    import numpy as np

    return [int(index) for index in np.random.default_rng(0 if seed is None else seed).permutation(count)]


def _names(names: str | Sequence[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or [])
