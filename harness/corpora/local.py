"""Text from a file or folder of the user's: txt, jsonl, csv (each also gzipped) and parquet.

`HARNESS_DATA` may name a folder of such data sets; `data:NAME` is the file or folder NAME in it.
"""

from __future__ import annotations

import hashlib
import os
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
    """A file, or all files of a known kind in a folder."""

    path: Path
    field: str = "text"
    """The key or column that holds the text (not for txt)."""

    def documents(self) -> list[str]:
        """Its documents. Raises UserError with the file and line of what can't be read."""
        from reference_impl.text.files import TextError, read_documents

        try:
            return list(read_documents(self.path, self.field))
        except TextError as error:
            mend = f" (in a suite, FIELD is written behind the path: {self.path.name}#FIELD)"
            raise UserError(error.message + (mend if "field" in error.message else ""), place=error.place) from error
        except OSError as error:
            raise UserError(f"can't be read: {error.strerror or error}", place=str(self.path)) from error

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
        from reference_impl.text.files import SUFFIXES

        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            raise UserError("no such file or folder; check the path", place=str(self.path))
        files = [file for file in self.path.rglob("*") if file.name.endswith(SUFFIXES) and file.is_file()]
        if not files:
            raise UserError(
                f"no text in this folder; put files there that end in one of {', '.join(SUFFIXES)}",
                place=str(self.path),
            )
        return sorted(files)


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
