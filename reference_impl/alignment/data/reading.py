"""Files of alignment data as typed rows: `read("pairs.jsonl", Preference)`.

The format is recognized from the columns of the first row, or named. Every other row must have its columns, too. Rows
that are whole and of no use are counted by reason; what is wrong with a file is a TextError with the line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar, cast

from reference_impl.alignment.data.conversation import Turns, demonstrations
from reference_impl.alignment.data.excluded import Excluded, Tally, Unusable, told
from reference_impl.alignment.data.formats import FORMATS, Conversation, Format
from reference_impl.alignment.data.hub import fetched, is_on_hub
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Demonstration, Judged, Preference, Prompt, Row
from reference_impl.alignment.data.splits import files_of_split
from reference_impl.files import TextError, read_rows
from reference_impl.text.files import files_of

R = TypeVar("R", Prompt, Demonstration, Preference, Judged)

KINDS: Mapping[str, type[Row]] = {
    "prompts": Prompt, "demonstrations": Demonstration, "preferences": Preference, "judged": Judged,
}  # fmt: skip
"""What can be read, by name."""


@dataclass(frozen=True)
class Data(Generic[R]):
    """What was read, and what was left out."""

    rows: tuple[R, ...]
    excluded: tuple[Excluded, ...]
    format: str
    """Name of the format of its rows."""

    def __str__(self) -> str:
        left_out = f"; {told(self.excluded)}" if self.excluded else ""
        return f"{len(self.rows):,} {kind_name(type(self.rows[0]))} of the format {self.format}{left_out}"


def kind_name(kind: type[Row]) -> str:
    """The name of a kind of row, of several of them."""
    return next(name for name, known in KINDS.items() if known is kind)


def read(
    path: str | os.PathLike[str],
    kind: type[R],
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    turns: Turns = "all",
    split: str | None = None,
) -> Data[R]:
    """The rows of this kind in a file, in all files of a folder, or in a data set of the hub (`hub:OWNER/NAME`).

    format: the name of one of `FORMATS`, else it is recognized. columns: what the file calls a column of the format,
    `{"prompt": "question"}`. turns: which turns of the assistant in conversations are demonstrations. split: of a
    folder with several (`train`), or of a JSON file that maps splits to rows.
    Raises TextError where the file can't be read, its format is unknown, or no row is left; OSError.
    """
    files = _files(path, split)
    named = _named(format, kind) if format is not None else None
    tally, rows = Tally(), []
    found: Format | None = None
    for row in _raw_rows(files, split, columns or {}):
        if found is None:
            found = named or _recognized(row, kind)
        _check_columns(row, found)
        try:
            made = [replace(one, place=row.place + one.place) for one in _rows_of(found, row, turns)]
        except Unusable as reason:
            tally.add(str(reason), row.place)
            continue
        for one in made:
            if (unusable := why_unusable(one)) is None:
                rows.append(cast(R, one))
            else:
                tally.add(unusable, one.place)
    excluded = tally.counted()
    if found is None:
        raise TextError(os.fspath(path), "there is no row in it; put some there, or give another path")
    if not rows:
        raise TextError(os.fspath(path), f"no row is left of the format {found.name}: {told(excluded)}")
    return Data(tuple(rows), excluded, found.name)


def why_unusable(row: Row) -> str | None:
    """Why nothing can be learned from a row; None where something can."""
    if isinstance(row.prompt, str):
        if not row.prompt.strip():
            return "the prompt is empty"
    elif not row.prompt or not row.prompt[-1].content.strip():
        return "the prompt is empty"
    elif row.prompt[-1].role == "assistant":
        return "the prompt ends with a turn of the assistant, and the next turn should be the assistant's"
    if isinstance(row, Preference):
        if row.chosen == row.rejected:
            return "chosen and rejected are the same"
        empty = [name for name in ("chosen", "rejected") if not getattr(row, name).strip()]
        return f"the {empty[0]} response is empty" if empty else None
    if isinstance(row, Demonstration | Judged) and not row.response.strip():
        return "the response is empty"
    return None


def _files(path: str | os.PathLike[str], split: str | None) -> list[Path]:
    if is_on_hub(path):
        return files_of_split(*fetched(os.fspath(path)), split)
    files = files_of(path).data
    return files_of_split(Path(path), files, split) if Path(path).is_dir() else files


def _raw_rows(files: list[Path], split: str | None, columns: Mapping[str, str]) -> Iterator[RawRow]:
    for file in files:
        for number, row in read_rows(file, split=split):
            place = f"{file}:{number}"
            if missing := [theirs for theirs in columns.values() if theirs not in row]:
                raise TextError(place, f"has no column {missing[0]!r} ({_there(row)})")
            renamed = {ours: row[theirs] for ours, theirs in columns.items()}
            yield RawRow({name: row[name] for name in row if name not in columns.values()} | renamed, place)


def _named(name: str, kind: type[R]) -> Format:
    """Raises ValueError where there is no such format of this kind."""
    found = next((one for one in FORMATS if one.name == name), None)
    known = ", ".join(one.name for one in FORMATS if one.kind is kind)
    if found is None:
        raise ValueError(f"there is no format {name!r}; formats of {kind_name(kind)} are: {known}.")
    if found.kind is not kind:
        raise ValueError(
            f"the format {name!r} is of {kind_name(found.kind)}, not of {kind_name(kind)}, whose formats are: {known}."
        )
    return found


def _recognized(row: RawRow, kind: type[R]) -> Format:
    of_kind = [one for one in FORMATS if one.kind is kind]
    for one in of_kind:
        if one.recognizes(row):
            return one
    wanted = "; ".join(f"{one.name}: {', '.join(one.columns)}" for one in of_kind)
    other = next((one for one in FORMATS if one.kind is not kind and one.recognizes(row)), None)
    hint = f"It looks like {other.name}, a format of {kind_name(other.kind)}: read it as such. " if other else ""
    raise TextError(
        row.place,
        f"these columns are of no known format of {kind_name(kind)} ({_there(row.columns)}). {hint}Name columns as one "
        f"of the formats does, or say with `columns` what they are called here. Formats: {wanted}",
    )


def _check_columns(row: RawRow, format: Format) -> None:
    if missing := [name for name in format.columns if name not in row.columns]:
        raise row.wrong(
            f"has no column {missing[0]!r}, which rows of the format {format.name} have ({_there(row.columns)}); "
            "a file has one format: divide this one, or mend the row"
        )


def _there(columns: Mapping[str, object], most: int = 20) -> str:
    names = ", ".join(list(columns)[:most]) or "none"
    return f"there are: {names}" + (f" and {len(columns) - most} more" if len(columns) > most else "")


def _rows_of(format: Format, row: RawRow, turns: Turns) -> Iterator[Row]:
    """What a row says; the places are those within the row, for the format knows no other."""
    for said in format.read(row):
        if isinstance(said, Conversation):
            yield from demonstrations(said.dialog, turns, "", said.first)
        else:
            yield said
