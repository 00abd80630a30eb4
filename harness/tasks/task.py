"""One task as it can be asked: its configuration, its documents, and the pool that worked examples are drawn from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from harness.errors import UserError
from harness.tasks import data, functions
from harness.tasks.ask import Row
from harness.tasks.config import Function, TaskConfig
from harness.tasks.data import DataTable


@dataclass(frozen=True)
class Shots:
    """The documents that worked examples are drawn from."""

    rows: list[Row]
    split: str | None
    """The split that they are; None where the task file gives the examples itself."""


@dataclass(frozen=True)
class Task:
    """A task. Opening it reads no data: each split is read when it is first asked for. Can be pickled, without rows."""

    config: TaskConfig
    data: DataTable
    allow_task_code: bool = False
    allow_code_execution: bool = False

    @property
    def name(self) -> str:
        """Its name, as in the task file."""
        return self.config.task

    @property
    def evaluation_split(self) -> str:
        """The split that is asked: the test split, else the validation split. Raises UserError without either."""
        raise NotImplementedError

    def evaluation_rows(self) -> list[Row]:
        """The documents that are asked, after `process_docs`. Raises UserError."""
        raise NotImplementedError

    def shot_rows(self) -> Shots:
        """The pool of worked examples, as lm-eval chooses it. Raises UserError.

        First of these that the task file names: `fewshot_split` (or `fewshot_config.split`), the samples of
        `fewshot_config`, the training, the validation, the test split.
        """
        raise NotImplementedError

    @property
    def shots_are_evaluated(self) -> bool:
        """Whether the pool and the evaluated documents are the same data, by whatever names."""
        raise NotImplementedError

    @property
    def shots_keep_places(self) -> bool:
        """Whether, besides, document i of the pool is document i of the evaluation (the same `process_docs`)."""
        raise NotImplementedError

    @property
    def lm_eval_excludes(self) -> bool:
        """lm-eval's own rule whether it keeps a document out of its shots: by the splits' names, None equal to None."""
        return self.config.fewshot_split == self.config.test_split

    def function(self, function: Function, key: str) -> Callable[..., Any]:
        """The Python function that the task file names under `key`. Raises UserError where it may not be run."""
        raise NotImplementedError

    def digest(self) -> str:
        """Hash of all that determines what the task asks: configuration, sources of its functions, its data."""
        raise NotImplementedError

    def ensure(self) -> None:
        """Bring its data into reach, so that everything else works offline. Raises UserError."""
        raise NotImplementedError
