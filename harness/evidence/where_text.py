"""Cells by what a person types: `shots=5`, `precision=int8`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.errors import WrongArgument
from harness.evidence.selection import Where, coordinates, selects, why_nothing
from harness.results.record import CellResult, Scalar


def where_of(typed: Sequence[str], cells: Sequence[CellResult], option: str) -> Where:
    """What `name=value` means among these cells: see `where_among`."""
    return where_among(typed, [coordinates(cell) for cell in cells], option)


def where_among(typed: Sequence[str], among: Sequence[Mapping[str, Scalar]], option: str) -> Where:
    """What `name=value` means among cells with these coordinates; a name that comes twice has either value.

    A value is what it looks like in a table or a suite: `5`, `int8`, `yes` or `true`, `none`. option: its name, for
    errors. Raises UserError for what is no `name=value`.
    """
    where: dict[str, list[Scalar]] = {}
    for text in typed:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise WrongArgument(f"'{text}' is no name=value, such as precision=int8", place=option)
        there = [at[name] for at in among if name in at]
        meant = next((one for one in there if value.lower() in _spellings(one)), value)
        where.setdefault(name, []).append(meant)
    return dict(where)


def chosen(cells: Sequence[CellResult], typed: Sequence[str], option: str) -> list[CellResult]:
    """The cells that have all that was typed. Raises UserError where none has."""
    where = where_of(typed, cells, option)
    found = [cell for cell in cells if selects(where, cell)]
    if not found:
        raise WrongArgument(why_nothing(where, cells), place=option)
    return found


def _spellings(value: Scalar) -> set[str]:
    if isinstance(value, bool):
        return {"yes", "true"} if value else {"no", "false"}
    if isinstance(value, float) and value.is_integer():
        return {str(value), str(int(value))}
    return {"none", "null", "–"} if value is None else {str(value).lower()}
