"""Our side: the `task` measure on lm-eval's own task files, in mode lm-eval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.measures.measure import Facts
from harness.measures.task.collection import collect
from harness.measures.task.settings import TaskSettings
from harness.measures.task.summary import summarize
from harness.models.contract import LanguageModel, ModelSource, Precision
from harness.models.open import open_model
from harness.results.record import Measurement
from harness.tasks.files.library import TaskLibrary


@dataclass(frozen=True)
class Opened:
    """A model that is open, as a measure's `load`."""

    source: ModelSource
    library: TaskLibrary
    model: LanguageModel
    unfinished: None = None

    def tell(self, done: float, text: str) -> None:
        """Nobody listens."""

    def __call__(self, precision: Precision | None = None) -> LanguageModel:
        """The model."""
        return self.model


@dataclass(frozen=True)
class Evaluated:
    """What became of one cell."""

    documents: dict[str, list[dict[str, Any]]]
    """Samples by task, in order."""
    measurements: list[Measurement]


def opened(kind: str, folder: Path, data: Mapping[str, Mapping[str, str]], tasks: Path) -> Opened:
    """A model folder in fp32. `data`: where each data set lies. `tasks`: a folder of task files of our own."""
    source = ModelSource("model", kind, str(folder), "digest")
    library = TaskLibrary(paths=(str(tasks),), data=data, allow_task_code=True)
    return Opened(source, library, open_model(source))


def evaluated(load: Opened, task: str, cell: Mapping[str, Any], context: int | None) -> Evaluated:
    """One cell. `task`: a name or the path of a task file."""
    settings = TaskSettings(
        task=task, shots=cell["shots"], documents=cell["documents"], context=context, mode="lm-eval"
    )
    samples = pd.DataFrame(collect(load, settings))
    broken = samples[samples["broken"].notna()]
    assert broken.empty, broken["broken"].iloc[0]
    documents = {str(name): frame.to_dict("records") for name, frame in samples.groupby("task", sort=False)}
    return Evaluated(documents, summarize(samples, settings, Facts(load.model.identity)))
