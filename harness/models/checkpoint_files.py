"""What lies in a model folder, found out without loading it: is it a whole checkpoint, of a kind that can be measured?

Everything here is one sentence that says what is wrong and what to do, before a library allocates memory or says it at
length. Imports no torch: plans look here too.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
TO_SAFETENSORS = (
    "a pickle may run code when it is opened, so it is not read: if you trust it, open it once with transformers and "
    "write it with `save_pretrained(folder, safe_serialization=True)`, then give that folder"
)
FROM_GGUF = (
    "GGUF files are not read: give the folder that it was made from, or convert it with transformers "
    "(`AutoModelForCausalLM.from_pretrained(folder, gguf_file=...)`, the same with AutoTokenizer, `save_pretrained`)"
)


@dataclass(frozen=True)
class TensorHeader:
    """One tensor of a safetensors file, as its header describes it."""

    dtype: str
    """F32, BF16, F16, F8_E4M3, U8 …"""
    shape: tuple[int, ...]
    file: str


@dataclass(frozen=True)
class CheckpointFiles:
    """A folder of `transformers` that is whole as far as its headers say."""

    folder: Path
    config: Mapping[str, Any]
    """`config.json`, as it is written."""
    tensors: Mapping[str, TensorHeader]


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


def refuse_adapter(folder: Path) -> None:
    """UserError where the folder holds an adapter (PEFT), alone or beside weights."""
    if not (folder / ADAPTER).is_file():
        return
    base = _json_or_nothing(folder / ADAPTER).get("base_model_name_or_path")
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
    return CheckpointFiles(folder, config, tensors)


def read_header(path: Path) -> dict[str, TensorHeader]:
    """The tensors of a safetensors file. Raises UserError where it is cut off or no such file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            first = file.read(8)
            if first == b"version ":
                raise UserError("this is a pointer of git-lfs, not the weights: run `git lfs pull`", place=str(path))
            length = struct.unpack("<Q", first)[0]
            if length > size:
                raise ValueError
            header = json.loads(file.read(length))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        found = {
            name: TensorHeader(str(entry["dtype"]), tuple(map(int, entry["shape"])), path.name)
            for name, entry in entries.items()
        }
        whole = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except FileNotFoundError:
        raise UserError("this file is missing: copy the whole model", place=str(path)) from None
    except OSError as error:
        raise UserError(
            f"the weights can't be read ({error.strerror}): copy the model again", place=str(path)
        ) from None
    except (ValueError, struct.error, KeyError, TypeError, AttributeError, IndexError, MemoryError):
        raise UserError(
            f"the weights are damaged (no header of safetensors in {size:,} bytes): fetch or write them again",
            place=str(path),
        ) from None
    if size < whole:
        raise UserError(
            f"the weights are damaged: {size:,} bytes are there and the header describes {whole:,}; fetch or copy them "
            "again",
            place=str(path),
        )
    return found


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except UnicodeDecodeError:
        raise UserError("this is not a text file: copy the model again", place=str(path)) from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"this is not JSON ({error.msg}): fix it, or copy the model again", place=f"{path}:{error.lineno}"
        ) from None
    except RecursionError:
        raise UserError("this is nested too deeply: copy the model again", place=str(path)) from None
    if not isinstance(config, dict):
        raise UserError("this holds no settings (an object of JSON): copy the model again", place=str(path))
    if not isinstance(config.get("model_type"), str) and not config.get("auto_map"):
        raise UserError(
            "it doesn't say `model_type`, by which transformers knows the architecture: add it (such as "
            '"model_type": "llama"), or copy the model again',
            place=str(path),
        )
    return config


def _files(folder: Path) -> dict[str, set[str]]:
    """The weight files of a folder, each with the tensors that the index says it holds."""
    if (folder / WEIGHTS).is_file():
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
        places = json.loads(index.read_bytes())["weight_map"]
        files: dict[str, set[str]] = {}
        for name, file in places.items():
            if Path(file).name != file:
                raise ValueError
            files.setdefault(file, set()).add(name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError("this index of the weights can't be read: copy the model again", place=str(index)) from None
    missing = sorted(file for file in files if not (folder / file).is_file())
    if missing:
        raise UserError(
            f"{len(missing)} of {len(files)} weight files are missing, such as {missing[0]}: copy the whole model",
            place=str(folder),
        )
    return files


def _json_or_nothing(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
