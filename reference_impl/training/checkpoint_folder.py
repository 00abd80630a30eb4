"""A folder that proves itself: its files with their hashes, whole under its name or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

VERSION = 1

MODEL, CONFIG, TOKENIZER, CHAT, TRAINING, MANIFEST = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "chat.json",
    "training.json",
    "checkpoint.json",
)

MOST_SETTINGS = 32 << 20
"""Bytes of a file of settings."""


class CorruptCheckpoint(ValueError):
    """A checkpoint that can't be used: names the file, what is wrong and the fix."""

    def __init__(self, path: Path, message: str, fix: str = "copy the checkpoint again or train it again") -> None:
        self.path = path
        self.message = message
        super().__init__(f"{path}: {message}; {fix}")


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


def check_place(folder: Path) -> None:
    """Raises FileExistsError where there is something else than a checkpoint, which `write_folder` won't replace."""
    if folder.exists() and not (folder / MANIFEST).is_file() and not _is_empty_folder(folder):
        raise FileExistsError(f"{folder}: there is something else than a checkpoint here; give another folder.")


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """What `write` puts into a new folder, with its `checkpoint.json`, under the name `folder`: whole or not at all.

    Folders within it that were written so have a `checkpoint.json` of their own, and aren't in this one.
    A checkpoint that is there already is replaced. Raises FileExistsError if `folder` is something else, and OSError if
    the disk is full.
    """
    check_place(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Hidden siblings: on the same file system, so that a rename puts them in place.
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        new = scratch / "new"
        new.mkdir()
        try:
            write(new)
        except SafetensorError as error:  # its own name for a full disk
            raise OSError(f"{folder}: it can't be written ({error}); make room or give another place") from error
        files = {path.name: _entry(path) for path in sorted(new.iterdir()) if path.is_file()}
        (new / MANIFEST).write_text(Manifest(files=files).model_dump_json(indent=2))
        for path in [*new.iterdir(), new]:
            _to_disk(path)
        if folder.exists():
            folder.replace(scratch / "old")
        new.replace(folder)
        _to_disk(folder.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def verified(folder: Path, *needed: str) -> Manifest:
    """The manifest of a checkpoint whose files are as it says. Raises CorruptCheckpoint, also where one is missing."""
    manifest = _manifest(folder)
    for name, entry in manifest.files.items():
        _verify(folder / name, entry)
    for name in needed:
        if name not in manifest.files:
            raise CorruptCheckpoint(folder / MANIFEST, f"it doesn't list {name}")
    return manifest


def checkpoint_digest(folder: str | os.PathLike[str]) -> str:
    """`Checkpoint.digest` of a folder, from its manifest alone: nothing is loaded or verified."""
    return digest_of(_manifest(Path(folder)))


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
        raise CorruptCheckpoint(path, f"not a checkpoint's manifest ({short(error)})") from error
    if manifest.version != VERSION:
        raise CorruptCheckpoint(path, f"a checkpoint of version {manifest.version}; this program reads {VERSION}")
    if outside := [name for name in manifest.files if Path(name).name != name]:
        raise CorruptCheckpoint(path, f"it lists {outside[0]!r}, which is not a file of its folder")
    return manifest


def _verify(path: Path, entry: FileEntry) -> None:
    try:
        _check_plain(path, MOST_SETTINGS if path.name in (CONFIG, CHAT, TRAINING) else None)
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


def digest_of(manifest: Manifest) -> str:
    """`Checkpoint.digest`: SHA-256 over the hashes of weights, shape, tokenizer and chat template."""
    hashes = [manifest.files[name].sha256 for name in (MODEL, CONFIG, TOKENIZER, CHAT) if name in manifest.files]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def short(error: Exception) -> str:
    """The first informative line of a library's message."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")[:300]
    return [*str(error).strip().splitlines(), "no reason given"][0][:300]
