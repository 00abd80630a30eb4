"""Rows out of files: which files of a folder are a split, and what is in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.corpora import row_files
from harness.corpora.row_files import is_data_file as is_data_file
from harness.errors import UserError
from harness.file_digest import FileState, file_state
from harness.mode import Mode
from harness.spelling import nearest
from harness.tasks.ask import Row
from harness.tasks.data import csv_as_lm_eval
from harness.tasks.data.features import ClassLabel
from harness.tasks.data.rows import Rows

BUILDERS: Mapping[str, tuple[str, ...]] = {
    "json": (".json", ".jsonl", ".ndjson"),
    "csv": (".csv", ".tsv"),
    "parquet": (".parquet",),
    "arrow": (".arrow",),
    "text": (".txt",),
}
"""Builders of `datasets` that read files -> the formats that each reads here, the first where the name says none."""
_OF_LOADING = frozenset(
    {"data_files", "trust_remote_code", "streaming", "revision", "verification_mode", "ignore_verifications"}
    | {"download_mode", "cache_dir", "token", "use_auth_token", "num_proc", "keep_in_memory", "save_infos"}
)
"""Keys of `dataset_kwargs` that say how data are fetched, which changes nothing of files that are here."""
_SHARD = r"([-.]\d+(-of-\d+)?([-.][0-9a-f]+)?)?"
_NAMELESS = ("default", "none")
"""Folders that stand for a data set without configurations."""


def split_files(folder: Path, name: str | None, split: str) -> list[Path]:
    """The files of one split of a data set that lies in a folder, in order of their shards.

    `name`: its configuration. A split is a file SPLIT.jsonl (or another format), shards SPLIT-00000-of-00002.parquet
    or a folder SPLIT of files; in the folder itself, in `data`, NAME or NAME/SPLIT. A configuration may also be one
    file, NAME.jsonl, which then is every split. Raises UserError that tells the splits that are there, and where a
    split is there twice or in part.
    """
    for place in _places(folder, name):
        if found := _in(place, split):
            return found
    if name is not None and (whole := [file for file in _data_files(folder) if row_files.stem_of(file) == name]):
        return _one_set(folder, whole, f"'{name}'")
    if loose := [file for file in _data_files(folder) if _shard_of(file, "data")]:
        return _one_set(folder, loose, "the data")  # the folder is one split, as `save_to_disk` writes it
    there = sorted(set(splits_of(folder, name)))
    deeper = sorted(inner.name for inner in folder.iterdir() if inner.is_dir() and has_data(inner))
    listed = f"there are: {', '.join(there[:30])}" if there else "no data files are there"
    if not there and deeper:
        listed = f"but folders: {', '.join(deeper[:30])}; name one of them"
    unread = [file.name for place in _places(folder, name) for file in row_files.files_in(place).passed_over]
    if unread:
        listed += f"; not read, of an unknown format: {', '.join(unread[:10])}"
    wanted = f"split '{split}'" + (f" of '{name}'" if name else "")
    raise UserError(f"has no {wanted}{nearest(split, there)} ({listed})", place=str(folder))


def splits_of(folder: Path, name: str | None) -> list[str]:
    """Names of what looks like a split there."""
    found = []
    for place in _places(folder, name):
        found += [re.sub(rf"(?<=.){_SHARD}$", "", row_files.stem_of(file)) for file in _data_files(place)]
        found += [inner.name for inner in sorted(place.iterdir()) if inner.is_dir() and _data_files(inner)]
    return [split for split in dict.fromkeys(found) if split != "data"]


def has_data(folder: Path) -> bool:
    """Whether a folder holds data files, at most three folders deep."""
    return any(is_data_file(file) for depth in ("*", "*/*", "*/*/*") for file in folder.glob(depth))


def read_rows(
    file: Path,
    split: str,
    options: Mapping[str, Any] | None = None,
    *,
    builder: str | None = None,
    mode: Mode = "right",
) -> Rows:
    """All rows of a file. Raises UserError with the line of what is wrong.

    split: taken from a JSON file that maps splits to lists. options: `dataset_kwargs` of the task, such as CSV's
    `column_names`, `header` and `sep`, or JSON's `field`. builder: that of `datasets` that reads the file, where it
    isn't told by the file's name. mode: in lm-eval the types of CSV's columns are guessed, as there.
    """
    suffix = _format(file, builder)
    known = _options(suffix, mode)
    given = {name: value for name, value in (options or {}).items() if name in known}
    frozen = strict_json.dumps(given, sort_keys=True, default=str)
    try:
        state = file_state(file)
    except OSError as error:
        raise UserError(f"can't be read: {error.strerror or error}", place=str(file)) from None
    return _read(file, state, split, frozen, suffix, mode)


def refuse_unknown(options: Mapping[str, Any], file: Path, builder: str | None, mode: Mode, place: str) -> None:
    """Raises UserError for a key of `dataset_kwargs` that the reader of this file doesn't know."""
    suffix = _format(file, builder)
    known = _options(suffix, mode)
    for name in options:
        if name not in known | _OF_LOADING:
            raise UserError(
                f"`{name}` is not understood for {suffix[1:]} files{nearest(name, known)} "
                f"(there are: {', '.join(sorted(known))})",
                place=place,
            )


def is_by_split(file: Path, split: str) -> bool:
    """Whether a JSON file maps splits to lists, this one among them."""
    try:
        return row_files.holds_splits(file, split)
    except OSError:
        return False


@lru_cache(maxsize=4)
def _read(file: Path, state: FileState, split: str, options: str, suffix: str, mode: Mode) -> Rows:
    """Kept, since the tasks of a group often take their rows from one file."""
    given = json.loads(options)
    if mode == "lm-eval" and suffix in (".csv", ".tsv"):
        return csv_as_lm_eval.csv_as_lm_eval(file, suffix, given)
    rows = row_files.rows_of(file, given, split, suffix)
    return _filled(rows, {name: ClassLabel(names=names) for name, names in row_files.class_names(file, suffix).items()})


def _format(file: Path, builder: str | None) -> str:
    """The ending that says how a file is read. Raises UserError for an unknown one."""
    suffix = row_files.suffix_of(file)
    if builder is not None:
        formats = BUILDERS[builder]
        return suffix if suffix in formats else formats[0]
    if suffix not in row_files.OPTIONS:
        raise UserError(f"a format that isn't read (read are: {row_files.known_endings()})", place=str(file))
    return suffix


def _options(suffix: str, mode: Mode) -> frozenset[str]:
    own = row_files.OPTIONS[suffix]
    return own | csv_as_lm_eval.OPTIONS if mode == "lm-eval" and suffix in (".csv", ".tsv") else own


def _filled(rows: Sequence[Row], features: Mapping[str, Any]) -> Rows:
    """Rows of the same columns: what one lacks is None, as in a table."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if all(len(row) == len(columns) for row in rows):
        return Rows(rows, features)
    return Rows(({name: row.get(name) for name in columns} for row in rows), features)


def _places(folder: Path, name: str | None) -> list[Path]:
    named = [folder / name] if name is not None else [folder / nameless for nameless in _NAMELESS]
    return [place for place in (*named, folder, folder / "data") if place.is_dir()]


def _in(place: Path, split: str) -> list[Path]:
    beside, inside = row_files.files_in(place), row_files.files_in(place / split)
    found = [file for file in beside.data if _shard_of(file, split)]
    unread = [file for file in beside.passed_over if re.fullmatch(re.escape(split) + _SHARD + r"(\..*)?", file.name)]
    if not found and inside.data:
        found, unread = inside
    if found and unread:
        raise UserError(
            f"split '{split}' is also in {', '.join(file.name for file in unread[:10])}, of a format that isn't read "
            f"(read are: {row_files.known_endings()}); convert or remove it",
            place=str(place),
        )
    return _one_set(place, found, f"split '{split}'")


def _one_set(place: Path, files: list[Path], what: str) -> list[Path]:
    """The same files. Raises UserError where they are not one set: two formats, a shard twice, or one missing."""
    row_files.refuse_twins(files)
    formats = sorted({row_files.suffix_of(file) for file in files})
    if len(formats) > 1:
        names = ", ".join(file.name for file in files[:10])
        raise UserError(f"{what} exists in several formats: {names}; name one of them", place=str(place))
    numbered: dict[int, list[int]] = {}
    for number, of in _shards(files):
        numbered.setdefault(of, []).append(number)
    for of, numbers in numbered.items():
        missing = sorted(set(range(of)) - set(numbers))
        if missing and sorted(set(numbers)) != list(range(1, of + 1)):
            named = ", ".join(map(str, missing[:10]))
            raise UserError(f"{what} has {len(set(numbers))} of {of} files: {named} is missing", place=str(place))
        twice = sorted(number for number in set(numbers) if numbers.count(number) > 1)
        if twice:
            raise UserError(f"{what} has file {twice[0]} of {of} twice; remove the old one", place=str(place))
    if len(numbered) > 1:
        raise UserError(
            f"{what} is there in sets of {' and of '.join(map(str, sorted(numbered)))} files; remove the old one",
            place=str(place),
        )
    return files


def _shards(files: Sequence[Path]) -> Iterator[tuple[int, int]]:
    """(number, of how many) of the files whose names tell both."""
    for file in files:
        if match := re.search(r"[-.](\d+)-of-(\d+)([-.][0-9a-f]+)?$", row_files.stem_of(file)):
            yield int(match[1]), int(match[2])


def _shard_of(file: Path, split: str) -> bool:
    return re.fullmatch(re.escape(split) + _SHARD, row_files.stem_of(file)) is not None


def _data_files(folder: Path) -> list[Path]:
    return row_files.files_in(folder).data
