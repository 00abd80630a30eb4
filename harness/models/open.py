"""From a `ModelSource` to a `LanguageModel`. Importing this imports no torch; opening a model does."""

from __future__ import annotations

import importlib
import sys

from harness.models.contract import LanguageModel, ModelSource

KINDS = {"reference": "harness.models.reference", "transformers": "harness.models.transformers"}
"""The module of each kind's adapter. It imports all that opening such a model needs, and runs nothing."""


def prepare(kind: str) -> None:
    """Import a kind's adapter with its libraries: seconds, and hundreds of megabytes that are not the model's."""
    importlib.import_module(KINDS[kind])


def is_prepared(kind: str) -> bool:
    """Whether the kind's adapter is imported in this process."""
    return KINDS[kind] in sys.modules


def open_model(source: ModelSource) -> LanguageModel:
    """Open the model at its precision, on its device. Raises UserError where it can't be, with the mend."""
    model: LanguageModel = importlib.import_module(KINDS[source.kind]).open_source(source)
    return model
