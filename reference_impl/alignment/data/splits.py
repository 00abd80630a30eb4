"""Which files of a folder are of which split, by words of their names: what is held out is never learned by mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from reference_impl.files import TextError

_WORDS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip


def split_of(folder: Path, file: Path) -> str | None:
    """The split that a file's name within a folder says: `data/test-00000-of-00001.parquet` is test's."""
    for part in reversed(file.relative_to(folder).parts):
        for word in re.findall(r"[a-z]+", part.lower()):
            if word in _WORDS:
                return _WORDS[word]
    return None


def files_of_split(folder: Path, files: Sequence[Path], split: str | None) -> list[Path]:
    """Those files of a folder that are of a split. Raises TextError where it has none, or several and none is named."""
    if split is not None:
        wanted = _WORDS.get(split, split)
        found = [file for file in files if wanted in (split_of(folder, file), *_named(folder, file))]
        if not found:
            raise TextError(folder, f"no file here is of the split {split!r}; {_there(folder, files)}")
        return found
    splits = {split_of(folder, file) for file in files}
    if len(splits) > 1:
        raise TextError(folder, f"the files here are of several splits; name one as `split`: {_there(folder, files)}")
    return list(files)


def _named(folder: Path, file: Path) -> tuple[str, ...]:
    """Words that a split of another name may be: folders, and what the file's name begins with."""
    *folders, name = file.relative_to(folder).parts
    return (*folders, re.split(r"[-.]", name)[0])


def _there(folder: Path, files: Sequence[Path], most: int = 6) -> str:
    told = [f"{file.relative_to(folder).as_posix()} ({split_of(folder, file) or 'no split'})" for file in files[:most]]
    return ", ".join(told) + (f" and {len(files) - most} more" if len(files) > most else "")
