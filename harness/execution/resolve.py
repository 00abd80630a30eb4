"""A suite's model entries resolved: where the weights lie or will lie, and the digest of what determines them.

Nothing heavy happens here: `harness plan` resolves a suite without fetching, training or loading anything.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import assets, strict_json
from harness.cache import cache_folder
from harness.corpora.training import training_digest
from harness.errors import UserError
from harness.execution.code_digest import TRAINING, code_digest
from harness.models.already_quantized import quantized_label
from harness.models.checkpoint_files import refuse_file
from harness.models.compute_budget import with_compute
from harness.models.contract import Kind, ModelSource
from harness.models.digest import folder_digest
from harness.models.size import check_preset
from harness.models.training import Training
from harness.models.training_evidence import is_trained
from harness.suite.cells import Cell
from harness.suite.schema import RECIPE, ModelEntry


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
    title: str = ""
    """How a person names it where it is one of several trainings of an entry: `nano seed=1 compute=1e12`."""

    @property
    def quantized_by(self) -> str:
        """How its weights came quantised (`nf4 by bitsandbytes`), where a folder says so that lies here; else empty."""
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
        if self.asset is not None:
            return assets.is_present(self.asset)
        return self.training is None or is_trained(Path(self.source.path))


def resolve(
    name: str, entry: ModelEntry, seed: int | None, trust_remote_code: bool, compute: float | None = None
) -> Resolved:
    """Resolve one entry at a point of the axes of its training. Raises UserError where a folder, an asset or a preset
    does not exist, and for a budget that can't be."""
    if entry.transformers is not None:
        return _transformers(name, entry, trust_remote_code)
    assert entry.reference is not None
    if entry.train is not None:
        return _trained(name, entry, seed, compute)
    if entry.reference.startswith("asset:"):
        asset = assets.model_asset(entry.reference.removeprefix("asset:"), place=f"models.{name}.reference")
        return Resolved(_of_asset(ModelSource(name, "converted", str(assets.folder(asset)), ""), asset), asset=asset)
    folder = Path(entry.reference).expanduser()
    refuse_file(entry.reference, f"models.{name}.reference")
    if not folder.is_dir():
        raise UserError(
            f"no checkpoint folder '{entry.reference}'; to train a preset of that name, give it `train: ...`",
            place=f"models.{name}.reference",
        )
    kind: Kind = "reference" if (folder / "checkpoint.json").is_file() else "converted"
    digest = folder_digest(folder)
    return Resolved(ModelSource(name, kind, str(folder), digest, files=digest))


def _of_asset(source: ModelSource, asset: str) -> ModelSource:
    """The same with the asset's digest, and with that of its files where they are there."""
    files = folder_digest(Path(source.path)) if assets.is_present(asset) else None
    return replace(source, digest=assets.digest(asset), files=files)


def _transformers(name: str, entry: ModelEntry, trust_remote_code: bool) -> Resolved:
    where = entry.transformers or ""
    if where.startswith("asset:"):
        asset = assets.model_asset(where.removeprefix("asset:"), place=f"models.{name}.transformers")
        source = ModelSource(name, "transformers", str(assets.folder(asset)), "")
        return Resolved(_of_asset(source, asset), asset=asset)
    folder = Path(where).expanduser()
    if folder.is_dir():
        digest = folder_digest(folder)
        source = ModelSource(
            name, "transformers", str(folder), digest, files=digest, trust_remote_code=trust_remote_code
        )
        return Resolved(source)
    refuse_file(where, f"models.{name}.transformers")
    if where.startswith((".", "/", "~")) or where.count("/") > 1:
        raise UserError(f"no model folder '{where}'", place=f"models.{name}.transformers")
    digest = hashlib.sha256(f"hub:{where}@{_hub_commit(where, entry.revision or 'main')}".encode()).hexdigest()
    source = ModelSource(
        name, "transformers", where, digest, revision=entry.revision, trust_remote_code=trust_remote_code
    )
    return Resolved(source)


def _hub_commit(repository: str, revision: str) -> str:
    """The commit that a branch stands for in the hub's local cache; the revision itself where it is not there yet."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    folder = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))
    reference = folder / f"models--{repository.replace('/', '--')}" / "refs" / revision
    try:
        return reference.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return revision


def _trained(name: str, entry: ModelEntry, seed: int | None, compute: float | None) -> Resolved:
    assert entry.reference is not None and entry.train is not None
    check_preset(entry.reference, place=f"models.{name}.reference")
    found: Resolved | None = None
    for number, train in enumerate(entry.train):
        place = f"models.{name}.train" if len(entry.train) == 1 else f"models.{name}.train.{number}"
        first = entry.train[0]
        training = Training(
            preset=entry.reference,
            corpus=train.corpus,
            vocabulary=first.vocabulary,
            context=first.context,
            seed=train.seed if seed is None else seed,
            tokenizer=first.tokenizer,
            held_out=train.held_out,
            shape=entry.shape.given() | train.given("dropout"),
            recipe=train.given(*RECIPE),
            after=None if found is None else found.training,
        )
        training.check(place=place)
        if compute is not None:
            training = with_compute(training, compute, place=place)
        found = _stage(name, training, found)
    assert found is not None
    return found


def _stage(name: str, training: Training, before: Resolved | None) -> Resolved:
    """One stage, kept under the digest of all that determines it: itself and the stages before it."""
    determined_by = asdict(replace(training, after=None)) | {
        "corpus_digest": training_digest(training.corpus),
        "code": code_digest(TRAINING),
    }
    del determined_by["after"]
    if before is not None:
        determined_by["after"] = before.source.digest
    digest = hash_of(determined_by)
    folder = cache_folder("models") / f"{training.preset}-{digest[:24]}"
    return Resolved(ModelSource(name, "reference", str(folder), digest), training=training, before=before)


def resolve_all(
    models: Mapping[str, ModelEntry], cells: list[Cell], trust_remote_code: bool = False
) -> dict[str, Resolved]:
    """Every model that the cells ask for, by `Cell.trained_model`, in their order."""
    found: dict[str, Resolved] = {}
    for cell in cells:
        if cell.trained_model not in found:
            seed, compute = cell.axes.get("seed"), cell.axes.get("compute")
            resolved = resolve(
                cell.model,
                models[cell.model],
                seed if isinstance(seed, int) else None,
                trust_remote_code,
                compute if isinstance(compute, float) else None,
            )
            found[cell.trained_model] = replace(resolved, title=cell.trained_model)
    return found


def hash_of(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return hashlib.sha256(strict_json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
