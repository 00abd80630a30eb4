"""What lies in a model folder, found out without loading it: is it a whole checkpoint, of a kind that can be measured?

Everything here is one sentence that says what is wrong and what to do, before a library allocates memory or says it at
length. Imports no torch: plans look here too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.bounded_files import refuse_odd_entries, settings, settings_or_nothing
from harness.models.code_choices import refuse_choices
from harness.models.config_sizes import refuse_sizes
from harness.models.weight_header import TensorHeader, read_header
from reference_impl.alignment.stages.start_folder import ADAPTER, ADAPTER_WEIGHTS, is_adapter

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
TO_SAFETENSORS = (
    "a pickle may run code when it is opened, so it is not read: if you trust it, open it once with transformers and "
    "write it with `save_pretrained(folder, safe_serialization=True)`, then give that folder"
)
FROM_GGUF = (
    "GGUF files are not read: give the folder that it was made from, or convert it with transformers "
    "(`AutoModelForCausalLM.from_pretrained(folder, gguf_file=...)`, the same with AutoTokenizer, `save_pretrained`)"
)


MOST_SHARDS = 4096
"""Weight files of one model. The largest known have some 200."""
_DISTRIBUTED = re.compile(r"shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors")
"""Files that transformers reads before all others, by another way."""


@dataclass(frozen=True)
class CheckpointFiles:
    """A folder of `transformers` that is whole as far as its headers say."""

    folder: Path
    config: Mapping[str, Any]
    """`config.json`, as it is written."""
    tensors: Mapping[str, TensorHeader]


def holds_reference(folder: Path) -> bool:
    """Whether a folder is a checkpoint of the reference GPT. What a stage of alignment keeps of a `transformers` model
    has a `checkpoint.json` too, and the tokenizer of transformers."""
    return (folder / "checkpoint.json").is_file() and not (folder / "tokenizer_config.json").is_file()


def refuse_file(path: str, place: str) -> None:
    """UserError where `path` is a file, or named as one that holds weights: a model is a folder or a hub id."""
    suffix = Path(path).suffix.lower()
    is_file = Path(path).expanduser().is_file()
    if suffix not in (".gguf", ".ggml", ".safetensors", *PICKLES) and not is_file:
        return
    if suffix in (".gguf", ".ggml"):
        raise UserError(f"'{path}': {FROM_GGUF}", place=place)
    if suffix in PICKLES:
        raise UserError(f"'{path}' is a file of PyTorch: {TO_SAFETENSORS}", place=place)
    raise UserError(
        f"'{path}' is a file: give the folder that holds it, with its config.json and its tokenizer", place=place
    )


def holds_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter alone, in safetensors: one that is merged into its base to be measured."""
    return is_adapter(folder) and (folder / ADAPTER_WEIGHTS).is_file()


def refuse_adapter(folder: Path) -> None:
    """UserError where the folder holds an adapter (PEFT), alone or beside weights."""
    if not (folder / ADAPTER).is_file():
        return
    base = settings_or_nothing(folder / ADAPTER).get("base_model_name_or_path")
    of = f" of {base}" if isinstance(base, str) and base else ""
    merge = "merge it into its base (`merge_and_unload` of peft, then `save_pretrained`) and give the merged folder"
    if any(folder.glob("model*.safetensors")):
        raise UserError(
            f"an adapter{of} lies beside the weights ({ADAPTER}), and it isn't clear which to measure: {merge}, "
            "or move the adapter's files out of the folder",
            place=str(folder),
        )
    raise UserError(f"this is an adapter{of} ({ADAPTER}), not a model: {merge}", place=str(folder))


def why_no_weights(folder: Path) -> str:
    """What a folder without `*.safetensors` holds instead, and what to do."""
    if gguf := next((path.name for path in sorted(folder.glob("*")) if path.suffix.lower() == ".gguf"), None):
        return f"it holds {gguf} and no weights in safetensors; {FROM_GGUF}"
    if pickle := next((path.name for path in sorted(folder.glob("*")) if path.suffix.lower() in PICKLES), None):
        return f"it holds {pickle} and no weights in safetensors; {TO_SAFETENSORS}"
    return "this folder has no weights (*.safetensors): copy the whole model"


def read_checkpoint(folder: Path) -> CheckpointFiles:
    """Read the configuration and the headers of all weight files. UserError unless they are a whole checkpoint."""
    refuse_odd_entries(folder)
    refuse_adapter(folder)
    if not (folder / CONFIG).is_file():
        if not any(folder.glob("*.safetensors")) and any(folder.glob("*.gguf")):
            raise UserError(why_no_weights(folder), place=str(folder))
        raise UserError("this folder has no config.json, so it holds no model of transformers", place=str(folder))
    config = _config(folder / CONFIG)
    tensors: dict[str, TensorHeader] = {}
    for file, names in _files(folder).items():
        held = read_header(folder / file)
        if lacking := sorted(names - held.keys()):
            raise UserError(
                f"{INDEX} says that it holds {lacking[0]}, and it doesn't: copy the whole model again",
                place=str(folder / file),
            )
        tensors |= held
    refuse_sizes(config, tensors, str(folder / CONFIG))
    return CheckpointFiles(folder, config, tensors)


def _config(path: Path) -> dict[str, Any]:
    config = settings(path)
    if not isinstance(config.get("model_type"), str) and not config.get("auto_map"):
        raise UserError(
            "it doesn't say `model_type`, by which transformers knows the architecture: add it (such as "
            '"model_type": "llama"), or copy the model again',
            place=str(path),
        )
    refuse_choices(config, str(path))
    return config


def _files(folder: Path) -> dict[str, set[str]]:
    """The weight files of a folder, each with the tensors that the index says it holds."""
    if other := next((path.name for path in folder.glob("shard-*") if _DISTRIBUTED.fullmatch(path.name)), None):
        raise UserError(
            f"it holds a distributed checkpoint ({other}): write it with `save_pretrained`, and give that folder",
            place=str(folder),
        )
    if (folder / WEIGHTS).exists():
        return {WEIGHTS: set()}
    index = folder / INDEX
    if not index.is_file():
        shards = sorted(path.name for path in folder.glob("*.safetensors"))
        if not shards:
            raise UserError(why_no_weights(folder), place=str(folder))
        if re.search(r"-\d+-of-\d+\.", shards[0]):
            raise UserError(
                f"{INDEX} is missing, which says what the shards hold: copy the whole model", place=str(folder)
            )
        raise UserError(f"the weights should be in {WEIGHTS}, and there is {shards[0]}: rename it", place=str(folder))
    try:
        places = settings(index)["weight_map"]
        files: dict[str, set[str]] = {}
        for name, file in places.items():
            if Path(file).name != file:
                raise ValueError
            files.setdefault(file, set()).add(name)
        if not files or len(files) > MOST_SHARDS:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError("this index of the weights can't be read: copy the model again", place=str(index)) from None
    missing = sorted(file for file in files if not (folder / file).is_file())
    if missing:
        raise UserError(
            f"{len(missing)} of {len(files)} weight files are missing, such as {missing[0]}: copy the whole model",
            place=str(folder),
        )
    return files
