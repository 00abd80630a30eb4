"""A setting that is a mapping, kept as one line of JSON: the settings of a cell are scalars, and so is its key made."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema


def mapping_of(text: str | None) -> dict[str, Any]:
    """The mapping that a setting holds; an empty one where it is left out."""
    return {} if text is None else dict(json.loads(text))


def _as_line(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("is a mapping of names to values, such as {max_tokens: 64}") from None
    if not isinstance(value, dict):
        raise ValueError("is a mapping of names to values, such as {max_tokens: 64}")
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"holds a value that is not plain data ({error})") from None


MappingText = Annotated[str, BeforeValidator(_as_line), WithJsonSchema({"type": "object"})]
"""Written as a mapping in a suite."""
