"""Rows out of files: which files of a folder are a split, and what is in them.

Formats: JSON lines, JSON, CSV, TSV (each also gzipped), Parquet, and Arrow as `datasets` writes it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.errors import UserError
from harness.tasks.ask import Row
from harness.tasks.rows import ClassLabel, Rows

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
_SHARD = r"([-.]\d+(-of-\d+)?([-.][0-9a-f]+)?)?"
_NAMELESS = ("default", "none")
"""Folders that stand for a data set without configurations."""
_CSV_OPTIONS = {"column_names": "names"} | {
    name: name
    for name in ("header", "names", "sep", "delimiter", "quotechar", "quoting", "escapechar", "skiprows", "encoding")
}
_BESIDE_DATA = ("dataset_info", "dataset_infos", "state", "dataset_dict")
"""Names of JSON files that `datasets` puts beside its data."""


def is_data_file(path: Path) -> bool:
    """Whether a file has one of the formats, by its name."""
    name = path.name.removesuffix(".gz")
    return name.endswith(SUFFIXES) and _stem(path) not in _BESIDE_DATA and not name.startswith(".")


def split_files(folder: Path, name: str | None, split: str) -> list[Path]:
    """The files of one split of a data set that lies in a folder, in order of their shards.

    `name`: its configuration. A split is a file SPLIT.jsonl (or another format), shards SPLIT-00000-of-00002.parquet
    or a folder SPLIT of files; in the folder itself, in `data`, NAME or NAME/SPLIT. A configuration may also be one
    file, NAME.jsonl, which then is every split. Raises UserError that tells the splits that are there.
    """
    for place in _places(folder, name):
        if found := _in(place, split):
            return found
    if name is not None and (whole := [file for file in _data_files(folder) if _stem(file) == name]):
        return whole
    if loose := [file for file in _data_files(folder) if _is_shard_of(file, "data")]:
        return loose  # the folder is one split, as `save_to_disk` writes it
    there = sorted(set(splits_of(folder, name)))
    deeper = sorted(inner.name for inner in folder.iterdir() if inner.is_dir() and has_data(inner))
    listed = f"there are: {', '.join(there[:30])}" if there else "no data files are there"
    if not there and deeper:
        listed = f"but folders: {', '.join(deeper[:30])}; name one of them"
    wanted = f"split '{split}'" + (f" of '{name}'" if name else "")
    raise UserError(f"has no {wanted} ({listed})", place=str(folder))


def splits_of(folder: Path, name: str | None) -> list[str]:
    """Names of what looks like a split there."""
    found = []
    for place in _places(folder, name):
        found += [re.sub(rf"(?<=.){_SHARD}$", "", _stem(file)) for file in _data_files(place)]
        found += [inner.name for inner in sorted(place.iterdir()) if inner.is_dir() and _data_files(inner)]
    return [split for split in dict.fromkeys(found) if split != "data"]


def has_data(folder: Path) -> bool:
    """Whether a folder holds data files, at most three folders deep."""
    return any(is_data_file(file) for depth in ("*", "*/*", "*/*/*") for file in folder.glob(depth))


def read_rows(file: Path, split: str, options: Mapping[str, Any] | None = None) -> Rows:
    """All rows of a file. Raises UserError with the line of what is wrong.

    `split`: taken from a JSON file that maps splits to lists. `options`: `dataset_kwargs` of the task: CSV's
    `column_names`, `header`, `sep` and the like, JSON's `field`.
    """
    frozen = strict_json.dumps(dict(options or {}), sort_keys=True, default=str)
    try:
        stat = file.stat()
        return _read(file, stat.st_mtime_ns, stat.st_size, split, frozen)
    except OSError as error:
        raise UserError(f"can't be read: {error.strerror or error}", place=str(file)) from None


def is_by_split(file: Path, split: str) -> bool:
    """Whether a JSON file maps splits to lists, this one among them."""
    if not file.name.removesuffix(".gz").endswith(".json"):
        return False
    try:
        whole = json.loads(_bytes(file))
    except (OSError, ValueError):
        return False
    return isinstance(whole, dict) and isinstance(whole.get(split), list)


@lru_cache(maxsize=4)
def _read(file: Path, changed: int, size: int, split: str, options: str) -> Rows:
    """Kept, since the tasks of a group often take their rows from one file."""
    given = json.loads(options)
    suffix = Path(file.name.removesuffix(".gz")).suffix
    if suffix in (".csv", ".tsv"):
        return _csv(file, suffix, given)
    if suffix in (".parquet", ".arrow"):
        return _arrow(file, suffix)
    if suffix == ".json":
        return _json(file, split, given)
    if suffix in (".jsonl", ".ndjson"):
        return _json_lines(file, _bytes(file))
    raise UserError(f"a format that isn't read (read are: {', '.join(SUFFIXES)})", place=str(file))


def _bytes(file: Path) -> bytes:
    try:
        return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (gzip.BadGzipFile, EOFError) as error:
        raise UserError(f"not a whole gzip file ({error})", place=str(file)) from None


def _json_lines(file: Path, content: bytes) -> Rows:
    rows = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"this line is no JSON ({error})", place=f"{file}:{number}") from None
        if not isinstance(row, dict):
            raise UserError("this line is no JSON object: a row maps columns to values", place=f"{file}:{number}")
        rows.append(row)
    return _filled(rows)


def _json(file: Path, split: str, options: Mapping[str, Any]) -> Rows:
    content = _bytes(file)
    try:
        whole = json.loads(content)
    except ValueError as error:
        if "Extra data" in str(error):  # JSON lines under a simpler name
            return _json_lines(file, content)
        raise UserError(f"no JSON ({error})", place=str(file)) from None
    if isinstance(whole, dict):
        whole = _rows_within(file, whole, split, options.get("field"))
    if not isinstance(whole, list) or not all(isinstance(row, dict) for row in whole):
        raise UserError("rows are a list of JSON objects", place=str(file))
    return _filled(whole)


def _rows_within(file: Path, whole: dict[str, Any], split: str, field: str | None) -> Any:
    if field is not None:
        if field not in whole:
            raise UserError(f"has no field '{field}' (there are: {', '.join(whole)})", place=str(file))
        return whole[field]
    lists = {name: value for name, value in whole.items() if isinstance(value, list)}
    of_rows = [name for name, value in lists.items() if value and all(isinstance(row, dict) for row in value)]
    if split in lists:
        return lists[split]
    if len(of_rows) == 1 and len(lists) == 1:
        return lists[of_rows[0]]
    if lists and not of_rows and len(lists) == len(whole) and len({len(value) for value in lists.values()}) == 1:
        return Rows.from_dict(whole).plain
    raise UserError(f"has no split '{split}' (there are: {', '.join(whole)})", place=str(file))


def _filled(rows: list[Row]) -> Rows:
    """Rows of the same columns: what one lacks is None, as in a table."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if all(len(row) == len(columns) for row in rows):
        return Rows(rows)
    return Rows({name: row.get(name) for name in columns} for row in rows)


def _csv(file: Path, suffix: str, options: Mapping[str, Any]) -> Rows:
    import pandas as pd

    given = {_CSV_OPTIONS[name]: value for name, value in options.items() if name in _CSV_OPTIONS}
    if suffix == ".tsv" and not {"sep", "delimiter"} & set(given):
        given["sep"] = "\t"
    try:
        return Rows.from_pandas(pd.read_csv(io.BytesIO(_bytes(file)), **given))
    except (ValueError, TypeError) as error:
        raise UserError(f"not read as {suffix[1:].upper()}: {error}", place=str(file)) from None


def _arrow(file: Path, suffix: str) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = io.BytesIO(_bytes(file)) if file.suffix == ".gz" else str(file)
    try:
        if suffix == ".parquet":
            table = pq.read_table(source)
        else:
            opened = source if isinstance(source, io.BytesIO) else pa.memory_map(source)
            table = _first_that_works(opened, (pa.ipc.open_stream, pa.ipc.open_file), pa.ArrowInvalid)
    except pa.ArrowException as error:
        raise UserError(f"not read as {suffix[1:].capitalize()}: {error}", place=str(file)) from None
    return Rows(table.to_pylist(), _features(table.schema.metadata))


def _first_that_works(source: Any, openers: Iterable[Callable[[Any], Any]], refused: type[Exception]) -> Any:
    """Arrow has a format for streams and one for files, under the same ending."""
    *some, last = openers
    for opener in some:
        try:
            return opener(source).read_all()
        except refused:
            source.seek(0)
    return last(source).read_all()


def _features(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """The class names that `datasets` writes into a table."""
    try:
        described = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        name: ClassLabel(names=feature["names"])
        for name, feature in described.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _places(folder: Path, name: str | None) -> list[Path]:
    named = [folder / name] if name is not None else [folder / nameless for nameless in _NAMELESS]
    return [place for place in (*named, folder, folder / "data") if place.is_dir()]


def _in(place: Path, split: str) -> list[Path]:
    if found := [file for file in _data_files(place) if _is_shard_of(file, split)]:
        return _one_format(found)
    inner = place / split
    return _one_format(_data_files(inner)) if inner.is_dir() else []


def _one_format(files: list[Path]) -> list[Path]:
    """Where the same split lies there in two formats: the first."""
    suffixes = [Path(file.name.removesuffix(".gz")).suffix for file in files]
    return [file for file, suffix in zip(files, suffixes, strict=True) if suffix == suffixes[0]]


def _is_shard_of(file: Path, split: str) -> bool:
    return re.fullmatch(re.escape(split) + _SHARD, _stem(file)) is not None


def _data_files(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if is_data_file(item) and item.is_file()) if folder.is_dir() else []


def _stem(file: Path) -> str:
    return Path(file.name.removesuffix(".gz")).stem
