"""Stand-ins for lm-eval's `ConfigurableTask` and `Instance`, so that a task that is a Python class can be read.

What a class doesn't define is what its configuration says. Its data set is put in by who asks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from harness.errors import UserError
from harness.tasks.data.rows import Rows

SPLITS = ("training", "validation", "test")
_CONFIG: dict[str, Any] = {
    **dict.fromkeys(("task", "task_alias", "tag", "dataset_path", "dataset_name", "dataset_kwargs"), None),
    **{f"{split}_split": None for split in (*SPLITS, "fewshot")},
    **dict.fromkeys(("doc_to_text", "doc_to_target", "doc_to_choice", "process_docs", "process_results"), None),
    **dict.fromkeys(("num_fewshot", "fewshot_config", "metric_list", "filter_list", "gen_prefix", "metadata"), None),
    "description": "",
    "target_delimiter": " ",
    "fewshot_delimiter": "\n\n",
    "output_type": "generate_until",
    "repeats": 1,
}


@dataclass
class Instance:
    """One request, as a class makes it."""

    request_type: str
    doc: Any
    arguments: tuple[Any, ...]
    idx: int
    metadata: tuple[Any, ...] = (None, None, None)
    resps: list[Any] = field(default_factory=list)
    filtered_resps: dict[str, Any] = field(default_factory=dict)


class ConfigurableTask:
    """What a class of a task file derives from."""

    VERSION: Any = "Yaml"
    DATASET_PATH: str | None = None
    DATASET_NAME: str | None = None
    OUTPUT_TYPE: str | None = None
    CONFIG: Mapping[str, Any] | None = None

    def __init__(
        self, data_dir: Any = None, cache_dir: Any = None, download_mode: Any = None, config: Any = None
    ) -> None:
        self.given = {**(self.CONFIG or {}), **(config or {})}
        """What the class says of its configuration."""
        self.config = SimpleNamespace(**(_CONFIG | self.given))
        if self.config.__dict__.get("generation_kwargs") is None:
            until = [self.config.fewshot_delimiter]
            written = {"temperature": 0.0, "do_sample": False, "max_gen_toks": 256, "until": until}
            self.config.generation_kwargs = written
        self.dataset: Mapping[str, Any] = {}

    def has_training_docs(self) -> bool:
        """Whether there is a training split."""
        return self.config.training_split is not None

    def has_validation_docs(self) -> bool:
        """Whether there is a validation split."""
        return self.config.validation_split is not None

    def has_test_docs(self) -> bool:
        """Whether there is a test split."""
        return self.config.test_split is not None

    def training_docs(self) -> Any:
        """The rows of the training split."""
        return self.dataset[self.config.training_split]

    def validation_docs(self) -> Any:
        """The rows of the validation split."""
        return self.dataset[self.config.validation_split]

    def test_docs(self) -> Any:
        """The rows of the test split."""
        return self.dataset[self.config.test_split]


class AnySplit(dict[str, Rows]):
    """A data set whose every split is the same rows; remembers which was asked for."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        super().__init__()
        self.rows = rows if isinstance(rows, Rows) else Rows(rows)
        self.asked: list[str] = []

    def __missing__(self, split: str) -> Rows:
        self.asked.append(split)
        return self.rows


def requests_of(made: Any, place: str, which: str) -> tuple[Sequence[tuple[str, tuple[Any, ...]]], Mapping[str, Any]]:
    """(kind, arguments) of each request that a class made of a document, and how its answer is written. UserError."""
    listed = made if isinstance(made, list | tuple) else [made]
    if not listed or not all(isinstance(one, Instance) for one in listed):
        raise UserError(f"{which}: `construct_requests` gives no requests", place=place)
    in_order = sorted(listed, key=lambda one: one.idx)
    kinds = [one.request_type for one in in_order]
    written = kinds.count("generate_until")
    fits = kinds == ["generate_until"] or kinds == ["generate_until", "loglikelihood"]
    if not (fits or kinds == ["loglikelihood_rolling"] or set(kinds) == {"loglikelihood"}):
        raise UserError(
            f"{which}: it asks {', '.join(kinds)}; here a class may ask for one written answer, with one "
            "log-likelihood after it, or for log-likelihoods alone",
            place=place,
        )
    how = dict(in_order[0].arguments[1]) if written else {}
    return [(one.request_type, tuple(one.arguments)) for one in in_order], how
