"""The rows of a task's splits as its data set has them, before any function of the task file prepares them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property

from harness.errors import UserError
from harness.mode import Mode
from harness.spelling import nearest
from harness.tasks.code.helper_state import HelperState
from harness.tasks.code.told_failure import told
from harness.tasks.config import TaskConfig
from harness.tasks.data import splits
from harness.tasks.data.rows import Rows, concatenated
from harness.tasks.data.source import DataSource, DataTable, source


@dataclass(frozen=True)
class SplitRows:
    """The splits of one task. Nothing is read before it is asked for."""

    config: TaskConfig
    table: DataTable
    mode: Mode
    new_state: Callable[[], HelperState]
    """A process for the task file's own code, which may make the data set."""

    @cached_property
    def source(self) -> DataSource:
        """Where the data set lies, unless the task file's own code makes it. Raises UserError."""
        return source(self.config, self.table, self.mode)

    def rows(self, split: str, key: str) -> Rows:
        """The rows of a split, a slice of one, or several of these; read once for all passes of mode lm-eval.

        key: what names it in the file. Raises UserError.
        """
        if self.mode == "right":
            return self._read(split, key)
        if split not in self._kept:
            self._kept[split] = self._read(split, key)
        return self._kept[split]

    def identity(self, split: str) -> list[Hashable]:
        """Equal for two splits that are the same rows, whatever they are called."""
        return [(self.source.identity(part.split), part.slice) for part in splits.parts(split)]

    def digest(self, split: str) -> str:
        """Of the files or data sets that a split is taken from; which rows of them is said by the configuration."""
        return "+".join(self.source.digest(part.split) for part in splits.parts(split))

    @cached_property
    def _kept(self) -> dict[str, Rows]:
        return {}

    def _read(self, split: str, key: str) -> Rows:
        try:
            parts = splits.parts(split)
        except UserError as error:
            raise UserError(error.message, place=f"{self.config.file}: {key}") from None
        read = [(part, self._read_whole(part.split, key)) for part in parts]
        if all(part.slice is None for part, _ in read) and len(read) == 1:
            return read[0][1]
        return concatenated([rows.select(part.places(len(rows))) for part, rows in read])

    def _read_whole(self, split: str, key: str) -> Rows:
        named = self.config.custom_dataset
        if named is None:
            try:
                return self.source.rows(split)
            except UserError as error:
                raise UserError(f"{error.message} [{self.config.file}: `{key}: {split}`]", place=error.place) from error
        if split not in self._custom_splits:
            there = ", ".join(self._custom_splits)
            raise UserError(
                f"`custom_dataset` gives no split '{split}'{nearest(split, self._custom_splits)} (there are: {there})",
                place=f"{self.config.file}: {key}",
            )
        with told("custom_dataset", named, self.config.task):
            return self._custom.custom_rows(named, split)

    @cached_property
    def _custom(self) -> HelperState:
        """The process that made the data set of a task file's own, and has it."""
        return self.new_state()

    @cached_property
    def _custom_splits(self) -> list[str]:
        named = self.config.custom_dataset
        assert named is not None
        options = {**self.config.metadata, **self.config.dataset_kwargs}
        with told("custom_dataset", named, self.config.task):
            made = self._custom.custom(named, "custom_dataset", options)
        if made is None:
            raise UserError("`custom_dataset` gives no mapping of splits to rows", place=str(self.config.file))
        return made
