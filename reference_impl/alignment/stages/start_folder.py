"""The folder that a stage starts from: as it is named, of the hub's local cache, or a base with an adapter beside it.

An adapter (LoRA of `peft`) is merged into its base, and the stage starts from what comes of that: it is the reference,
and what learns. Nothing is fetched.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_MOST = 1 << 20
"""Bytes of an adapter's settings."""


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / ADAPTER).is_file() and not any(folder.glob("model*.safetensors"))


def hub_folder(name: str, revision: str | None = None) -> Path | None:
    """Where the hub's local cache has a model (`owner/name`); None where it has none of that name."""
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return None


def model_folder(name: Path, revision: str | None = None) -> Path:
    """The folder that is named, or that of the hub's local cache with this id. Raises ValueError where there is
    neither."""
    if name.is_dir():
        return name
    found = hub_folder(str(name), revision)
    if found is None:
        raise ValueError(
            f"there is no folder {name}, and the hub's local cache has no model of that name: fetch it with "
            f"`hf download {name}`, or name a folder."
        )
    return found


def base_of_adapter(folder: Path) -> str:
    """What an adapter says it is of: a folder or a hub id. Raises ValueError where it can't be merged into that."""
    try:
        if (folder / ADAPTER).stat().st_size > _MOST:
            raise ValueError("it is too long for settings")
        told = json.loads((folder / ADAPTER).read_bytes())
        base, kind, task = told.get("base_model_name_or_path"), told.get("peft_type"), told.get("task_type")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{folder / ADAPTER}: these are no settings of an adapter ({error}).") from None
    if not isinstance(base, str) or not base:
        raise ValueError(f"{folder}: this adapter doesn't say what it is of: write `base_model_name_or_path`.")
    if kind != "LORA" or task not in (None, "CAUSAL_LM") or told.get("megatron_config"):
        raise ValueError(
            f"{folder}: this is an adapter {kind} for {task}, and LORA for CAUSAL_LM alone is merged here: merge it by "
            "peft."
        )
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ValueError(f"{folder}: this adapter has no {ADAPTER_WEIGHTS}: save it with safetensors.")
    return base


def base_folder(adapter: Path) -> Path:
    """Where an adapter's base lies. Raises ValueError where it doesn't."""
    base = base_of_adapter(adapter)
    beside = adapter.parent / base  # as it was when the adapter was saved, or beside it
    try:
        return model_folder(beside if not Path(base).is_dir() and beside.is_dir() else Path(base))
    except ValueError as error:
        raise ValueError(f"{adapter}: this is an adapter of {base}. {error}") from None


def merged(model: Any, adapter: Path) -> Any:
    """A `transformers` model with an adapter merged into its weights, in place. Raises ValueError where peft is not
    installed, and where they don't fit."""
    from reference_impl.alignment.lora import MISSING

    try:
        from peft import PeftModel
    except ImportError as error:
        raise ValueError(MISSING) from error
    try:
        return PeftModel.from_pretrained(model, str(adapter), local_files_only=True).merge_and_unload(safe_merge=True)
    except (RuntimeError, ValueError, KeyError, TypeError, OSError) as error:
        first = [*str(error).strip().splitlines(), "no reason given"][0][:200]
        raise ValueError(
            f"{adapter}: this adapter can't be merged into {base_of_adapter(adapter)} ({first})."
        ) from error
