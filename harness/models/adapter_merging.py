"""Adapters merged into their bases for a suite, in a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.adapter_stage import AdapterMerge
from harness.models.stage import Making
from reference_impl.alignment.stages.learner import merged_learner
from reference_impl.alignment.stages.start_folder import model_folder
from reference_impl.training.checkpoint_folder import write_folder


def read(stage: AdapterMerge) -> None:
    """See `Maker.read`: nothing."""


def make(stage: AdapterMerge, making: Making) -> dict[str, Any]:
    """See `Maker.make`."""
    assert making.start is not None
    try:
        base = model_folder(Path(making.start.path), making.start.revision)
        learner = merged_learner(base, Path(stage.adapter))
        write_folder(Path(making.source.path), learner.write)
    except (ValueError, OSError) as error:
        raise UserError(str(error).rstrip(".")) from error
    return {"text": f"merged into {making.start.path}"}
