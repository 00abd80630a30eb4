"""The JSON Schema of what a command prints with `--format json`."""

from __future__ import annotations

from typing import Any

from harness.report.output.rows import Field, Shape
from harness.report.output.shapes import SHAPES

_TYPES = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}


def output_schema(command: str) -> dict[str, Any]:
    """The schema (draft 2020-12) of a command's JSON; of several kinds of rows any."""
    lists = [_list_of(shape) for shape in SHAPES[command]]
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"harness {command} --format json"}
    return found | (lists[0] if len(lists) == 1 else {"anyOf": lists})


def _list_of(shape: Shape) -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": "object",
        "description": shape.about,
        "properties": {field.name: _property(field) for field in shape.fields},
        "required": [field.name for field in shape.fields if not field.wide],
        "additionalProperties": {
            "type": ["string", "integer", "number", "boolean", "null"],
            "description": shape.others,
        }
        if shape.others
        else False,
    }
    if not shape.others:  # added where a number is null
        row["properties"].setdefault("reason", {"type": ["string", "null"]})
    return {"type": "array", "items": row}


def _property(field: Field) -> dict[str, Any]:
    return {"type": [_TYPES[field.kind], "null"], "description": field.meaning}
