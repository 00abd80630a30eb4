"""From a `ModelSource` to a `LanguageModel`. Importing this imports no torch; opening a model does."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

from harness.errors import UserError
from harness.file_digest import AT_OPENING
from harness.models.contract import Kind, LanguageModel, ModelSource
from harness.models.digest import folder_digest, folder_state

KINDS: dict[Kind, str] = {
    "reference": "harness.models.reference",
    "converted": "harness.models.converted",
    "transformers": "harness.models.transformers_opening",
}
"""The module of each kind's adapter. It imports all that opening such a model needs, and runs nothing."""


def prepare(kind: Kind) -> None:
    """Import a kind's adapter with its libraries: seconds, and hundreds of megabytes that are not the model's."""
    importlib.import_module(KINDS[kind])


def is_prepared(kind: Kind) -> bool:
    """Whether the kind's adapter is imported in this process."""
    return KINDS[kind] in sys.modules


def rehearse(kind: Kind) -> LanguageModel:
    """Save and open a throwaway model of a few thousand parameters: faults in the code and threads of opening one.

    The first opening in a process costs some 12 MB that no later one does; a measure of memory wants them spent before.
    """
    with tempfile.TemporaryDirectory() as folder:
        importlib.import_module(KINDS[kind]).save_throwaway(folder)
        return open_model(ModelSource("throwaway", kind, folder, "throwaway"))


def open_model(source: ModelSource) -> LanguageModel:
    """Open the model at its precision, on its device. Raises UserError where it can't be, with the fix, and where its
    files are not those that the plan was made for: a number must not be kept under another model's key."""
    adapter = importlib.import_module(KINDS[source.kind])
    if source.files is None:
        model: LanguageModel = adapter.open_source(source)
        return model
    folder = Path(source.path).expanduser()
    before = folder_state(folder)
    model = adapter.open_source(source)
    if folder_digest(folder, AT_OPENING) != source.files or folder_state(folder) != before:
        raise UserError("the files of this model changed since the run was planned: run it again", place=source.path)
    return model
