"""Rows of JSON and JSON lines, read strictly: what JSON doesn't know, or says twice, is an error with its line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_impl.files.bounds import DEEPEST, is_too_deep
from reference_impl.files.error import TextError
from reference_impl.files.lines import text_lines, whole_text

OPTIONS = frozenset({"field", "encoding", "encoding_errors"})
"""What a reader may be told; `field`: the key of a JSON file that holds the rows."""


class _Refused(ValueError):
    """JSON as Python reads it, but not as its standard has it."""


def json_line_rows(path: Path, options: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, row) of every line that isn't blank. Raises TextError with `file:line`."""
    for number, line in text_lines(path, options.get("encoding"), options.get("encoding_errors")):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = _DECODER.decode(line.rstrip())
            if line.count("[") + line.count("{") > DEEPEST and is_too_deep(row):
                raise RecursionError
        except json.JSONDecodeError as error:
            raise TextError(
                place, f"not JSON at column {error.colno} ({error.msg}); each line must be one JSON object"
            ) from error
        except ValueError as error:
            raise TextError(place, _told(error)) from None
        except RecursionError:
            raise TextError(place, "lists and objects are nested too deeply") from None
        if not isinstance(row, dict):
            raise TextError(
                place, f"a JSON {type(row).__name__}; each line must be an object, which maps columns to values"
            )
        yield number, row


def json_rows(path: Path, options: Mapping[str, Any], split: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, row) of a JSON file: a list of objects, an object of lists of equal length (columns), an object that
    maps splits to lists of objects, one of whose keys (`field`) holds the list, or JSON lines under a simpler name.

    Raises TextError with the line where one is known.
    """
    content = whole_text(path, options.get("encoding"), options.get("encoding_errors"))
    if not content.strip():
        return
    try:
        value = _DECODER.decode(content)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in content.strip():
            yield from json_line_rows(path, options)
            return
        raise TextError(f"{path}:{error.lineno}", f"not JSON at column {error.colno} ({error.msg})") from error
    except ValueError as error:
        line = _line_of_broken_row(content)
        raise TextError(path if line is None else f"{path}:{line}", _told(error)) from None
    except RecursionError:
        raise TextError(path, "lists and objects are nested too deeply") from None
    if isinstance(value, dict):
        value = _rows_within(path, value, split, options.get("field"))
    if not isinstance(value, list):
        raise TextError(path, f"a JSON {type(value).__name__}; rows are a list of JSON objects")
    for number, row in enumerate(value, start=1):
        if is_too_deep(row):
            raise TextError(path, f"row {number}: lists and objects are nested too deeply")
        if not isinstance(row, dict):
            raise TextError(path, f"row {number} is a JSON {type(row).__name__}; rows are a list of JSON objects")
        yield number, row


def holds_splits(path: Path, split: str) -> bool:
    """Whether a JSON file maps splits to lists, this one among them."""
    try:
        value = _DECODER.decode(whole_text(path).strip())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get(split), list)


def _rows_within(path: Path, value: dict[str, Any], split: str | None, field: str | None) -> Any:
    if field is not None:
        if not isinstance(field, str) or field not in value:
            raise TextError(path, f"has no field '{field}' (there are: {_few(value)})")
        return value[field]
    lists = {name: inner for name, inner in value.items() if isinstance(inner, list)}
    of_rows = [name for name, inner in lists.items() if inner and all(isinstance(row, dict) for row in inner)]
    if split in lists:
        return lists[split or ""]
    if len(of_rows) == 1 and len(lists) == 1:
        return lists[of_rows[0]]
    if lists and not of_rows and len(lists) == len(value) and len({len(inner) for inner in lists.values()}) == 1:
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    wanted = "list of rows" if split is None else f"split '{split}'"
    raise TextError(path, f"has no {wanted} (there are: {_few(value)})")


def _few(names: Mapping[str, Any], most: int = 30) -> str:
    return ", ".join(list(names)[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Refused(f"the key '{twice}' stands twice in one object; keep one of them")
    return made


def _constant(word: str) -> Any:
    raise _Refused(f"{word} is not JSON; write null, or a number, or put it in quotes as a text")


def _float(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        raise _Refused(f"the number {written[:40]} is too large; write it as a text in quotes")
    return number


def _told(error: ValueError) -> str:
    if isinstance(error, _Refused):
        return str(error)
    return "a whole number here has thousands of digits, too many to be read; write it as a text in quotes"


def _line_of_broken_row(content: str) -> int | None:
    """Line where the first row that can't be read begins, of a list of rows."""
    if not content.lstrip().startswith("["):
        return None
    place = content.index("[") + 1
    while True:
        while place < len(content) and content[place] in " \t\r\n,":
            place += 1
        try:
            _, end = _DECODER.raw_decode(content, place)
        except (ValueError, RecursionError):
            return content.count("\n", 0, place) + 1
        place = end


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
