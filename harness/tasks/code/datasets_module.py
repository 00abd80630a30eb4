"""What helper code of task files gets for `import datasets`: rows as a list, and the few other names that helpers use.

`load_dataset` is the one that needs the real library: it is handed over where the user allowed task code.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from harness.errors import UserError
from harness.tasks.data.features import ClassLabel
from harness.tasks.data.rows import Rows, concatenated


class _Feature:
    """Stands for `Value`, `Sequence`, `Image` and the like, which say nothing that rows here need."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments, self.options = arguments, options


class _Split:
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    ALL = "all"


def datasets_module(allow_task_code: bool) -> ModuleType:
    """A module to use in the place of `datasets`."""
    module = ModuleType("datasets")
    named: dict[str, Any] = {
        "Dataset": Rows,
        "DatasetDict": dict,
        "ClassLabel": ClassLabel,
        "Features": dict,
        "Split": _Split,
        "concatenate_datasets": concatenated,
        "load_dataset": _load_dataset if allow_task_code else _refused("load_dataset"),
        "disable_progress_bar": lambda: None,
        "__version__": "4.0.0",
        **dict.fromkeys(("Value", "Sequence", "Image", "Audio", "Translation"), _Feature),
    }
    vars(module).update(named)
    return module


def as_rows(given: Any) -> Rows:
    """The rows of a data set of the real library, or of anything that gives rows."""
    return given if isinstance(given, Rows) else Rows((dict(row) for row in given), getattr(given, "features", None))


def _load_dataset(*arguments: Any, **options: Any) -> Any:
    try:
        from datasets import load_dataset
    except ImportError:
        raise UserError(
            "this task's code loads data itself and needs `datasets`; `pip install gpt-harness[hub]`"
        ) from None
    loaded = load_dataset(*arguments, **options)
    return {name: as_rows(part) for name, part in loaded.items()} if isinstance(loaded, dict) else as_rows(loaded)


def _refused(name: str) -> Callable[..., Any]:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise UserError(f"this task's code calls `datasets.{name}`; allow it with --allow-task-code")

    return refuse
