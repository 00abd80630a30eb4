"""Documents of the embedded corpora: their evaluation sets."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from harness.corpora import microworld
from harness.errors import UserError
from harness.tasks.config import TaskConfig
from harness.tasks.data.rows import Rows


@dataclass(frozen=True)
class Microworld:
    """Evaluation sets of an embedded corpus."""

    theme: str | None
    seeds: int
    """How many sets there are of each theme (`dataset_kwargs: {seeds: 8}`)."""
    place: str
    name: str = microworld.NAME

    def rows(self, split: str) -> Rows:
        """See `DataSource`."""
        return Rows(self._questions(split))

    def identity(self, split: str) -> Hashable:
        """See `DataSource`."""
        return split

    def digest(self, split: str) -> str:
        """See `DataSource`. Of the rows themselves."""
        return microworld.questions_digest(self._theme(), split, self.seeds, self.name)

    def ensure(self) -> None:
        """See `DataSource`. Nothing to bring: it is made on this machine."""

    def _questions(self, split: str) -> list[dict[str, Any]]:
        return microworld.questions(self._theme(), split, self.seeds, self.name)

    def _theme(self) -> str:
        if self.theme is None:
            raise UserError(f"`dataset_path: {self.name}` needs a theme in `dataset_name`", place=self.place)
        return self.theme


def seeds_of(config: TaskConfig) -> int:
    """How many evaluation sets of the embedded corpus a task wants. Raises UserError."""
    options = dict(config.dataset_kwargs)
    seeds = options.pop("seeds", 1)
    place = f"{config.file}: dataset_kwargs"
    if options:
        raise UserError(f"{config.dataset_path} takes `seeds` and no '{next(iter(options))}'", place=place)
    if not isinstance(seeds, int) or isinstance(seeds, bool) or not 1 <= seeds <= 100:
        raise UserError(f"`seeds` is a number of evaluation sets, 1 to 100, not {seeds!r}", place=place)
    return seeds
