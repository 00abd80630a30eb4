"""The files of a folder: which are data, which stand beside data, and which are passed over and must be named."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from reference_impl.files.bounds import MOST_FILES
from reference_impl.files.compression import bare_name
from reference_impl.files.error import TextError
from reference_impl.files.rows import is_known

_BESIDE = frozenset({"readme", "license", "licence", "copying", "notice", "citation", "changelog"})
"""Names, whatever their ending, of files that tell about the data beside them."""
_BESIDE_JSON = frozenset({"dataset_info", "dataset_infos", "dataset_dict", "state", "dataset-metadata", "croissant"})
"""Names of the JSON files that `datasets` and others put beside data."""
_BESIDE_ENDINGS = frozenset(
    {".md", ".rst", ".yaml", ".yml", ".toml", ".cff", ".bib", ".py", ".sh", ".lock", ".md5", ".sha1", ".sha256"}
)


class Listing(NamedTuple):
    """What a folder holds."""

    data: list[Path]
    """Files of a known format, in the order of their paths."""
    passed_over: list[Path]
    """Files of an unknown format that may be data: to be named wherever the folder is read."""


def is_beside_data(path: Path) -> bool:
    """Whether a file tells about data and is none: a README, a license, a script, checksums, or hidden."""
    name = path.name.lower()
    stem = name.partition(".")[0]
    return (
        name.startswith(".")
        or stem in _BESIDE
        or (stem in _BESIDE_JSON and bare_name(name).endswith(".json"))
        or path.suffix.lower() in _BESIDE_ENDINGS
        or (name.startswith("cache-") and name.endswith(".arrow"))  # what `datasets` keeps of its own steps
        or stem in ("md5sums", "sha1sums", "sha256sums", "checksums")
    )


def listing(folder: Path, *, deep: bool) -> Listing:
    """The files of a folder, with `deep` those of the folders within too; hidden folders are left alone.

    Raises TextError where there are too many to look at, and OSError.
    """
    data: list[Path] = []
    passed_over: list[Path] = []
    try:
        found = list(islice(folder.rglob("*") if deep else folder.iterdir(), MOST_FILES + 1))
    except RecursionError:
        raise TextError(folder, "its folders are nested too deeply") from None
    if len(found) > MOST_FILES:
        raise TextError(folder, f"this folder has more than {MOST_FILES:,} files in it; name the folder of your data")
    for file in sorted(found):
        inner = file.relative_to(folder).parts[:-1]
        if not file.is_file() or is_beside_data(file) or any(part.startswith((".", "__pycache__")) for part in inner):
            continue
        (data if is_known(file) else passed_over).append(file)
    return Listing(data, passed_over)


def refuse_twins(files: Iterable[Path]) -> None:
    """Raises TextError where a file lies there twice, packed and unpacked or packed in two ways."""
    seen: dict[Path, Path] = {}
    for file in files:
        bare = file.with_name(bare_name(file.name))
        if bare in seen:
            raise TextError(
                file.parent, f"{seen[bare].name} and {file.name} are one file, packed differently; keep one of them"
            )
        seen[bare] = file
