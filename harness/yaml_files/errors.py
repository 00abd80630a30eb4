"""What is wrong with a YAML file, as one sentence with file and line: its syntax, or a value that YAML can't read."""

from __future__ import annotations

import yaml

from harness.errors import UserError

_READ_AS = {"timestamp": "a date", "int": "a whole number", "float": "a number", "bool": "true or false"}
"""By the tag that YAML gives a plain value."""
_OF_YAML = ("merge", "value")
"""`<<` and `=`: plain words with a meaning of their own."""
_YAML = "tag:yaml.org,2002:"
_SHOWN = 40


def too_deep(place: str) -> UserError:
    """Lists and mappings are within each other, more of them than anyone writes."""
    return UserError("lists or mappings are nested too deeply; write it flatter", place=place)


def not_valid(error: Exception, name: str) -> UserError:
    """The syntax of the file `name` is wrong."""
    if isinstance(error, RecursionError):
        return too_deep(name)
    if not isinstance(error, yaml.MarkedYAMLError):
        return UserError(f"not valid YAML: {' '.join(str(error).split())}", place=name)
    mark = error.problem_mark or error.context_mark
    problem = " ".join(part for part in (error.problem, error.context) if part)
    return UserError(f"not valid YAML: {problem}", place=f"{name}:{mark.line + 1}" if mark else name)


def no_word(node: yaml.Node, place: str) -> UserError:
    """A key is a list or a mapping."""
    kind = "list" if isinstance(node, yaml.SequenceNode) else "mapping"
    return UserError(f"a key must be a word, and this one is a {kind}", place=place)


def no_value(node: yaml.Node, error: Exception, place: str) -> UserError:
    """YAML can't make a value of a node, such as 2026-13-45."""
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
