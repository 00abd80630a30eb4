"""The adapter `transformers`: what Hugging Face's library loads, from a folder, the hub or an asset."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import assets
from harness.errors import UserError
from harness.models.adapter import Adapter, ModelSettings, Opening, Part, Point
from harness.models.adapter_stage import METHOD, AdapterMerge, merged_source
from harness.models.checkpoint_files import refuse_file
from harness.models.contract import ModelSource
from harness.models.digest import folder_digest
from harness.models.near_folder import looks_local, why_no_folder
from harness.models.resolved import Resolved, of_asset
from harness.models.shape import Attention, ModelShape, folder_shape
from harness.models.size import stored_size
from harness.strict_entry import PathText
from reference_impl.alignment.stages.start_folder import base_folder, base_of_adapter, is_adapter

EAGER = frozenset(
    {"bloom", "codegen", "gemma2", "gpt_neo", "gpt_oss", "gptj", "mpt", "openai-gpt", "xglm", "xlnet", "rwkv", "mamba"}
)
"""Architectures for which transformers has no fused attention (or, as Gemma 2's soft cap, none that is the same)."""


class TransformersSettings(ModelSettings):
    """What an entry says under `transformers`."""

    revision: PathText | None = None
    """Revision of a hub model."""


def resolve(name: str, settings: TransformersSettings, point: Point) -> Resolved:
    """An asset, a folder, or a model of the hub. Raises UserError where there is none."""
    where, place = settings.model, f"models.{name}.transformers"
    if where.startswith("asset:"):
        return of_asset(name, "transformers", where.removeprefix("asset:"), place=place)
    folder, trust = Path(where).expanduser(), point.trust_remote_code
    if folder.is_dir() and is_adapter(folder):
        return _merged(name, folder, point, place)
    if folder.is_dir():
        digest = folder_digest(folder)
        source = ModelSource(name, "transformers", str(folder), digest, files=digest, trust_remote_code=trust)
        return Resolved(source)
    refuse_file(where, place)
    if where.startswith((".", "/", "~")) or where.count("/") > 1:
        raise UserError(why_no_folder(where), place=place)
    if settings.revision is None and not is_cached(where) and _is_asset(where):
        raise UserError(f"'{where}' is an asset: write asset:{where}", place=place)
    if settings.revision is None and not is_cached(where) and looks_local(where):
        hub = "; for the hub's model of that name write `revision: main` beside it"
        raise UserError(why_no_folder(where) + ("" if "\\" in where else hub), place=place)
    digest = hashlib.sha256(f"hub:{where}@{_hub_commit(where, settings.revision or 'main')}".encode()).hexdigest()
    source = ModelSource(name, "transformers", where, digest, revision=settings.revision, trust_remote_code=trust)
    return Resolved(source)


def _merged(name: str, adapter: Path, point: Point, place: str) -> Resolved:
    """A folder of `peft`, merged into its base: a folder, or a model of the hub's local cache."""
    try:
        base = base_of_adapter(adapter)
        if not is_cached(base):  # a folder, as it was when the adapter was saved, or beside it
            base = str(base_folder(adapter))
    except ValueError as error:
        raise UserError(str(error).rstrip("."), place=place) from None
    if Path(base).is_dir() and is_adapter(Path(base)):
        raise UserError(f"{adapter} is an adapter of the adapter {base}; merge that one first", place=place)
    before = resolve(base, TransformersSettings(model=base), point)
    source = merged_source(name, adapter, before.source, point.training_code(METHOD), place)
    return Resolved(source, training=AdapterMerge(str(adapter)), before=before)


def _hub_commit(repository: str, revision: str) -> str:
    """The commit that a branch stands for in the hub's local cache; the revision itself where it is not there yet."""
    try:
        return (_hub_folder(repository) / "refs" / revision).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return revision


def is_cached(repository: str) -> bool:
    """Whether a model of the hub lies in its local cache."""
    return _hub_folder(repository).is_dir()


def _is_asset(where: str) -> bool:
    """Whether a name is an asset's, and not also that of a model of the hub (`gpt2`)."""
    found = assets.ASSETS.get(where)
    return (
        found is not None
        and found.kind == "model"
        and not str(getattr(found.address, "repository", "")).endswith(where)
    )


def _hub_folder(repository: str) -> Path:
    """Where the hub's local cache keeps a model."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    folder = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))
    return folder / f"models--{repository.replace('/', '--')}"


def attention_of(model_type: str, config: Mapping[str, Any]) -> Attention:
    """How an architecture attends in transformers."""
    if model_type in EAGER:
        return "eager"
    return "masked" if config.get("sliding_window") or "sliding" in str(config.get("layer_types")) else "fused"


def _shape(resolved: Resolved) -> ModelShape | None:
    return folder_shape(resolved.source.path, attention_of)


TRANSFORMERS = Adapter(
    name="transformers",
    about="What transformers loads: `asset:NAME`, a folder, or a hub id.",
    settings=TransformersSettings,
    resolve=resolve,
    openings=(
        Opening(
            kind="transformers",
            module="harness.models.transformers_opening",
            start=7.0,
            libraries=400e6,
            packages=("transformers", "bitsandbytes"),  # the weights may have come quantized by it
            lm_eval="hf",
        ),
    ),
    capabilities=frozenset({"logits"}),
    size=stored_size,
    shape=_shape,
    elsewhere={"revision": "only a hub model has a `revision`"},
    parts=(
        Part("transformers", "models from a folder or the hub", "pip install transformers"),
        Part("bitsandbytes", "LLM.int8, NF4 and FP4 checkpoints", "pip install bitsandbytes"),
        Part("accelerate", "launching and loading big models", "pip install accelerate"),
    ),
)
