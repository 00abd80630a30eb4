"""What is wrong with a YAML file, as one sentence with file and line: its syntax, or a value that YAML can't read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from harness.errors import UserError, told

_READ_AS = {"timestamp": "a date", "int": "a whole number", "float": "a number", "bool": "true or false"}
"""By the tag that YAML gives a plain value."""
_OF_YAML = ("merge", "value")
"""`<<` and `=`: plain words with a meaning of their own."""
_YAML = "tag:yaml.org,2002:"
_SHOWN = 40


def too_deep(place: str) -> UserError:
    """Lists and mappings are within each other, more of them than anyone writes."""
    return UserError("lists or mappings are nested too deeply; write it flatter", place=place)


def not_valid(error: yaml.YAMLError | UnicodeError | RecursionError, name: str) -> UserError:
    """The syntax of the file `name` is wrong."""
    if isinstance(error, RecursionError):
        return too_deep(name)
    if not isinstance(error, yaml.MarkedYAMLError):
        return UserError(f"not valid YAML: {' '.join(str(error).split())}", place=name)
    mark = error.problem_mark or error.context_mark
    place = f"{name}:{mark.line + 1}" if mark else name
    problem = " ".join(part for part in (error.problem, error.context) if part)
    if error.problem == "found unhashable key":
        return UserError("a key must be a word, and this one is a list or a mapping", place=place)
    return UserError(f"not valid YAML: {problem}", place=place)


def not_readable(root: yaml.Node, error: Exception, name: str) -> UserError:
    """A value of the file `name` can't be made from its text: the first one that fails, found by trying each."""
    for node in _scalars(root, set()):
        if node.tag.startswith(_YAML) and node.tag.removeprefix(_YAML) not in _OF_YAML:
            try:
                scalar(node, name)
            except UserError as found:
                return found
    return UserError(f"a value can't be read ({told(error)})", place=name)


def _scalars(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    """Every plain value and key in the order of the file; what anchors repeat once."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.CollectionNode) and id(node) not in seen:
        seen.add(id(node))
        for one in node.value if isinstance(node, yaml.SequenceNode) else [one for pair in node.value for one in pair]:
            yield from _scalars(one, seen)


def scalar(node: yaml.Node, name: str) -> Any:
    """The value of a node of the file `name`. Raises UserError where YAML can't make it, such as 2026-13-45."""
    constructor = yaml.SafeLoader("")
    try:
        return constructor.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        raise _no_value(node, error, name) from None
    finally:
        constructor.dispose()


def _no_value(node: yaml.Node, error: Exception, name: str) -> UserError:
    place = f"{name}:{node.start_mark.line + 1}"
    kind = node.tag.removeprefix(_YAML)
    text = node.value if isinstance(node, yaml.ScalarNode) else ""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if kind in _OF_YAML:
        return UserError(f"`{shown}` has a meaning of its own in YAML; put it in quotes", place=place)
    if isinstance(error, yaml.YAMLError):
        return UserError(f"values with the tag `{node.tag}` are not read here; remove the tag", place=place)
    why = str(error).split(";")[0].rstrip(".") if isinstance(error, ValueError) else "it is not one"
    return UserError(
        f"YAML reads `{shown}` as {_READ_AS.get(kind, kind)}, which fails ({why}); put it in quotes if it is text",
        place=place,
    )
