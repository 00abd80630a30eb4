"""From a `ModelSource` to a `LanguageModel`. Importing this imports no torch; opening a model does."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

from harness.errors import Unsupported, UserError
from harness.file_digest import AT_OPENING
from harness.models.checkpoint_stage import why_unreached
from harness.models.contract import LanguageModel, ModelSource
from harness.models.digest import folder_digest, folder_state
from harness.models.registry import opening_of


def prepare(kind: str) -> None:
    """Import what opens a kind of model with its libraries: seconds, and hundreds of megabytes that are not the
    model's."""
    importlib.import_module(opening_of(kind).module)


def is_prepared(kind: str) -> bool:
    """Whether what opens the kind is imported in this process."""
    return opening_of(kind).module in sys.modules


def rehearse(kind: str) -> LanguageModel | None:
    """Save and open a throwaway model of a few thousand parameters: faults in the code and threads of opening one.

    The first opening in a process costs some 12 MB that no later one does; a measure of memory wants them spent before.
    None where the kind's module can save none.
    """
    module = importlib.import_module(opening_of(kind).module)
    if not hasattr(module, "save_throwaway"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        module.save_throwaway(folder)
        return open_model(ModelSource("throwaway", kind, folder, "throwaway"))


def open_model(source: ModelSource) -> LanguageModel:
    """Open the model at its precision, on its device. Raises Unsupported for a checkpoint whose moment did not come,
    and UserError where it can't be opened, with the fix, and where its files are not those that the plan was made for:
    a number must not be kept under another model's key."""
    if (why := why_unreached(Path(source.path))) is not None:
        raise Unsupported(why)
    opener = importlib.import_module(opening_of(source.kind).module)
    if source.files is None:
        model: LanguageModel = opener.open_source(source)
        return model
    folder = Path(source.path).expanduser()
    before = folder_state(folder)
    model = opener.open_source(source)
    if folder_digest(folder, AT_OPENING) != source.files or folder_state(folder) != before:
        raise UserError("the files of this model changed since the run was planned: run it again", place=source.path)
    return model
