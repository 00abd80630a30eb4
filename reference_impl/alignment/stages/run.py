"""One run of a stage: who hears of it, where its state is kept, and what comes of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference_impl.training.state import Report
from reference_impl.training.state_file import RunIdentity, Saving

if TYPE_CHECKING:
    from reference_impl.alignment.settings.checkpoints import CheckpointSettings
    from reference_impl.alignment.settings.drawn import DrawnPairSettings
    from reference_impl.alignment.stages.data_settings import DataSettings
    from reference_impl.alignment.stages.drawing import DrawnData
    from reference_impl.alignment.stages.learner import Learner
    from reference_impl.alignment.stages.reading import Learned


@dataclass(frozen=True)
class Run:
    """How a stage is run, beside what determines its result."""

    on_report: Callable[[Report], None] = lambda report: None
    state: Path | None = None
    """Where its state is kept while it goes; None: nowhere."""
    every: int = 50
    """Steps between two saves of the state."""
    resumes: bool = False
    """Go on from the state, where one was kept."""
    identity: Mapping[str, str] = field(default_factory=dict)
    """Digests of what else determines the result: of a reward model, say."""

    drawn: DrawnPairSettings | None = None
    """How the pairs are drawn that it learns from: with data, what must be the same for a run to go on."""

    checkpoints: CheckpointSettings | None = None
    """At which moments weights are kept."""

    @property
    def goes_on(self) -> bool:
        """Whether there is a state to go on from."""
        return self.resumes and self.state is not None and self.state.is_file()

    def saving(self, learner: Learner, data: DataSettings) -> Saving | None:
        """Where the state is kept, with what must be the same for a run to go on from it."""
        if self.state is None:
            return None
        digests = {"start": learner.start, "tokenizer": learner.tokenizer, **self.identity}
        adapter = {} if learner.lora is None else {"lora": asdict(learner.lora)}
        # What draws and scores is in folders, which may have other names: the pairs have a digest.
        drawn = {} if self.drawn is None else {"drawn": asdict(replace(self.drawn, reward="pairs", model=None))}
        kept = {} if self.checkpoints is None else {"checkpoints": asdict(self.checkpoints)}
        return Saving(self.state, self.every, RunIdentity({"data": asdict(data), **adapter, **drawn, **kept}, digests))


def forget(state: Path) -> bool:
    """Remove a kept state and all that lies beside it under its name; whether there was anything."""
    found = list(state.parent.glob(f"{state.name}*"))
    for one in found:
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    return bool(found)


@dataclass(frozen=True)
class Done:
    """What came of a stage."""

    learned_from: int
    held_out: int
    excluded: tuple[str, ...]
    reports: tuple[Report, ...]
    write: Callable[[Path], None] = field(repr=False)
    """Writes the model's files into an empty folder."""

    drawn: Mapping[str, float] = field(default_factory=dict)
    """Counts of pairs that were drawn; none where they were not."""

    @staticmethod
    def of(
        read: Learned[Any], reports: tuple[Report, ...], write: Callable[[Path], None], drawn: DrawnData | None = None
    ) -> Done:
        """With the counts of what was read. drawn: pairs that are kept beside the model."""

        def all_of_it(folder: Path) -> None:
            write(folder)
            if drawn is not None:
                drawn.write(folder)

        excluded = tuple(map(str, read.excluded))
        counts = {} if drawn is None else drawn.counts
        return Done(len(read.train), len(read.held_out), excluded, reports, all_of_it, counts)
