"""Values of options: several with commas, and `key=value` as a suite would have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from harness.errors import UserError, shown


def comma_separated(text: str, option: str) -> list[str]:
    """`fp32,int8` as a list. Raises UserError where nothing stands between two commas."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UserError(f"'{shown(text)}' has nothing between two commas, or at an end; write a,b", place=option)
    return parts


def whole_numbers(text: str, option: str) -> list[int]:
    """`1,8` as numbers. Raises UserError for what is no whole number of 1 or more."""
    parts = comma_separated(text, option)
    if wrong := next((part for part in parts if not (part.isascii() and part.isdigit() and int(part) > 0)), None):
        raise UserError(f"'{shown(wrong)}' is no whole number of 1 or more; write 1,8", place=option)
    return [int(part) for part in parts]


def key_values(given: Iterable[str], option: str) -> dict[str, Any]:
    """`key=value` options, the values as in YAML (`true`, `3`, `{a: 1}`). Raises UserError."""
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"'{shown(text)}' is no pair; write key=value", place=option)
        if key.strip() in found:
            raise UserError(f"`{shown(key.strip())}` is given twice", place=option)
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"the value of `{shown(key.strip())}` is written as in a suite", place=option) from None
    return found
