"""One task as it can be asked: its configuration, its documents, its functions, and what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks import chosen_splits, task_digest
from harness.tasks.ask import Row
from harness.tasks.code import functions
from harness.tasks.code.foreign import ForeignFunction
from harness.tasks.code.helper_files import tree_of
from harness.tasks.code.helper_state import HelperState
from harness.tasks.code.lm_eval_passes import Shots
from harness.tasks.code.process import start_ahead
from harness.tasks.code.requirements import Need, missing_sentence, needs_of
from harness.tasks.config import Function, TaskConfig
from harness.tasks.data import splits
from harness.tasks.data.hub import HubData
from harness.tasks.data.local_files import Local
from harness.tasks.data.microworld_questions import Microworld
from harness.tasks.data.source import DataTable
from harness.tasks.data.split_rows import SplitRows
from harness.tasks.documents import Counted, Documents, NewState
from harness.tasks.judging.specification import judges_programs

SHIPPED = Path(__file__).parent / "shipped"
"""The folder of our own tasks."""


@dataclass(frozen=True)
class Task:
    """A task. Opening it reads no data: each split is read when it is first asked for. Can be pickled, without rows."""

    config: TaskConfig
    data: DataTable = field(default_factory=dict, hash=False)
    allow_task_code: bool = False
    allow_code_execution: bool = False
    lm_eval: Counted | None = None
    """How documents are chosen in mode lm-eval (`documents.py`); None in mode right."""
    folders: tuple[Path, ...] = ()
    """Folders of task files that were named: helper files of a task in one of them may lie anywhere in it."""

    def __reduce__(self) -> tuple[Any, ...]:
        allowed = (self.allow_task_code, self.allow_code_execution)
        return Task, (self.config, dict(self.data), *allowed, self.lm_eval, self.folders)

    @property
    def mode(self) -> Mode:
        """How its documents are read: in lm-eval the types of a CSV file's columns are guessed, as there."""
        return "right" if self.lm_eval is None else "lm-eval"

    @property
    def name(self) -> str:
        """Its name, as in the task file."""
        return self.config.task

    @property
    def is_shipped(self) -> bool:
        """Whether its file comes with this package."""
        return self.config.file.is_relative_to(SHIPPED)

    @property
    def evaluation_split(self) -> str:
        """The split that is asked: the test split, else the validation split. Raises UserError without either."""
        return chosen_splits.evaluation_split(self.config)

    def evaluation_rows(self) -> list[Row]:
        """The documents that are asked, after `process_docs`. Not to be changed. Raises UserError."""
        return self._documents.evaluation

    def judged_rows(self, pipeline: int) -> Sequence[Row]:
        """The documents that the answers of a filter pipeline are judged by, from the first pipeline on.

        Those that were asked; in mode lm-eval those of another pass, which a helper may have shuffled otherwise.
        """
        return self._documents.judged(pipeline)

    def shot_rows(self) -> Shots:
        """The pool of few-shot examples, as lm-eval chooses it. Not to be changed. Raises UserError.

        First of these that the task file names: `fewshot_split` (or `fewshot_config.split`), the samples of
        `fewshot_config`, the training, the validation, the test split.
        """
        return self._documents.shots

    def whole_rows(self) -> list[Row]:
        """All rows of what the evaluated split is a slice of, after `process_docs`; none where it is no slice. Raises
        UserError."""
        return self._documents.whole()

    def whole_shot_rows(self) -> list[Row]:
        """The same of the pool of few-shot examples; none, too, where that is the evaluated slice. Raises UserError."""
        return self._documents.whole_shots()

    @property
    def shot_split(self) -> str | None:
        """The split that few-shot examples are drawn from; None where the file gives them itself, or names no split."""
        return chosen_splits.shot_split(self.config)

    @property
    def shots_are_evaluated(self) -> bool:
        """Whether the pool and the evaluated documents are the same data, by whatever names."""
        return self._documents.shots_are_evaluated

    @property
    def shots_keep_places(self) -> bool:
        """Whether, besides, document i of the pool is document i of the evaluation (the same `process_docs`)."""
        return self._documents.shots_keep_places

    @property
    def lm_eval_excludes(self) -> bool:
        """lm-eval's own rule whether it keeps a document out of its shots: by the splits' names, None equal to None."""
        return chosen_splits.named_shot_split(self.config) == self.config.test_split

    def function(self, function: Function, key: str) -> ForeignFunction:
        """The Python function that the task file names under `key`. Raises UserError where it may not be run."""
        functions.check_allowed(function, key, self.allow_task_code)
        return self._asking.function(function, key)

    def foresee(self, named: Sequence[tuple[str, Function]], rows: Iterable[Row]) -> None:
        """These functions are asked of these rows soon: one question instead of many, where that makes no
        difference."""
        if named:
            self._asking.foresee(named, rows)

    def start_ahead(self) -> None:
        """Begin to start what its functions need: it takes a moment, in which a model may be opened."""
        if any(True for _ in functions.functions_of(self.config)):
            start_ahead(self.allow_task_code)

    def asked(self) -> None:
        """All documents are asked: the process of functions that judge nothing is not needed any more."""
        judges = any(key not in functions.DOCUMENT_KEYS for key, _ in functions.functions_of(self.config))
        if "_asking" in vars(self):
            self._asking.forget()
            if not judges and (self.lm_eval is None or self.config.process_docs is None):
                self._asking.close()

    def running(self, document: int | None = None) -> AbstractContextManager[None]:
        """Run functions of the task with the generators that they get: of one document, which determines them in mode
        right; or of the task as a whole."""
        if document is None or self.lm_eval is not None:
            return self._asking.running()
        return self._asking.running_of(f"{self.name} {document}")

    def digest(self) -> str:
        """Hash of all that determines what the task asks: configuration, sources of its functions, its data.

        Fetches nothing, but for local files reads them once.
        """
        rows = [] if self.config.custom_dataset else [self._evaluation_digest, self._shots_digest()]
        return task_digest.digest(self.config, [row if isinstance(row, str) else None for row in rows])

    @property
    def missing(self) -> str | None:
        """The packages that it needs and that aren't installed, as a sentence; None where all are. Imports nothing."""
        told = missing_sentence(self.name, needs_of(self.config, self.allow_task_code))
        if told is not None or self._hub is None or self._hub.missing is None:
            return told
        return str(self._hub.missing)

    @property
    def missing_data(self) -> UserError | None:
        """Why its documents can't be had, such as a file that isn't there; None where nothing is known against it."""
        if self.config.custom_dataset is not None or isinstance(self._evaluation_digest, str):
            return None
        return self._evaluation_digest

    @property
    def bytes_here(self) -> int | None:
        """Of the files on this machine that hold its documents; None where they don't come from such."""
        if self.config.custom_dataset is not None or self.missing_data is not None:
            return None
        source = self._documents.data.source
        if not isinstance(source, Local):
            return None
        return sum(source.size(part.split) for part in splits.parts(self.evaluation_split))

    @property
    def is_made_here(self) -> bool:
        """Whether our own code makes its documents: no file and no network."""
        return self.config.custom_dataset is None and isinstance(self._documents.data.source, Microworld)

    def made_with(self) -> dict[str, Any]:
        """Versions of the packages that make its prompts and scores, and what its code was allowed."""
        needs = [Need("jinja2", ""), *needs_of(self.config, self.allow_task_code)]
        if self._hub is not None:
            needs.append(Need("datasets", ""))
        code = any(True for _ in functions.functions_of(self.config))
        return {
            "packages": {need.module.partition(".")[0]: need.version for need in needs},
            "task code": self.allow_task_code if code else None,
            "code execution": self.allow_code_execution if judges_programs(self.config) else None,
        }

    def ensure(self) -> None:
        """Bring its data into reach, so that everything else works offline. Raises UserError."""
        if self.config.custom_dataset is None:
            self._documents.data.source.ensure()

    @cached_property
    def _documents(self) -> Documents:
        data = SplitRows(self.config, self.data, self.mode, self._new_state)
        return Documents(self.config, data, self.lm_eval, self._new_state)

    @cached_property
    def _evaluation_digest(self) -> str | UserError:
        """Of the documents; why they can't be had where they can't."""
        try:
            return self._documents.data.digest(self.evaluation_split)
        except UserError as error:
            return error

    def _shots_digest(self) -> str | None:
        """Of the pool; None where there's none, also where its split is missing here: zero shots need none."""
        if self.shot_split is None:
            return None
        try:
            return self._documents.data.digest(self.shot_split)
        except UserError:
            return None

    @property
    def _hub(self) -> HubData | None:
        """Where its documents come from, if that is the hub."""
        if self.config.custom_dataset is not None or self.missing_data is not None:
            return None
        source = self._documents.data.source
        return source if isinstance(source, HubData) else None

    @cached_property
    def _asking(self) -> HelperState:
        """What the functions of single documents remember."""
        if self.lm_eval is not None:
            return self._documents.passes.state
        state = self._new_state()
        state.preload()
        return state

    @property
    def _new_state(self) -> NewState:
        # Not a method of this task, which would then hold itself, and the processes of its code with it.
        return partial(_new_state, self.config, self.allow_task_code, self.folders)


def _new_state(
    config: TaskConfig,
    allow_task_code: bool,
    folders: tuple[Path, ...],
    together: Mapping[Path, tuple[str, ...]] | None = None,
) -> HelperState:
    return HelperState(functions.functions_of(config), allow_task_code, together, tree_of(config.file, folders))
