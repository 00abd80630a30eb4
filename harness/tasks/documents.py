"""The documents of a task, prepared by its `process_docs`: those that are asked, and those that few-shot examples are
drawn from.

Helper code gets a fresh process for every pass over a split, so its documents depend on the file and the data alone. In
mode lm-eval all passes are made with one state, as many and in the order as lm-eval 0.4.13 makes them for this task
alone (`code/lm_eval_passes.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from harness.errors import UserError
from harness.tasks.ask import Row
from harness.tasks.chosen_splits import evaluation_split, fewshot, named_shot_split, shot_process_docs, shot_split
from harness.tasks.code.helper_state import HelperState
from harness.tasks.code.lm_eval_passes import LmEvalPasses, Shots, sharing_modules
from harness.tasks.code.told_failure import told
from harness.tasks.config import Function, TaskConfig
from harness.tasks.data import splits
from harness.tasks.data.split_rows import SplitRows


@dataclass(frozen=True)
class Counted:
    """How lm-eval chooses documents: it prepares all of them once more to count them."""

    by_share: bool = False
    """A fractional limit: counted once, before anything is asked."""
    by_number: bool = False
    """Chosen documents: counted each time that they are chosen."""


class NewState(Protocol):
    """Makes a process for a task file's own code."""

    def __call__(self, together: Mapping[Path, tuple[str, ...]] | None = None) -> HelperState:
        """together: modules that share their state (`lm_eval_passes.sharing_modules`)."""


@dataclass(frozen=True)
class Documents:
    """The documents of one task. Each split is read when it is first asked for."""

    config: TaskConfig
    data: SplitRows
    lm_eval: Counted | None
    new_state: NewState

    @cached_property
    def evaluation(self) -> list[Row]:
        """The documents that are asked. Not to be changed. Raises UserError."""
        if self.lm_eval is not None:
            return self.passes.asked
        with self._pass() as state:
            return self._prepared_evaluation(state)

    def judged(self, pipeline: int) -> Sequence[Row]:
        """The documents that the answers of a filter pipeline are judged by. Raises UserError."""
        return self.evaluation if self.lm_eval is None else self.passes.judged(pipeline)

    @cached_property
    def shots(self) -> Shots:
        """The pool of few-shot examples. Not to be changed. Raises UserError."""
        if self.lm_eval is not None:
            return self.passes.shots
        split = shot_split(self.config)
        if self.shots_keep_places and split == evaluation_split(self.config):
            return Shots(self.evaluation, split)
        with self._pass() as state:
            return self._prepared_shots(state)

    def whole(self) -> list[Row]:
        """All rows of what the evaluated split is a slice of; none where it is no slice. Raises UserError."""
        return self._whole(evaluation_split(self.config), self.config.process_docs)

    def whole_shots(self) -> list[Row]:
        """The same of the pool of few-shot examples; none, too, where that is the evaluated slice. Raises UserError."""
        split = shot_split(self.config)
        if split is None or (self.shots_keep_places and split == evaluation_split(self.config)):
            return []
        return self._whole(split, shot_process_docs(self.config))

    @property
    def shots_are_evaluated(self) -> bool:
        """Whether the pool and the evaluated documents are the same data, by whatever names."""
        pool = shot_split(self.config)
        if pool is None:
            return False
        evaluated = evaluation_split(self.config)
        if pool == evaluated:
            return True
        if self.config.custom_dataset is not None:
            return False
        return self.data.identity(pool) == self.data.identity(evaluated)

    @property
    def shots_keep_places(self) -> bool:
        """Whether, besides, document i of the pool is document i of the evaluation (the same `process_docs`)."""
        return self.shots_are_evaluated and shot_process_docs(self.config) == self.config.process_docs

    @cached_property
    def passes(self) -> LmEvalPasses:
        """Those of mode lm-eval."""
        assert self.lm_eval is not None
        return LmEvalPasses(
            state=self.new_state(sharing_modules(self.config)),
            config=self.config,
            prepare_shots=self._prepared_shots,
            prepare=self._prepared_evaluation,
            before_asking=1 + self.lm_eval.by_share + self.lm_eval.by_number,
            before_judging=int(self.lm_eval.by_number),
        )

    @contextmanager
    def _pass(self) -> Iterator[HelperState]:
        """What helper code remembers in the next pass."""
        if self.lm_eval is not None:
            yield self.passes.state
            return
        state = self.new_state()
        try:
            yield state
        finally:
            state.close()

    def _whole(self, split: str, process_docs: Function | None) -> list[Row]:
        whole = splits.unsliced(split)
        if whole == split:
            return []
        with self._pass() as state:
            return self._processed(split, "split", process_docs, "process_docs", state, whole)

    def _prepared_evaluation(self, state: HelperState) -> list[Row]:
        key = "test_split" if self.config.test_split else "validation_split"
        return self._processed(evaluation_split(self.config), key, self.config.process_docs, "process_docs", state)

    def _prepared_shots(self, state: HelperState) -> Shots:
        samples, named_split = fewshot(self.config).samples, named_shot_split(self.config)
        if named_split is None and samples is not None:
            if isinstance(samples, Function):
                with told("fewshot_config.samples", samples, self.config.task), state.running():
                    samples = state.samples(samples, "fewshot_config.samples")
            return Shots([dict(row) for row in samples], None)
        split = shot_split(self.config)
        if split is None:
            raise UserError(
                f"the task {self.config.task} names no split to draw worked examples from", place=str(self.config.file)
            )
        key = "fewshot_split" if named_split else "training_split"
        process_docs = shot_process_docs(self.config)
        inner = process_docs is not None and process_docs != self.config.process_docs
        named = "fewshot_config.process_docs" if inner else "process_docs"
        return Shots(self._processed(split, key, process_docs, named, state), split)

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
        rows = self.data.rows(read or split, key)
        if made_by := self.config.prepared_by.get(split):
            process_docs, named = made_by, "prepared_by"
        if process_docs is None:
            return list(rows)
        kept = read or split if self.lm_eval is not None else None
        with told(named, process_docs, self.config.task), state.running():
            made = state.rows(process_docs, named, rows, kept, self.config.custom_dataset is None)
        if made is None:
            raise UserError(f"`{named}` ({process_docs.name}) gives back no rows", place=str(process_docs.file))
        return made
