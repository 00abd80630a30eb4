"""Checkpoints of stages for a suite: copied out of the stage's folder, in a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.alignment import alignment_summary
from harness.models.checkpoint_stage import UNREACHED, CheckpointOf
from harness.models.stage import Making
from reference_impl.alignment.stages.checkpoints import FOLDER, copy_checkpoint
from reference_impl.alignment.stages.result import read_result
from reference_impl.training.checkpoint_folder import write_folder


def read(stage: CheckpointOf) -> None:
    """See `Maker.read`: nothing."""


def make(stage: CheckpointOf, making: Making) -> dict[str, Any]:
    """See `Maker.make`. A moment that did not come is nobody's mistake: the folder says so."""
    assert making.start is not None
    start, out = Path(making.start.path), Path(making.source.path)
    try:
        result = read_result(start)
        kept = next((one for one in result.checkpoints if stage.at in one.names), None)
        if kept is not None:
            copy_checkpoint(start / FOLDER / kept.folder, out)
            return alignment_summary(out)
    except (OSError, ValueError) as error:
        raise UserError(f"the checkpoint can't be read ({error}); delete the folder", place=str(start)) from None
    far = max((report.values.get("kl", 0.0) for report in result.reports), default=0.0)
    why = f"{making.start.name} didn't come to {stage.at}"
    why += f"; the largest KL that it reports is {far:.3g} nats per response" if stage.at.startswith("kl") else ""

    def write(folder: Path) -> None:
        (folder / UNREACHED).write_text(why, encoding="utf-8")

    write_folder(out, write)
    return {"text": why}
