"""A model of a suite before it is opened: where its weights lie or will lie, and what it still needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness import assets
from harness.models.already_quantized import quantized_label
from harness.models.contract import ModelSource
from harness.models.digest import folder_digest
from harness.models.training import Training
from harness.models.training_evidence import is_trained


@dataclass(frozen=True)
class Resolved:
    """One model of a suite (at one training seed and budget): where it is, what determines it, what it still needs."""

    source: ModelSource
    """Opens it; precision and device are set per cell."""
    asset: str | None = None
    """The asset it comes from."""
    training: Training | None = None
    """How it is trained: in the last of its stages."""
    before: Resolved | None = None
    """The stage before that, a model of its own."""
    why_not: str = ""
    """Where its adapter failed, a sentence: nothing else of it is known, and its cells don't run."""
    title: str = ""
    """How a person names it where it is one of several trainings of an entry: `nano seed=1 compute=1e12`."""

    @property
    def quantized_by(self) -> str:
        """How its weights came quantized (`nf4 by bitsandbytes`), where a folder says so that lies here; else empty."""
        if self.training is not None or not self.ready:
            return ""
        return quantized_label(Path(self.source.path))

    @property
    def stages(self) -> list[Resolved]:
        """The stages of its training, the first one first and itself last."""
        found = [self]
        while (before := found[0].before) is not None:
            found.insert(0, before)
        titles = (f"{self.title}, stage {number} of {len(found)}" for number in range(1, len(found)))
        return [*(replace(stage, title=title) for stage, title in zip(found[:-1], titles, strict=True)), self]

    @property
    def ready(self) -> bool:
        """Whether it can be opened now, with nothing to fetch and nothing to train."""
        if self.why_not:
            return False
        if self.asset is not None:
            return assets.is_present(self.asset)
        return self.training is None or is_trained(Path(self.source.path))


def of_asset(name: str, kind: str, asset: str, *, place: str) -> Resolved:
    """The model that an asset holds, with the digest of its files where they are there. Raises UserError where there is
    no such asset."""
    asset = assets.model_asset(asset, place=place)
    folder = assets.folder(asset)
    files = folder_digest(folder) if assets.is_present(asset) else None
    return Resolved(ModelSource(name, kind, str(folder), assets.digest(asset), files=files), asset=asset)
