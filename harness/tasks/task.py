"""One task as it can be asked: its configuration, its documents, and the pool that worked examples are drawn from."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks import data, functions, splits
from harness.tasks.ask import Row
from harness.tasks.config import FewshotConfig, Function, Mode, TaskConfig
from harness.tasks.data import DataSource, DataTable
from harness.tasks.datasets_module import as_rows
from harness.tasks.helper_files import source_files
from harness.tasks.rows import Rows, concatenated


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
    data: DataTable = field(default_factory=dict, hash=False)
    allow_task_code: bool = False
    allow_code_execution: bool = False
    mode: Mode = "right"
    """How its documents are read: in lm-eval the types of a CSV file's columns are guessed, as there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Task, (self.config, dict(self.data), self.allow_task_code, self.allow_code_execution, self.mode)

    @property
    def name(self) -> str:
        """Its name, as in the task file."""
        return self.config.task

    @property
    def evaluation_split(self) -> str:
        """The split that is asked: the test split, else the validation split. Raises UserError without either."""
        split = self.config.test_split or self.config.validation_split
        if split is None:
            raise UserError(
                f"the task {self.name} has neither `test_split` nor `validation_split`, so nothing is asked",
                place=str(self.config.file),
            )
        return split

    def evaluation_rows(self) -> list[Row]:
        """The documents that are asked, after `process_docs`. Not to be changed. Raises UserError."""
        return self._evaluation_rows

    def shot_rows(self) -> Shots:
        """The pool of worked examples, as lm-eval chooses it. Not to be changed. Raises UserError.

        First of these that the task file names: `fewshot_split` (or `fewshot_config.split`), the samples of
        `fewshot_config`, the training, the validation, the test split.
        """
        return self._shots

    @property
    def shot_split(self) -> str | None:
        """The split that worked examples are drawn from; None where the file gives them itself, or names no split."""
        if self._named_shot_split is not None:
            return self._named_shot_split
        if self._fewshot.samples is not None:
            return None
        return self.config.training_split or self.config.validation_split or self.config.test_split

    @property
    def shots_are_evaluated(self) -> bool:
        """Whether the pool and the evaluated documents are the same data, by whatever names."""
        if self.shot_split is None:
            return False
        if self.shot_split == self.evaluation_split:
            return True
        if self.config.custom_dataset is not None:
            return False
        return self._identity(self.shot_split) == self._identity(self.evaluation_split)

    def _identity(self, split: str) -> list[Hashable]:
        return [(self._source.identity(part.split), part.slice) for part in splits.parts(split)]

    @property
    def shots_keep_places(self) -> bool:
        """Whether, besides, document i of the pool is document i of the evaluation (the same `process_docs`)."""
        return self.shots_are_evaluated and self._shot_process_docs == self.config.process_docs

    @property
    def lm_eval_excludes(self) -> bool:
        """lm-eval's own rule whether it keeps a document out of its shots: by the splits' names, None equal to None."""
        return self._named_shot_split == self.config.test_split

    def function(self, function: Function, key: str) -> Callable[..., Any]:
        """The Python function that the task file names under `key`. Raises UserError where it may not be run."""
        return functions.load(function, key, self.allow_task_code)

    def digest(self) -> str:
        """Hash of all that determines what the task asks: configuration, sources of its functions, its data.

        Fetches nothing, but for local files reads them once. Raises UserError where the data isn't there.
        """
        folder = self.config.file.parent
        files = sorted({file for _, named in functions.functions_of(self.config) for file in source_files(named.file)})
        config = json.dumps(_portable(self.config.model_dump(mode="json"), folder), sort_keys=True)
        sources = [[_relative(file, folder), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
        rows = [] if self.config.custom_dataset else [self._digest_of(self.evaluation_split), self._shots_digest()]
        return hashlib.sha256(json.dumps([config, sources, rows]).encode()).hexdigest()

    def _shots_digest(self) -> str | None:
        """Of the pool; None where there's none, also where its split is missing here: zero shots need none."""
        if self.shot_split is None:
            return None
        try:
            return self._digest_of(self.shot_split)
        except UserError:
            return None

    def _digest_of(self, split: str) -> str:
        """Of the files or data sets that a split is taken from; which rows of them is said by the configuration."""
        return "+".join(self._source.digest(part.split) for part in splits.parts(split))

    def ensure(self) -> None:
        """Bring its data into reach, so that everything else works offline. Raises UserError."""
        if self.config.custom_dataset is None:
            self._source.ensure()

    @cached_property
    def _source(self) -> DataSource:
        return data.source(self.config, self.data, self.mode)

    @cached_property
    def _custom(self) -> Mapping[str, Any]:
        assert self.config.custom_dataset is not None
        make = self.function(self.config.custom_dataset, "custom_dataset")
        with self._running("custom_dataset", self.config.custom_dataset):
            made = make(**{**self.config.metadata, **self.config.dataset_kwargs})
        if not isinstance(made, Mapping):
            raise UserError("`custom_dataset` gives no mapping of splits to rows", place=str(self.config.file))
        return made

    @cached_property
    def _evaluation_rows(self) -> list[Row]:
        key = "test_split" if self.config.test_split else "validation_split"
        return self._processed(self.evaluation_split, key, self.config.process_docs, "process_docs")

    @cached_property
    def _shots(self) -> Shots:
        samples = self._fewshot.samples
        if self._named_shot_split is None and samples is not None:
            if isinstance(samples, Function):
                make = self.function(samples, "fewshot_config.samples")
                with self._running("fewshot_config.samples", samples):
                    samples = list(make())
            return Shots([dict(row) for row in samples], None)
        split = self.shot_split
        if split is None:
            raise UserError(
                f"the task {self.name} names no split to draw worked examples from", place=str(self.config.file)
            )
        if self.shots_keep_places and split == self.evaluation_split:
            return Shots(self.evaluation_rows(), split)
        key = "fewshot_split" if self._named_shot_split else "training_split"
        process_docs = self._shot_process_docs
        inner = process_docs is not None and process_docs != self.config.process_docs
        named = "fewshot_config.process_docs" if inner else "process_docs"
        return Shots(self._processed(split, key, process_docs, named), split)

    @property
    def _fewshot(self) -> FewshotConfig:
        return self.config.fewshot_config or FewshotConfig()

    @property
    def _named_shot_split(self) -> str | None:
        """`fewshot_config` stands above the task's own keys where it says something, be it null."""
        return self._fewshot.split if "split" in self._fewshot.model_fields_set else self.config.fewshot_split

    @property
    def _shot_process_docs(self) -> Function | None:
        """Where no split is named for the shots, lm-eval takes the task's splits, with the task's `process_docs`."""
        if self._named_shot_split is None or "process_docs" not in self._fewshot.model_fields_set:
            return self.config.process_docs
        return self._fewshot.process_docs

    def _processed(self, split: str, key: str, process_docs: Function | None, named: str) -> list[Row]:
        rows = self._read(split, key)
        if process_docs is None:
            return list(rows)
        process = self.function(process_docs, named)
        with self._running(named, process_docs):
            made = process(rows)
            if made is None:
                raise UserError(f"`{named}` ({process_docs.name}) gives back no rows", place=str(process_docs.file))
            return as_rows(made).plain

    def _read(self, split: str, key: str) -> Rows:
        """The rows of a split, a slice of one, or several of these."""
        try:
            parts = splits.parts(split)
        except UserError as error:
            raise UserError(error.message, place=f"{self.config.file}: {key}") from None
        read = [(part, self._read_whole(part.split, key)) for part in parts]
        if all(part.slice is None for part, _ in read) and len(read) == 1:
            return read[0][1]
        return concatenated([rows.select(part.places(len(rows))) for part, rows in read])

    def _read_whole(self, split: str, key: str) -> Rows:
        if self.config.custom_dataset is None:
            try:
                return self._source.rows(split)
            except UserError as error:
                raise UserError(f"{error.message} [{self.config.file}: `{key}: {split}`]", place=error.place) from error
        if split not in self._custom:
            there = ", ".join(map(str, self._custom))
            raise UserError(
                f"`custom_dataset` gives no split '{split}'{nearest(split, self._custom)} (there are: {there})",
                place=f"{self.config.file}: {key}",
            )
        return as_rows(self._custom[split])

    @contextmanager
    def _running(self, key: str, function: Function) -> Iterator[None]:
        """Turn what helper code raises into one sentence, and give it the random numbers it gets in a fresh run.

        Some helpers shuffle choices with Python's global generator, which lm-eval seeds with 0 when it starts. Seeding
        it for each call keeps a task's documents the same whichever tasks were opened before.
        """
        state = random.getstate()
        random.seed(0)
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # whatever code of others raises
            what = (
                f"KeyError: no column or key {error}"
                if isinstance(error, KeyError)
                else f"{type(error).__name__}: {error}"
            )
            raise UserError(
                f"`{key}` ({function.name}) fails for {self.name}: {what}", place=str(function.file)
            ) from error
        finally:
            random.setstate(state)


def _portable(value: Any, folder: Path, key: str = "") -> Any:
    """Configuration without where the folder lies, so that its digest is the same on another machine."""
    if isinstance(value, dict):
        return {name: _portable(inner, folder, str(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [_portable(inner, folder) for inner in value]
    return _relative(Path(value), folder) if key == "file" and isinstance(value, str) else value


def _relative(file: Path, folder: Path) -> str:
    return Path(*_steps(file, folder)).as_posix()


def _steps(file: Path, folder: Path) -> list[str]:
    shared = 0
    for one, other in zip(file.parts, folder.parts, strict=False):
        if one != other:
            break
        shared += 1
    return [".."] * (len(folder.parts) - shared) + list(file.parts[shared:])
