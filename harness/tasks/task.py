"""One task as it can be asked: its configuration, its documents, and the pool that worked examples are drawn from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks import task_digest
from harness.tasks.ask import Row
from harness.tasks.code import functions
from harness.tasks.code.foreign import ForeignFunction
from harness.tasks.code.helper_files import tree_of
from harness.tasks.code.helper_state import HelperState
from harness.tasks.code.lm_eval_passes import LmEvalPasses, Shots, sharing_modules
from harness.tasks.code.process import start_ahead
from harness.tasks.code.requirements import Need, missing_sentence, needs_of
from harness.tasks.config import FewshotConfig, Function, Mode, TaskConfig
from harness.tasks.data import source as data
from harness.tasks.data import splits
from harness.tasks.data.hub import HubData
from harness.tasks.data.rows import Rows, concatenated
from harness.tasks.data.source import DataSource, DataTable
from harness.tasks.judging.specification import judges_programs

SHIPPED = Path(__file__).parent / "shipped"
"""The folder of our own tasks."""


@dataclass(frozen=True)
class Counted:
    """How lm-eval chooses documents: it prepares all of them once more to count them."""

    by_share: bool = False
    """A fractional limit: counted once, before anything is asked."""
    by_number: bool = False
    """Chosen documents: counted each time that they are chosen."""


@dataclass(frozen=True)
class Task:
    """A task. Opening it reads no data: each split is read when it is first asked for. Can be pickled, without rows.

    Helper code gets a fresh process for every pass over a split, so its documents depend on the file and the data
    alone. In mode lm-eval (`lm_eval` is given) all passes are made with one state, as many and in the order as
    lm-eval 0.4.13 makes them for this task alone (`lm_eval_passes.py`).
    """

    config: TaskConfig
    data: DataTable = field(default_factory=dict, hash=False)
    allow_task_code: bool = False
    allow_code_execution: bool = False
    lm_eval: Counted | None = None
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

    def judged_rows(self, pipeline: int) -> Sequence[Row]:
        """The documents that the answers of a filter pipeline are judged by, from the first pipeline on.

        Those that were asked; in mode lm-eval those of another pass, which a helper may have shuffled otherwise.
        """
        return self._evaluation_rows if self.lm_eval is None else self._passes.judged(pipeline)

    def shot_rows(self) -> Shots:
        """The pool of worked examples, as lm-eval chooses it. Not to be changed. Raises UserError.

        First of these that the task file names: `fewshot_split` (or `fewshot_config.split`), the samples of
        `fewshot_config`, the training, the validation, the test split.
        """
        return self._shots

    def whole_rows(self) -> list[Row]:
        """All rows of what the evaluated split is a slice of, after `process_docs`; none where it is no slice. Raises
        UserError."""
        return self._whole(self.evaluation_split, self.config.process_docs)

    def whole_shot_rows(self) -> list[Row]:
        """The same of the pool of worked examples; none, too, where that is the evaluated slice. Raises UserError."""
        if self.shot_split is None or (self.shots_keep_places and self.shot_split == self.evaluation_split):
            return []
        return self._whole(self.shot_split, self._shot_process_docs)

    def _whole(self, split: str, process_docs: Function | None) -> list[Row]:
        whole = splits.unsliced(split)
        if whole == split:
            return []
        with self._pass() as state:
            return self._processed(split, "split", process_docs, "process_docs", state, whole)

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

    @cached_property
    def _evaluation_digest(self) -> str | UserError:
        """Of the documents; why they can't be had where they can't."""
        try:
            return self._digest_of(self.evaluation_split)
        except UserError as error:
            return error

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
            self._source.ensure()

    @property
    def _hub(self) -> HubData | None:
        """Where its documents come from, if that is the hub."""
        if self.config.custom_dataset is not None or self.missing_data is not None:
            return None
        return self._source if isinstance(self._source, HubData) else None

    @cached_property
    def _source(self) -> DataSource:
        return data.source(self.config, self.data, self.mode)

    @cached_property
    def _custom(self) -> HelperState:
        """The process that made the data set of a task file's own, and has it."""
        return self._new_state()

    @cached_property
    def _custom_splits(self) -> list[str]:
        named = self.config.custom_dataset
        assert named is not None
        options = {**self.config.metadata, **self.config.dataset_kwargs}
        with self._telling("custom_dataset", named):
            made = self._custom.custom(named, "custom_dataset", options)
        if made is None:
            raise UserError("`custom_dataset` gives no mapping of splits to rows", place=str(self.config.file))
        return made

    @cached_property
    def _asking(self) -> HelperState:
        """What the functions of single documents remember."""
        if self.lm_eval is not None:
            return self._passes.state
        state = self._new_state()
        state.preload()
        return state

    @cached_property
    def _passes(self) -> LmEvalPasses:
        assert self.lm_eval is not None
        return LmEvalPasses(
            state=self._new_state(sharing_modules(self.config)),
            config=self.config,
            prepare_shots=self._prepared_shots,
            prepare=self._prepared_evaluation,
            before_asking=1 + self.lm_eval.by_share + self.lm_eval.by_number,
            before_judging=int(self.lm_eval.by_number),
        )

    def _new_state(self, together: Mapping[Path, tuple[str, ...]] | None = None) -> HelperState:
        inside = tree_of(self.config.file, self.folders)
        return HelperState(functions.functions_of(self.config), self.allow_task_code, together, inside)

    @contextmanager
    def _pass(self) -> Iterator[HelperState]:
        """What helper code remembers in the next pass."""
        if self.lm_eval is not None:
            yield self._passes.state
            return
        state = self._new_state()
        try:
            yield state
        finally:
            state.close()

    @cached_property
    def _evaluation_rows(self) -> list[Row]:
        if self.lm_eval is not None:
            return self._passes.asked
        with self._pass() as state:
            return self._prepared_evaluation(state)

    @cached_property
    def _shots(self) -> Shots:
        if self.lm_eval is not None:
            return self._passes.shots
        if self.shots_keep_places and self.shot_split == self.evaluation_split:
            return Shots(self.evaluation_rows(), self.shot_split)
        with self._pass() as state:
            return self._prepared_shots(state)

    def _prepared_evaluation(self, state: HelperState) -> list[Row]:
        key = "test_split" if self.config.test_split else "validation_split"
        return self._processed(self.evaluation_split, key, self.config.process_docs, "process_docs", state)

    def _prepared_shots(self, state: HelperState) -> Shots:
        samples = self._fewshot.samples
        if self._named_shot_split is None and samples is not None:
            if isinstance(samples, Function):
                with self._telling("fewshot_config.samples", samples), state.running():
                    samples = state.samples(samples, "fewshot_config.samples")
            return Shots([dict(row) for row in samples], None)
        split = self.shot_split
        if split is None:
            raise UserError(
                f"the task {self.name} names no split to draw worked examples from", place=str(self.config.file)
            )
        key = "fewshot_split" if self._named_shot_split else "training_split"
        process_docs = self._shot_process_docs
        inner = process_docs is not None and process_docs != self.config.process_docs
        named = "fewshot_config.process_docs" if inner else "process_docs"
        return Shots(self._processed(split, key, process_docs, named, state), split)

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

    def _processed(
        self,
        split: str,
        key: str,
        process_docs: Function | None,
        named: str,
        state: HelperState,
        read: str | None = None,
    ) -> list[Row]:
        """read: the rows to prepare as those of the split, where it isn't they."""
        rows = self._split(read or split, key)
        if made_by := self.config.prepared_by.get(split):
            process_docs, named = made_by, "prepared_by"
        if process_docs is None:
            return list(rows)
        kept = read or split if self.lm_eval is not None else None
        with self._telling(named, process_docs), state.running():
            made = state.rows(process_docs, named, rows, kept, self.config.custom_dataset is None)
        if made is None:
            raise UserError(f"`{named}` ({process_docs.name}) gives back no rows", place=str(process_docs.file))
        return made

    def _split(self, split: str, key: str) -> Rows:
        """The rows of a split as the data set has them, read once for all passes of mode lm-eval."""
        if self.lm_eval is None:
            return self._read(split, key)
        if split not in self._kept:
            self._kept[split] = self._read(split, key)
        return self._kept[split]

    @cached_property
    def _kept(self) -> dict[str, Rows]:
        return {}

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
        if split not in self._custom_splits:
            there = ", ".join(self._custom_splits)
            raise UserError(
                f"`custom_dataset` gives no split '{split}'{nearest(split, self._custom_splits)} (there are: {there})",
                place=f"{self.config.file}: {key}",
            )
        with self._telling("custom_dataset", self.config.custom_dataset):
            return self._custom.custom_rows(self.config.custom_dataset, split)

    @contextmanager
    def _telling(self, key: str, function: Function) -> Iterator[None]:
        """Turn what helper code raises into one sentence."""
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
