"""Where in a suite a text or a task is named: what is wrong with it is told there."""

from __future__ import annotations

from harness.suite.schema import Suite
from harness.yaml_files.document import KeyPath


def where_named(suite: Suite, measure: str, name: str) -> KeyPath:
    """The path of the first setting of a measure that has this value, alone or in a list; the entry's, where what it
    names is made of a setting."""
    first: KeyPath = ("measures",)
    for number, entry in enumerate(suite.measures):
        if entry.measure != measure:  # type: ignore[attr-defined]
            continue
        settings = entry.settings  # type: ignore[attr-defined]
        for key in type(settings).model_fields:
            value = getattr(settings, key)
            if value == name:
                return ("measures", number, measure, key)
            if isinstance(value, list) and name in value:
                return ("measures", number, measure, key, value.index(name))
        first = ("measures", number, measure) if first == ("measures",) else first
    return first


def where_setting(suite: Suite, measure: str, key: str, value: object) -> KeyPath:
    """The path of the first setting of a measure under this key that has this value, alone or in a list; the entry's,
    where it is a default."""
    first: KeyPath = ("measures",)
    for number, entry in enumerate(suite.measures):
        if entry.measure != measure:  # type: ignore[attr-defined]
            continue
        given = getattr(entry.settings, key, None)  # type: ignore[attr-defined]
        if given == value and key in entry.settings.model_fields_set:  # type: ignore[attr-defined]
            return ("measures", number, measure, key)
        if isinstance(given, list) and value in given:
            return ("measures", number, measure, key, given.index(value))
        first = ("measures", number, measure) if first == ("measures",) else first
    return first


def where_axis(suite: Suite, axis: str, value: object) -> KeyPath:
    """The path of the first matrix that has a value on an axis."""
    for number, entry in enumerate(suite.measures):
        if value in (entry.matrix.axes().get(axis) or ()):  # type: ignore[attr-defined]
            return ("measures", number, "matrix", axis)
    for name, model in suite.models.items():
        if value in (model.matrix.axes().get(axis) or ()):
            return ("models", name, "matrix", axis)
    return ("matrix", axis)
