"""Wei et al. 2022 (arXiv 2201.11903v6): Tables 2 to 5 of the paper, in the Markdown that a converter made of it."""

from __future__ import annotations

import re
from pathlib import Path

from harness.assets.published.csv_table import write

_TABLES = {
    2: ("GSM8K", "SVAMP", "ASDiv", "AQuA", "MAWPS"),
    3: ("MultiArith",),
    4: ("CSQA", "StrategyQA", "Date", "Sports"),
}
"""Tasks that are taken out of the tables whose cells hold a family's models, one below the other."""
_UNITS = {"M": 1e6, "B": 1e9}
_BREAKS = re.compile(r"<br>|\*+|\s+")

Row = tuple[str, str, str, float | None, float, float]
"""Task, family, size as written, parameters, standard, chain of thought (both in %)."""


def convert(raw: Path, folder: Path) -> None:
    """The text, the one file in `raw` -> `cot_vs_standard_by_size.csv`."""
    text = next(raw.glob("*.md")).read_text(encoding="utf-8")
    rows = [row for number, tasks in _TABLES.items() for row in _families(_table(text, number), tasks)]
    rows += _symbolic(_table(text, 5))
    write(
        folder / "cot_vs_standard_by_size.csv",
        ["task", "family", "size_label", "params", "standard", "cot"],
        rows,
    )


def _table(text: str, number: int) -> list[list[str]]:
    """Cells of the table under its caption, rule and empty lines left out."""
    under = text[text.index(f"\nTable {number}: ") :].split("\n\n")[1]
    return [line[1:-1].split("|") for line in under.splitlines()]


def _words(cell: str) -> list[str]:
    return [word for word in _BREAKS.split(cell) if word]


def _families(table: list[list[str]], tasks: tuple[str, ...]) -> list[Row]:
    """Rows of a table with one line per family: sizes in the first cell, pairs of numbers in the others."""
    header = [_words(cell)[0] for cell in table[0]]
    rows: list[Row] = []
    for task in tasks:
        for cells in table[2:]:
            family, *sizes = _words(cells[0])
            numbers = [float(word) for word in _words(cells[header.index(task)])]
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            rows += [(task, family, size, _parameters(size), *pair) for size, pair in zip(sizes, pairs, strict=True)]
    return rows


def _symbolic(table: list[list[str]]) -> list[Row]:
    """Table 5 has one line per model; of both tasks the in-domain columns, two letters and two flips, are taken."""
    models, family = [], ""
    for cells in table[4:]:
        family = cells[0] or family
        numbers = [float(word) for cell in cells[2:] for word in _words(cell)]
        models.append((family, cells[1], numbers))
    return [
        (task, family, size, _parameters(size), numbers[at], numbers[at + 1])
        for task, at in (("LastLetter2", 0), ("CoinFlip2", 6))
        for family, size, numbers in models
    ]


def _parameters(size: str) -> float | None:
    """`420M` -> 420e6. A dash stands for a size that isn't published."""
    return None if size == "-" else float(size[:-1]) * _UNITS[size[-1]]
