"""Text from a file or folder of the user's, in any format that `reference_impl.files` reads.

`HARNESS_DATA` may name a folder of such data sets; `data:NAME` is the file or folder NAME in it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.corpora.source import OnProgress
from harness.errors import UserError
from harness.file_digest import file_sha256
from harness.spelling import nearest

DATA_VARIABLE = "HARNESS_DATA"
SHOWN = 40
"""Names of data sets that an error lists."""


@dataclass(frozen=True)
class Local:
    """A file, or all files of a known format in a folder."""

    path: Path
    field: str = "text"
    """The key or column that holds the text (not for txt)."""

    def documents(self) -> list[str]:
        """Its documents. Raises UserError with the file and line of what can't be read."""
        from reference_impl.text.files import read_documents

        with explained(self.path):
            return list(read_documents(self.path, self.field))

    def look(self) -> None:
        """Read as far as its first document that has something in it. Raises UserError as `documents` does."""
        from reference_impl.text.files import is_blank, read_documents

        with explained(self.path):
            next(document for document in read_documents(self.path, self.field) if not is_blank(document))

    def notes(self) -> list[str]:
        """Names the files of a folder that are not read."""
        from reference_impl.text.files import passed_over

        with explained(self.path):
            told = passed_over(self.path)
        return [] if told is None else [told]

    def digest(self) -> str:
        """Hash of the files' names and bytes, and of the field."""
        digest = hashlib.sha256(self.field.encode())
        for file in self._files():
            name = file.relative_to(self.path).as_posix() if self.path.is_dir() else file.suffix
            digest.update(f"\n{name} {file_sha256(file)}".encode())
        return digest.hexdigest()

    def ensure(self, on_progress: OnProgress) -> None:
        """It is there already, or UserError."""
        self._files()

    def size(self) -> int | None:
        """Bytes of the files (of the compressed ones: compressed)."""
        return sum(file.stat().st_size for file in self._files())

    def _files(self) -> list[Path]:
        from reference_impl.text.files import files_of

        with explained(self.path):
            return files_of(self.path).data


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what reading files raises into a UserError, with how a suite names the field."""
    from reference_impl.files import TextError

    try:
        yield
    except TextError as error:
        fix = f" (in a suite, FIELD is written after the path: {path.name}#FIELD)"
        wants_field = "there is no field" in error.message or "there is no column" in error.message
        raise UserError(error.message + (fix if wants_field else ""), place=error.place) from error
    except OSError as error:
        raise UserError(f"can't be read: {error.strerror or error}", place=str(path)) from error


def data_folder() -> Path | None:
    """The folder that HARNESS_DATA names; None where it isn't set."""
    named = os.environ.get(DATA_VARIABLE)
    return Path(named).expanduser() if named else None


def data_names() -> list[str]:
    """What lies in the data folder: the names that `data:` knows."""
    folder = data_folder()
    if folder is None or not folder.is_dir():
        return []
    return sorted(item.name for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))


def data_path(name: str, spec: str) -> Path:
    """The path of `data:NAME`. Raises UserError where HARNESS_DATA isn't set or has no such thing."""
    folder = data_folder()
    if folder is None:
        raise UserError(
            f"set the environment variable {DATA_VARIABLE} to the folder of your data sets, in which '{name}' lies",
            place=f"text {spec}",
        )
    path = folder / name
    if not path.exists():
        known = data_names()
        shown = known if len(known) <= SHOWN else [*known[:SHOWN], "…"]
        raise UserError(
            f"there is no '{name}' in {folder}{nearest(name, known)} (there are: {', '.join(shown) or 'no folders'})",
            place=f"text {spec}",
        )
    return path
