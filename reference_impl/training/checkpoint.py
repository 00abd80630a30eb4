"""A checkpoint is a folder that proves itself: weights, shape, tokenizer, how it was trained, and their hashes.

    model.safetensors   weights (a tied head is stored once)
    config.json         GPTConfig
    tokenizer.json      ByteBPE, in the `tokenizers` library's format, or Characters in its own
    training.json       TrainingResult with settings and loss curve; absent if the model was not trained here
    checkpoint.json     format, version, and SHA-256 and size of each of the files above

No pickle. The folder appears under its name when it is whole, or not at all. Unknown files in
`checkpoint.json` are checked and otherwise left alone. The state of a run that is still going is another
file (`state.py`).
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_model
from torch import Tensor, nn

from reference_impl.model.config import GPTConfig
from reference_impl.model.counting import count_parameters
from reference_impl.model.gpt import GPT
from reference_impl.text.any_tokenizer import Tokenizer, load_tokenizer
from reference_impl.training.result import TrainingResult

FORMAT = "gpt-checkpoint"
VERSION = 1

MODEL, CONFIG, TOKENIZER, TRAINING, MANIFEST = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "training.json",
    "checkpoint.json",
)

MOST_SETTINGS = 32 << 20
"""Bytes of a file of settings."""

TIED = ("token_embedding.weight", "head.weight")
"""The two names of a tied weight."""

_CONFIG = TypeAdapter(GPTConfig)
_TRAINING = TypeAdapter(TrainingResult)


class CorruptCheckpoint(ValueError):
    """A checkpoint that can't be used: names the file, what is wrong and the fix."""

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        self.message = message
        super().__init__(f"{path}: {message}; copy the checkpoint again or train it again")


class FileEntry(BaseModel):
    """One file of a checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """`checkpoint.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["gpt-checkpoint"] = "gpt-checkpoint"
    version: int = VERSION
    files: dict[str, FileEntry]


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint."""

    model: GPT
    """On the CPU, in fp32 and evaluation mode."""
    tokenizer: Tokenizer
    config: GPTConfig
    training: TrainingResult | None
    digest: str
    """SHA-256 over the hashes of weights, shape and tokenizer: the same for the same model, however trained."""


def save_checkpoint(
    folder: str | os.PathLike[str], model: GPT, tokenizer: Tokenizer, training: TrainingResult | None = None
) -> None:
    """Writes `folder` whole or not at all; a checkpoint that is there already is replaced.

    Raises FileExistsError if `folder` is something else than a checkpoint, ValueError if the tokenizer has
    ids that the model hasn't, and OSError if the disk is full.
    """
    folder = Path(folder)
    if tokenizer.size > model.config.vocabulary:
        raise ValueError(
            f"a tokenizer of {tokenizer.size} tokens doesn't fit a vocabulary of {model.config.vocabulary}."
        )

    def write(new: Path) -> None:
        save_model(model, str(new / MODEL))
        write_config(new, model.config)
        tokenizer.save(new / TOKENIZER)
        if training is not None:
            (new / TRAINING).write_bytes(_TRAINING.dump_json(training, indent=2))

    write_folder(folder, write)


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """What `write` puts into a new folder, with its `checkpoint.json`, under the name `folder`: whole or not at all.

    A checkpoint that is there already is replaced. Raises FileExistsError if `folder` is something else, and OSError if
    the disk is full.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and not _is_empty_folder(folder):
        raise FileExistsError(f"{folder}: there is something else than a checkpoint here; give another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Hidden siblings: on the same file system, so that a rename puts them in place.
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        new = scratch / "new"
        new.mkdir()
        write(new)
        files = {path.name: _entry(path) for path in sorted(new.iterdir())}
        (new / MANIFEST).write_text(Manifest(files=files).model_dump_json(indent=2))
        for path in [*new.iterdir(), new]:
            _to_disk(path)
        if folder.exists():
            folder.replace(scratch / "old")
        new.replace(folder)
        _to_disk(folder.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load_checkpoint(folder: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint after checking every file against its hash.

    Raises CorruptCheckpoint where something is missing, cut off, changed, or of another version.
    """
    folder = Path(folder)
    manifest = verified(folder, MODEL, CONFIG, TOKENIZER)
    config = read_config(folder)
    try:
        tokenizer = load_tokenizer(folder / TOKENIZER)
    except ValueError as error:
        raise CorruptCheckpoint(folder / TOKENIZER, "not a tokenizer") from error
    check_sizes(config, folder)
    with torch.device("meta"):
        model = GPT(config).eval()
    load_weights(model, folder)
    if other := next((name for name, tensor in model.state_dict().items() if tensor.dtype != torch.float32), None):
        raise CorruptCheckpoint(folder / MODEL, f"{other} is not in fp32, as weights are written here")
    training = None
    if TRAINING in manifest.files:
        try:
            training = _TRAINING.validate_json((folder / TRAINING).read_bytes())
        except ValueError as error:
            raise CorruptCheckpoint(folder / TRAINING, f"not a training result ({_short(error)})") from error
    return Checkpoint(model, tokenizer, config, training, _digest(manifest))


def verified(folder: Path, *needed: str) -> Manifest:
    """The manifest of a checkpoint whose files are as it says. Raises CorruptCheckpoint, also where one is missing."""
    manifest = _manifest(folder)
    for name, entry in manifest.files.items():
        _verify(folder / name, entry)
    for name in needed:
        if name not in manifest.files:
            raise CorruptCheckpoint(folder / MANIFEST, f"it doesn't list {name}")
    return manifest


def write_config(folder: Path, config: GPTConfig) -> None:
    """Write the shape."""
    (folder / CONFIG).write_bytes(_CONFIG.dump_json(config, indent=2))


def read_config(folder: Path) -> GPTConfig:
    """The shape. Raises CorruptCheckpoint."""
    try:
        return _CONFIG.validate_json((folder / CONFIG).read_bytes())
    except ValueError as error:
        raise CorruptCheckpoint(folder / CONFIG, f"not a GPTConfig ({_short(error)})") from error


def check_sizes(config: GPTConfig, folder: Path, packed_by: int = 1) -> None:
    """CorruptCheckpoint where the shape is that of far more weights than the file has room for: a module of it isn't
    even begun. packed_by: the most weights that one element of the file stands for."""
    try:
        with safe_open(folder / MODEL, framework="pt") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise CorruptCheckpoint(folder / MODEL, f"its weights can't be read ({_short(error)})") from error
    held = packed_by * sum(map(math.prod, shapes))
    described = count_parameters(config).total
    if config.layers > len(shapes) or described > 2 * held:
        raise CorruptCheckpoint(
            folder / CONFIG,
            f"it describes {config.layers:,} layers of {described:,} weights in all, and {MODEL} has less",
        )


def load_weights(model: GPT, folder: Path) -> None:
    """Put the tensors of a checkpoint in the place of a model's, which has none yet (on the meta device).

    The tensors look into the mapped file: there is no second copy. Raises CorruptCheckpoint where they don't fit, or
    aren't finite: torch's attention on a CPU hides a NaN, and the model would talk on.
    """
    try:
        tensors = load_file(folder / MODEL)
        tied = model.config.tie_head and isinstance(model.head, nn.Linear)
        if tied:  # saved under one of its two names
            for name, other in (TIED, TIED[::-1]):
                if name not in tensors and other in tensors:
                    tensors[name] = tensors[other]
        if broken := next((name for name, tensor in tensors.items() if not all_finite(tensor)), None):
            raise CorruptCheckpoint(folder / MODEL, f"{broken} holds values that aren't finite numbers")
        _, unexpected = model.load_state_dict(tensors, strict=False, assign=True)
        if tied:
            model.head.weight = model.token_embedding.weight
        lacking = [name for name, tensor in model.state_dict().items() if tensor.is_meta]
        if lacking or unexpected:
            raise RuntimeError(
                f"missing: {', '.join(lacking[:3]) or 'none'}; unknown: {', '.join(unexpected[:3]) or 'none'}"
            )
    except (RuntimeError, SafetensorError) as error:
        raise CorruptCheckpoint(folder / MODEL, f"its weights don't fit {CONFIG} ({_short(error)})") from error


def all_finite(tensor: Tensor) -> bool:
    """Whether there is neither NaN nor infinity in it. One pass; a sum tells it without a copy unless it overflows."""
    return not tensor.is_floating_point() or bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def checkpoint_digest(folder: str | os.PathLike[str]) -> str:
    """`Checkpoint.digest` from the manifest alone: nothing is loaded or verified."""
    return _digest(_manifest(Path(folder)))


def _manifest(folder: Path) -> Manifest:
    if not folder.is_dir():
        raise CorruptCheckpoint(folder, "there is no such folder")
    path = folder / MANIFEST
    try:
        _check_plain(path, MOST_SETTINGS)
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise CorruptCheckpoint(path, "missing, so this is no checkpoint") from error
    except ValidationError as error:
        raise CorruptCheckpoint(path, f"not a checkpoint's manifest ({_short(error)})") from error
    if manifest.version != VERSION:
        raise CorruptCheckpoint(path, f"a checkpoint of version {manifest.version}; this program reads {VERSION}")
    if outside := [name for name in manifest.files if Path(name).name != name]:
        raise CorruptCheckpoint(path, f"it lists {outside[0]!r}, which is not a file of its folder")
    return manifest


def _verify(path: Path, entry: FileEntry) -> None:
    try:
        _check_plain(path, MOST_SETTINGS if path.name in (CONFIG, TRAINING) else None)
        size = path.stat().st_size
        if size != entry.bytes:
            raise CorruptCheckpoint(path, f"it has {size} bytes and should have {entry.bytes}")
        found = _entry(path)
    except FileNotFoundError as error:
        raise CorruptCheckpoint(path, "missing") from error
    if found.sha256 != entry.sha256:
        raise CorruptCheckpoint(path, "changed since it was written: its SHA-256 is another")


def _check_plain(path: Path, most: int | None) -> None:
    """CorruptCheckpoint for a pipe, a device or a folder, which may never end, and for more than `most` bytes."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise CorruptCheckpoint(path, "not a file")
    if most is not None and found.st_size > most:
        raise CorruptCheckpoint(path, f"it has {found.st_size:,} bytes, and such a file at most {most:,}")


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return FileEntry(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)


def _digest(manifest: Manifest) -> str:
    hashes = [manifest.files[name].sha256 for name in (MODEL, CONFIG, TOKENIZER) if name in manifest.files]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _short(error: Exception) -> str:
    """The first informative line of a library's message."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")[:300]
    return [*str(error).strip().splitlines(), "no reason given"][0][:300]
