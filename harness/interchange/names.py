"""Names and values of strangers, as the settings and axes of a cell: texts that can be printed and stored, none of them
in the place of a column that records have themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from harness import strict_json
from harness.comparison.compare import COLUMNS
from harness.errors import printable, shown
from harness.results.record import AXES, Scalar

LONGEST_NAME, LONGEST_VALUE = 100, 1_000
TAKEN = {"model", "measure", *AXES, *COLUMNS}
"""Names of other coordinates of a cell, and of what stands beside those in a comparison."""


def text_of(value: object, most: int = LONGEST_VALUE) -> str:
    """A text of a stranger, cut where it is long; characters that are no Unicode written out."""
    return shown(printable(str(value)).replace("\0", "\\x00"), most)


def settings_of(given: Mapping[str, Any]) -> dict[str, Scalar]:
    """Settings by names that nothing else has: `model` becomes `model_`."""
    found: dict[str, Scalar] = {}
    for name, value in given.items():
        told = text_of(name, LONGEST_NAME).strip() or "_"
        while told in TAKEN or told in found:
            told += "_"
        found[told] = scalar_of(value)
    return found


def scalar_of(value: Any) -> Scalar:
    """A value as a setting: what is no scalar as JSON, what Parquet has no number for as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return text_of(value)
    return text_of(strict_json.dumps(value, sort_keys=True, default=str))


def storable(value: Any) -> Any:
    """The same, every text in it as UTF-8 has it."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(name)): storable(one) for name, one in value.items()}
    return [storable(one) for one in value] if isinstance(value, list | tuple) else value


def uniform(settings: Iterable[dict[str, Scalar]]) -> list[dict[str, Scalar]]:
    """The same, a setting that is a number here and a text there as text everywhere: it is one column."""
    every = list(settings)
    kinds: dict[str, set[str]] = {}
    for one in every:
        for name, value in one.items():
            if value is not None:
                kinds.setdefault(name, set()).add("number" if type(value) in (int, float) else type(value).__name__)
    mixed = {name for name, those in kinds.items() if len(those) > 1}
    return [
        {name: str(value) if name in mixed and value is not None else value for name, value in one.items()}
        for one in every
    ]


def utc(told: str | None) -> str | None:
    """A time as ISO in UTC; one without a zone is taken for UTC. None where it is no time."""
    if not told:
        return None
    try:
        found = datetime.fromisoformat(told.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        return found.isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return None


def utc_of_milliseconds(since_1970: float | None) -> str | None:
    """The same of milliseconds since 1970."""
    if since_1970 is None:
        return None
    try:
        return datetime.fromtimestamp(since_1970 / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None
