"""What a part of another tool's file has to look like, and the sentence where it doesn't."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UserError, shown


class Foreign(BaseModel):
    """Base of what is read of another tool's file: types as they stand there, numbers finite, and what we don't read
    passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True)


Part = TypeVar("Part", bound=Foreign)
Seconds = Annotated[float, Field(ge=0, lt=1e15)]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]


def read_as(kind: type[Part], value: Any, file: str, *, at: Sequence[str | int] = (), tool: str = "") -> Part:
    """A part of a file. at: where in the file it stands. tool: what wrote it, for the sentence. Raises UserError with
    the place of the first mistake."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = place_in(file, [*at, *first["loc"]])
        why = first["msg"].replace("Input should be", "this should be").replace("Field required", "this is missing")
        why = (
            "this should be a mapping, {…}"
            if first["type"] in ("dict_type", "model_type", "model_attributes_type")
            else why
        )
        given = "" if first["type"] == "missing" else f", not {_quoted(first.get('input'))}"
        raise UserError(f"{why}{given}{f' (the file is of {tool})' if tool else ''}", place=where) from None


def as_float(value: Any) -> float | None:
    """A number as a float, NaN and Infinity too; None for what is none, or is too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def place_in(file: str, path: Sequence[str | int]) -> str:
    """`FILE: benchmarks[3].stats.data[5]`."""
    told = ""
    for one in path:
        told += f"[{one}]" if isinstance(one, int) else f".{shown(one, 60)}" if told else shown(one, 60)
    return f"{file}: {told}" if told else file


def _quoted(value: Any) -> str:
    """A wrong value as a sentence quotes it."""
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return shown(repr(value), 60)
