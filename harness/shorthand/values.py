"""Values of options that take several, with commas."""

from __future__ import annotations

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
