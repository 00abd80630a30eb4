"""Rows of a plain text file, as the `text` builder of `datasets` makes them: one for each line, paragraph or file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_impl.files.error import TextError
from reference_impl.files.lines import text_lines

OPTIONS = frozenset({"sample_by", "keep_linebreaks", "encoding", "encoding_errors"})
"""What a reader may be told: `sample_by` is line, paragraph (what blank lines divide) or document."""
CHANGE_NOTHING = frozenset({"chunksize"})
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def text_rows(path: Path, options: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line where it begins, {"text": ...}) of every row. Line ends become line feeds. Raises TextError."""
    by = options.get("sample_by") or "line"
    lines = _lines(path, options)
    if by == "line":
        for number, line in lines:
            yield number, {"text": line if options.get("keep_linebreaks") else line.removesuffix("\n")}
    elif by == "document":
        if whole := "".join(line for _, line in lines):
            yield 1, {"text": whole}
    elif by == "paragraph":
        yield from _paragraphs(lines)
    else:
        raise TextError(path, f"`sample_by: {by}` is not understood: line, paragraph or document")


def _paragraphs(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, dict[str, str]]]:
    """What two line feeds divide; of more than two the rest begins the next paragraph."""
    first, kept = 1, ""
    for number, line in lines:
        kept += line
        if kept.endswith("\n\n"):
            if paragraph := kept.removesuffix("\n\n"):
                yield first, {"text": paragraph}
            first, kept = number + 1, ""
    if kept:
        yield first, {"text": kept}


def _lines(path: Path, options: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    number = 0
    for _, line in text_lines(path, options.get("encoding"), options.get("encoding_errors")):
        text = line.replace("\r\n", "\n").replace("\r", "\n") if "\r" in line else line
        for one in _LINE.findall(text):
            number += 1
            yield number, one
