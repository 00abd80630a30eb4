"""How documents of a task are shown: its templates, those of what is asked and those of few-shot examples."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from harness.mode import Mode
from harness.tasks.ask import Row
from harness.tasks.config import Function, TaskConfig, Template
from harness.tasks.prompts.labels import FROM_0, Labels


@dataclass(frozen=True)
class Templates:
    """How documents of a task are shown: those that are asked, or those that are few-shot examples."""

    file: str
    prefix: str
    """What stands before a key in the file: `fewshot_config.` for few-shot examples, else nothing."""
    text: Template | None
    target: Template | None
    choices: Template | None
    gen_prefix: str | None
    target_delimiter: str
    fewshot_delimiter: str
    constants: bool
    """Whether a single word that is no column may be the text itself: in lm-eval, where so a misspelled column is asked
    of every document as it is; and where code of the task's own judges, which may not look at the target at all."""
    mode: Mode = "right"
    judged_by_code: bool = False
    """Whether code of the task's own judges: then it doesn't matter here which choice is right."""
    labels: Labels = FROM_0
    """What the labels of all documents have in common (`labels.common`)."""

    @property
    def runs_code(self) -> bool:
        """Whether a function of the task's own gets the document."""
        return any(isinstance(one, Function) for one in (self.text, self.target, self.choices))

    @property
    def functions(self) -> list[tuple[str, Function]]:
        """The functions that get the document, in the order in which they are asked, each with its key."""
        named = ((name, getattr(self, name)) for name in ("choices", "text", "target"))
        return [(self.prefix + KEYS[name], one) for name, one in named if isinstance(one, Function)]

    def own(self, row: Row) -> Row:
        """The row as these templates may have it: a copy where a function gets it, which may change it."""
        return deepcopy(row) if self.runs_code else row

    @classmethod
    def asked(cls, config: TaskConfig, mode: Mode = "right", labels: Labels = FROM_0) -> Templates:
        """Of the documents that are asked."""
        return cls(
            str(config.file),
            "",
            config.doc_to_text,
            config.doc_to_target,
            config.doc_to_choice,
            config.gen_prefix,
            config.target_delimiter,
            config.fewshot_delimiter,
            mode == "lm-eval" or config.process_results is not None,
            mode,
            config.process_results is not None,
            labels,
        )

    @classmethod
    def examples(cls, config: TaskConfig, mode: Mode = "right", labels: Labels = FROM_0) -> Templates:
        """Of few-shot examples: what `fewshot_config` says, else as the documents that are asked."""
        own, shots = cls.asked(config, mode, labels), config.fewshot_config
        if shots is None:
            return own
        changed = {
            "text": shots.doc_to_text,
            "target": shots.doc_to_target,
            "choices": shots.doc_to_choice,
            "gen_prefix": shots.gen_prefix,
            "target_delimiter": shots.target_delimiter,
            "fewshot_delimiter": shots.fewshot_delimiter,
        }
        given: dict[str, Any] = {name: value for name, value in changed.items() if value is not None}
        return replace(own, prefix="fewshot_config." if given else "", **given)


KEYS: Mapping[str, str] = {"text": "doc_to_text", "target": "doc_to_target", "choices": "doc_to_choice"}
