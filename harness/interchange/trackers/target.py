"""`wandb`, `mlflow`, `tensorboard:DIR`: which tracker is meant, whether it can be had, and how it is told of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.errors import UserError, WrongArgument, shown
from harness.errors import told as words_of
from harness.interchange.trackers.mlflow import log_to_mlflow, mlflow_folder, why_no_mlflow
from harness.interchange.trackers.tensorboard import log_to_tensorboard, tensorboard_folder
from harness.interchange.trackers.told import Told, told
from harness.interchange.trackers.wandb import log_to_wandb
from harness.results.new_folder import why_no_run_there
from harness.results.run import Run
from harness.spelling import nearest


@dataclass(frozen=True)
class Tracker:
    """One tracker."""

    name: str
    """Also of the extra that installs it."""
    module: str
    """What has to be importable."""
    place: str
    """What may stand after the colon, in a word."""
    log: Callable[[Told, str], str]
    """Tell it of a run, at a place that may be empty; says where that is now. Raises whatever the tracker raises."""
    why_not: Callable[[str], str | None] = lambda place: None
    """Why a place can't be had, as far as that is known beforehand; None where it can be tried."""
    folder: Callable[[str], Path | None] = lambda place: None
    """The folder that it writes to at a place; None where that is elsewhere."""


TRACKERS = {
    one.name: one
    for one in (
        Tracker("wandb", "wandb", "PROJECT", log_to_wandb),
        Tracker("mlflow", "mlflow", "FOLDER or address", log_to_mlflow, why_no_mlflow, mlflow_folder),
        Tracker("tensorboard", "tensorboard", "FOLDER", log_to_tensorboard, folder=tensorboard_folder),
    )
}


@dataclass(frozen=True)
class Target:
    """A tracker and a place."""

    tracker: Tracker
    place: str

    def log(self, run: Run) -> str:
        """Tell the tracker of a run; says where that is now. Raises UserError where it can't be told."""
        name = self.tracker.name
        try:
            return self.tracker.log(told(run), self.place)
        except (KeyboardInterrupt, UserError):
            raise
        except BaseException as error:  # a tracker may end the process, too, which is no reason to
            raise UserError(
                f"{name} did not take the run: {words_of(error)}; the run itself is in {run.folder}"
            ) from None


def is_tracker(text: str) -> bool:
    """Whether this names a tracker."""
    return text.partition(":")[0] in TRACKERS


def find_tracker(text: str, argument: str = "log_to") -> Target:
    """The tracker that is meant by `wandb[:PROJECT]`, `mlflow[:FOLDER or address]` or `tensorboard[:FOLDER]`.

    argument: what is wrong where it can't be. Raises UserError for an unknown one, and for one whose package is not
    installed, with the extra that has it.
    """
    name, _, place = text.partition(":")
    if name not in TRACKERS:
        raise WrongArgument(
            f"no tracker '{shown(name)}'{nearest(name, list(TRACKERS))}; there are: "
            + ", ".join(f"{one.name}[:{one.place}]" for one in TRACKERS.values()),
            place=argument,
        )
    tracker = TRACKERS[name]
    if find_spec(tracker.module) is None:
        raise WrongArgument(f"{name} is not installed: pip install 'gpt-harness[{name}]'", place=argument)
    if (why := tracker.why_not(place)) is not None:
        raise WrongArgument(f"{name}: {why}", place=argument)
    folder = tracker.folder(place)
    if folder is not None and (why := why_no_run_there(folder, "another folder", f"the folder of {name}")) is not None:
        raise WrongArgument(why, place=argument)
    return Target(tracker, place)
