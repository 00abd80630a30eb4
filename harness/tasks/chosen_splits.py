"""Which splits of its data set a task asks, and which its few-shot examples are drawn from."""

from __future__ import annotations

from harness.errors import UserError
from harness.tasks.config import FewshotConfig, Function, TaskConfig


def evaluation_split(config: TaskConfig) -> str:
    """The split that is asked: the test split, else the validation split. Raises UserError without either."""
    split = config.test_split or config.validation_split
    if split is None:
        raise UserError(
            f"the task {config.task} has neither `test_split` nor `validation_split`, so nothing is asked; "
            "write `test_split: test`",
            place=str(config.file),
        )
    return split


def shot_split(config: TaskConfig) -> str | None:
    """The split that few-shot examples are drawn from; None where the file gives them itself, or names no split."""
    if (named := named_shot_split(config)) is not None:
        return named
    if fewshot(config).samples is not None:
        return None
    return config.training_split or config.validation_split or config.test_split


def named_shot_split(config: TaskConfig) -> str | None:
    """`fewshot_config` stands above the task's own keys where it says something, be it null."""
    own = fewshot(config)
    return own.split if "split" in own.model_fields_set else config.fewshot_split


def shot_process_docs(config: TaskConfig) -> Function | None:
    """Where no split is named for the shots, lm-eval takes the task's splits, with the task's `process_docs`."""
    own = fewshot(config)
    if named_shot_split(config) is None or "process_docs" not in own.model_fields_set:
        return config.process_docs
    return own.process_docs


def fewshot(config: TaskConfig) -> FewshotConfig:
    """What the file says of few-shot examples."""
    return config.fewshot_config or FewshotConfig()
