"""Stages of alignment for a suite: `reference_impl.alignment` does them, in a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.alignment import SHOWN, Alignment, alignment_summary
from harness.models.stage import Making
from harness.notice import notice
from harness.number import duration
from reference_impl.alignment.settings.checkpoints import CheckpointSettings
from reference_impl.alignment.settings.drawn import DrawnPairSettings
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.result import StageResult
from reference_impl.alignment.stages.run import Run, forget
from reference_impl.alignment.stages.start_folder import model_folder
from reference_impl.files import TextError
from reference_impl.training.loop import DivergenceError
from reference_impl.training.state import Report
from reference_impl.training.state_file import CorruptState, OtherRun, good_state


def read(stage: Alignment) -> None:
    """See `Maker.read`: its data are read with the tokenizer of what it starts from."""


def make(stage: Alignment, making: Making) -> dict[str, Any]:
    """See `Maker.make`."""
    assert making.start is not None
    state = making.state

    def told(report: Report) -> None:
        done = report.step / report.steps
        left = report.seconds * (report.steps - report.step) / max(report.step, 1)
        values = [f"{name} {report.values[name]:.3f}" for name in SHOWN if name in report.values]
        making.on_step(done, f"{', '.join(values)}, {duration(left)} left")

    told_by_folder = stage.with_models({what: source.path for what, source in making.asked.items()})
    digests = {what: source.digest for what, source in making.asked.items()}

    try:
        start = model_folder(Path(making.start.path), making.start.revision)
    except ValueError as error:
        raise UserError(str(error).rstrip(".")) from None

    def made(resumes: bool) -> StageResult:
        return run_stage(
            stage.method,
            start,
            Path(making.source.path),
            stage.settings,
            stage.recipe,
            Run(told, state, resumes=resumes, identity=digests),
            reward=told_by_folder.reward,
            checkpoints=None if stage.checkpoints is None else CheckpointSettings(**stage.checkpoints),
            drawn=None if stage.drawn is None else DrawnPairSettings(**told_by_folder.drawn or {}),
            lora=None if stage.lora is None else LoRA(**stage.lora),
        )

    try:
        try:
            made(True)
        except (CorruptState, OtherRun) as error:  # nothing was changed
            assert state is not None
            _resumed_before(state, made, error)
    except (ValueError, TextError, DivergenceError) as error:
        raise UserError(str(error).rstrip(".")) from error
    return alignment_summary(Path(making.source.path))


def _resumed_before(state: Path, made: Callable[[bool], StageResult], error: ValueError) -> None:
    """Do a stage whose state can't be gone on from: from the state before it where there is one, which leads to the
    same bits, or anew."""
    if isinstance(error, CorruptState) and error.path == state and good_state(state).is_file():
        notice(f"this stage goes on from the state before the last one: {error.path}: {error.message}")
        good_state(state).replace(state)
        try:
            made(True)
        except (CorruptState, OtherRun) as another:
            error = another
        else:
            return
    notice(f"this stage begins anew: {error}")
    forget(state)
    made(False)
