"""YAML as values, with the `file:line` of each, so that an error can name file, line and key: the one reader of suites
and of task files. What a file may not be is said in `bounds.py`, how it is said in `errors.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.constructor import SafeConstructor

from harness.errors import UserError
from harness.input_file import bytes_of_file
from harness.yaml_files.bounds import MOST_BYTES, compose
from harness.yaml_files.errors import no_value, no_word, not_valid

KeyPath = tuple[str | int, ...]
TEXT = "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"
"""Of the key `<<`."""
_LIST, _MAPPING = "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"


class Repeated(NamedTuple):
    """A key that a mapping has twice: where, and whether the two values differ. The last one counts."""

    path: KeyPath
    place: str
    differs: bool


@dataclass
class Document:
    """Plain data, and for every path into it the `file:line` where it was written."""

    data: Any
    places: dict[KeyPath, str] = field(default_factory=dict)
    repeated: list[Repeated] = field(default_factory=list)

    def place(self, path: KeyPath) -> str:
        """`file:line` of the nearest enclosing thing that was written down."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return "suite"


def plain_key(node: yaml.Node, value: Any, path: KeyPath, place: str) -> Any:
    """A key as YAML reads it: 1 stays a number."""
    return value


@dataclass(frozen=True)
class Language:
    """What one kind of file may say in YAML beyond plain values."""

    key: Callable[[yaml.Node, Any, KeyPath, str], Any] = plain_key
    """A key from its node, what YAML reads it as, the path of the mapping it is in, and its place. UserError."""
    tags: Mapping[str, Callable[[yaml.Node, str], Any]] = field(default_factory=dict)
    """What stands behind tags of its own: the value from its node and its place."""


PLAIN = Language()


def read_document(path: Path, what: str, language: Language = PLAIN) -> Document:
    """Read one YAML file. what: such as `a suite`. Raises UserError for a missing, unreadable or malformed file."""
    content = bytes_of_file(path, MOST_BYTES, what)
    try:
        return parse_document(content, str(path), language)
    except UserError as error:
        raise _not_utf8(content, path) or error from None


def parse_document(content: str | bytes, name: str, language: Language = PLAIN) -> Document:
    """Parse YAML; `name` stands for the file in every place. The data of an empty text is None, with no place."""
    document = Document(None)
    root = compose(content, name)
    if root is not None:
        document.data = _Reader(name, language, document).value(root, ())
    return document


def _not_utf8(content: bytes, path: Path) -> UserError | None:
    """What is wrong with a file that isn't UTF-8, nor UTF-16 that says so, which YAML reads too."""
    try:
        content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return UserError("this line is not UTF-8; save the file as UTF-8", place=f"{path}:{line}")
    return None


class _Reader:
    """Makes the values of one file from its nodes, which are within bounds."""

    def __init__(self, name: str, language: Language, document: Document) -> None:
        self.name, self.language = name, language
        self.places, self.repeated = document.places, document.repeated
        self.constructor = SafeConstructor()
        self.merged: dict[int, int] = {}
        """How many pairs of a mapping, by its node's id, came from merge keys: they are put first."""

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """The value of a node; where it and all in it stand is noted. Raises UserError where YAML can't make it."""
        place = f"{self.name}:{node.start_mark.line + 1}"
        self.places.setdefault(path, place)
        tag = node.tag
        if isinstance(node, yaml.ScalarNode):
            return node.value if tag == TEXT else self.scalar(node, place)
        if tag == _LIST and isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        if tag == _MAPPING and isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        return self.scalar(node, place)

    def scalar(self, node: yaml.Node, place: str) -> Any:
        """The value of a node with a tag that isn't a text's, a list's or a mapping's."""
        if node.tag in self.language.tags:
            return self.language.tags[node.tag](node, place)
        try:
            return self.constructor.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
            raise no_value(node, error, place) from None

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[Any, Any]:
        """The value of a mapping; a key of its own wins over a merged one."""
        made: dict[Any, Any] = {}
        own: dict[Any, yaml.Node] = {}
        for number, (key_node, value_node) in enumerate(self.pairs(node, path)):
            here = f"{self.name}:{key_node.start_mark.line + 1}"
            key = self.key(key_node, path, here)
            if number >= self.merged.get(id(node), 0):
                if key in own:
                    differs = not _equal(own[key], value_node)
                    self.repeated.append(Repeated((*path, key), here, differs))
                own[key] = value_node
            self.places[*path, key] = here
            made[key] = self.value(value_node, (*path, key))
        return made

    def pairs(self, node: yaml.MappingNode, path: KeyPath) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs of a mapping, those that its merge keys stand for first."""
        merges = [one for one, _ in node.value if one.tag == MERGE]
        if merges:
            for one in merges:
                self.key(one, path, f"{self.name}:{one.start_mark.line + 1}")
            own = len(node.value) - len(merges)
            try:
                self.constructor.flatten_mapping(node)
            except yaml.YAMLError as error:
                raise not_valid(error, self.name) from None
            self.merged[id(node)] = len(node.value) - own
        return list(node.value)

    def key(self, node: yaml.Node, path: KeyPath, place: str) -> Any:
        """What a key is in this language."""
        if not isinstance(node, yaml.ScalarNode):
            raise no_word(node, place)
        value = node.value if node.tag in (TEXT, MERGE) else self.scalar(node, place)
        return self.language.key(node, value, path, place)


def _equal(a: yaml.Node, b: yaml.Node) -> bool:
    if a.tag != b.tag or type(a) is not type(b):
        return False
    if isinstance(a, yaml.ScalarNode):
        return bool(a.value == b.value)
    if isinstance(a, yaml.MappingNode):
        pairs = zip(a.value, b.value, strict=False)
        return len(a.value) == len(b.value) and all(_equal(k, m) and _equal(v, w) for (k, v), (m, w) in pairs)
    return len(a.value) == len(b.value) and all(map(_equal, a.value, b.value))
