"""`key=value` as one types it on a command line."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from harness import strict_json
from harness.errors import UserError, shown


def pairs(texts: Iterable[str], option: str) -> dict[str, Any]:
    """`temperature=0.7,until=["\\n"]`, several of these, or a JSON object: values are read as lm-eval reads them (true
    and false, numbers, Python's lists, texts and None, else text). Commas within brackets and quotes part nothing. Of a
    key that stands twice the last value counts. Raises UserError, with the option, for what is no pair."""
    found: dict[str, Any] = {}
    for text in texts:
        if text.lstrip().startswith("{"):
            found |= _object(text, option)
            continue
        for part in _parted(text):
            key, equals, value = part.partition("=")
            if not equals or not key.strip():
                raise UserError(f"'{shown(part)}' is no `key=value`", place=option)
            found[key.strip()] = _value(value.strip())
    return found


def nested(texts: Iterable[str], option: str) -> dict[str, Any]:
    """`train.steps=20`, several of these: dots go deeper, values are YAML. Raises UserError for what is no pair, and
    where one key is a value and a mapping."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names):
            raise UserError(f"'{shown(text)}' is no `key=value`", place=option)
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"the value of `{shown(key)}` is no YAML: put it in quotes", place=option) from None
        inside = found
        for name in names[:-1]:
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                raise UserError(f"`{shown(key)}`: `{name}` has a value already; keep one of them", place=option)
        inside[names[-1]] = read
    return found


def put_into(entry: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with others' values put over its own, mappings within it key by key."""
    merged = dict(entry)
    for key, value in settings.items():
        own = merged.get(key)
        merged[key] = put_into(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return merged


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        read = strict_json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"'{shown(text)}' is no JSON object: names and texts in double quotes", place=option) from None
    return dict(read)


def _parted(text: str) -> list[str]:
    parts, part, depth, quote = [], "", 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "[({":
            depth += 1
        elif sign in "])}":
            depth = max(depth - 1, 0)
        elif sign == "," and depth == 0:
            parts.append(part)
            part = ""
            continue
        part += sign
    return [one for one in (*parts, part) if one.strip()]


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return list(value) if isinstance(value, tuple) else value
