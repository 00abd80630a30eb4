"""A model of a suite before it is opened: where its weights lie or will lie, and what it still needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness import assets
from harness.models.already_quantized import quantized_label
from harness.models.contract import ModelSource
from harness.models.digest import folder_digest
from harness.models.stage import Stage
from harness.models.training_evidence import is_trained


@dataclass(frozen=True)
class Resolved:
    """One model of a suite (at one training seed and budget): where it is, what determines it, what it still needs."""

    source: ModelSource
    """Opens it; precision and device are set per cell."""
    asset: str | None = None
    """The asset it comes from."""
    training: Stage | None = None
    """How it is trained: in the last of its stages."""
    before: Resolved | None = None
    """What that starts from, a model of its own: the stage before it, or what it is a fine-tuning of."""
    asked: tuple[tuple[str, Resolved], ...] = ()
    """Other models that are asked while it is trained, each by what it is asked for: `reward`."""
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
    def needed(self) -> tuple[Resolved, ...]:
        """What has to be there before it can be trained."""
        return (*(() if self.before is None else (self.before,)), *(model for _, model in self.asked))

    @property
    def is_made_here(self) -> bool:
        """Whether it, or a model that it needs, is trained by the suite."""
        return self.training is not None or any(model.is_made_here for model in self.needed)

    @property
    def first(self) -> Resolved:
        """The first of the models whose weights it goes on with; itself where it starts from nothing."""
        return self if self.before is None else self.before.first

    @property
    def stages(self) -> list[Resolved]:
        """All that has to be there for it, each once, in an order in which it can be made, and itself last."""
        chain = [self]
        while (before := chain[0].before) is not None:
            chain.insert(0, before)
        found: dict[str, Resolved] = {}
        for number, stage in enumerate(chain, start=1):
            for what, other in stage.asked:
                # Named apart, for two of them may be trained alike for models of two seeds.
                model = replace(other, title=f"{self.title}, {what} {other.source.name}".removeprefix(", "))
                found |= {one.source.digest: one for one in model.stages if one.source.digest not in found}
            last = number == len(chain)
            title = self.title if last else f"{self.title}, stage {number} of {len(chain)}"
            found.setdefault(stage.source.digest, replace(stage, title=title))
        return list(found.values())

    @property
    def depth(self) -> int:
        """How many are made one after the other before it."""
        return 1 + max((model.depth for model in self.needed), default=-1)

    @property
    def ready(self) -> bool:
        """Whether it can be opened now, with nothing to fetch and nothing to train."""
        if self.why_not:
            return False
        if self.asset is not None:
            return assets.is_present(self.asset)
        if self.training is None:  # of one that asks others, those have to be there
            return all(model.ready for model in self.needed)
        return is_trained(Path(self.source.path))


def of_asset(name: str, kind: str, asset: str, *, place: str) -> Resolved:
    """The model that an asset holds, with the digest of its files where they are there. Raises UserError where there is
    no such asset."""
    asset = assets.model_asset(asset, place=place)
    folder = assets.folder(asset)
    files = folder_digest(folder) if assets.is_present(asset) else None
    return Resolved(ModelSource(name, kind, str(folder), assets.digest(asset), files=files), asset=asset)
