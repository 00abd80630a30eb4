"""How often and in which order lm-eval 0.4.13 prepares a task's documents, with one state of its helper modules.

When it loads a task: the pool of few-shot examples, then the documents, of which it shows the first to the task's
functions. Then, to ask: the documents once more. Then for every filter pipeline, to judge its answers: once more. A
fractional limit and chosen documents are counted by preparing all of them first. So a helper that keeps a generator
asks one order of choices and judges by another, as there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness.errors import UserError
from harness.tasks.ask import Row
from harness.tasks.code.functions import DOCUMENT_KEYS, functions_of
from harness.tasks.code.helper_state import HelperState
from harness.tasks.config import Function, TaskConfig


@dataclass(frozen=True)
class Shots:
    """The documents that few-shot examples are drawn from."""

    rows: list[Row]
    split: str | None
    """The split that they are; None where the task file gives the examples itself."""


@dataclass
class LmEvalPasses:
    """The passes of one task, each made when its turn comes and kept."""

    state: HelperState
    config: TaskConfig
    prepare_shots: Callable[[HelperState], Shots]
    prepare: Callable[[HelperState], list[Row]]
    before_asking: int
    """Passes over the documents before the one that is asked."""
    before_judging: int
    """Passes over the documents before each one that answers are judged by."""
    _judged: list[Sequence[Row]] = field(default_factory=list)

    @property
    def shots(self) -> Shots:
        """The pool of few-shot examples. Raises UserError."""
        found = self._shots
        if isinstance(found, UserError):
            raise found
        return found or self.prepare_shots(self.state)

    @cached_property
    def asked(self) -> list[Row]:
        """The documents that are asked. Raises UserError."""
        if not self._has_state:
            return self.prepare(self.state)
        self._shots  # noqa: B018 - the first pass
        first = self.prepare(self.state)
        self._show(first)
        for _ in range(self.before_asking - 1):
            self.prepare(self.state)
        return self.prepare(self.state)

    def judged(self, pipeline: int) -> Sequence[Row]:
        """The documents that a filter pipeline's answers are judged by. Raises UserError."""
        asked = self.asked
        while len(self._judged) <= pipeline and self._has_state:
            for _ in range(self.before_judging):
                self.prepare(self.state)
            self._judged.append(self.prepare(self.state))
        return self._judged[pipeline] if self._has_state else asked

    @property
    def _has_state(self) -> bool:
        """Whether a pass can come out otherwise than another: rows that no function prepares are the same always."""
        return self.config.process_docs is not None or bool(self.config.prepared_by)

    @cached_property
    def _shots(self) -> Shots | UserError | None:
        """The first pass of all, where a function makes it; or why it can't be made, which matters where it is used."""
        self.state.preload()
        own = self.config.fewshot_config
        made_by: tuple[object, ...] = (self.config.process_docs, *self.config.prepared_by.values())
        made_by += (own.process_docs, own.samples) if own else ()
        if not any(isinstance(one, Function) for one in made_by):
            return None
        try:
            return self.prepare_shots(self.state)
        except UserError as error:
            return error

    def _show(self, rows: Sequence[Row]) -> None:
        """lm-eval shows the first document to the task's functions when it loads the task."""
        with self.state.running():
            for key in ("doc_to_text", "doc_to_target", "doc_to_choice"):
                function = getattr(self.config, key)
                if isinstance(function, Function) and rows:
                    with contextlib.suppress(Exception):  # told where the document is asked
                        self.state.function(function, key)(deepcopy(rows[0]))


def sharing_modules(config: TaskConfig) -> Mapping[Path, tuple[str, ...]]:
    """By file, the names that share one module behind the fence, as lm-eval loads each file once."""
    found: dict[Path, set[str]] = {}
    for key, function in functions_of(config):
        if key in DOCUMENT_KEYS and key != "doc_to_decontamination_query":
            found.setdefault(function.file, set()).add(function.name.partition(".")[0])
    return {file: tuple(sorted(names)) for file, names in found.items()}
