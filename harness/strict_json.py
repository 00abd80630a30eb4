"""JSON that every reader takes: no NaN and no Infinity in it, and the same floats come back.

Python's `json` writes `NaN` and `Infinity`, which are no JSON: browsers and most other readers refuse the file. Where a
field is known to be a float, they are written as the strings "NaN", "Infinity" and "-Infinity" (`STRICT`, for pydantic
models). Where it is not known, a string could be meant, so they are written as `{"$float": "Infinity"}`. Files of
earlier versions, with the bare words, are still read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

STRICT: Literal["strings"] = "strings"
"""`ser_json_inf_nan` of models whose fields are declared as floats: they read the strings back as floats."""
TAG = "$float"
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def dumps(value: Any, **options: Any) -> str:
    """`value` as strict JSON; `options` are those of `json.dumps`. `loads` gives the same floats back."""
    try:
        return json.dumps(value, **options, allow_nan=False)
    except ValueError:
        return json.dumps(tagged(value), **options, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """What `dumps` wrote; also what `json.dumps` wrote, with its bare `NaN` and `Infinity`. Raises ValueError."""
    value = json.loads(text)
    found = TAG.encode() in text if isinstance(text, bytes) else TAG in text
    return untagged(value) if found else value


def tagged(value: Any) -> Any:
    """The same with every float that is no number written out; tuples become lists."""
    if isinstance(value, float) and not math.isfinite(value):
        return {TAG: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Mapping):
        return {_key(key): tagged(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [tagged(inner) for inner in value]
    return value


def untagged(value: Any) -> Any:
    """The inverse of `tagged`."""
    if isinstance(value, dict):
        if value.keys() == {TAG} and value[TAG] in _WORDS:
            return _WORDS[value[TAG]]
        return {key: untagged(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [untagged(inner) for inner in value]
    return value


def drawn(value: Any) -> Any:
    """The same with null for every float that is no number: what a chart leaves out."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: drawn(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [drawn(inner) for inner in value]
    return value


def _key(key: Any) -> Any:
    return str(key) if isinstance(key, float) and not math.isfinite(key) else key
