"""How large YAML may be: looked at before anything walks it.

An alias stands for all that its anchor holds, so a file of a kilobyte can stand for a billion values ("billion
laughs"), and merge keys (`<<`) multiply in the same way. PyYAML keeps what is shared shared; whoever copies, validates
or prints it afterwards does not. So the nodes are counted as if every alias were written out, before values are made
of them.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from harness.errors import UserError
from harness.yaml_files.errors import not_valid, too_deep

FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML was built with it."""
MOST_BYTES = 4 << 20
"""Of a suite or a task file: some hundred times the largest that people write."""
MOST_VALUES = 200_000
"""Values and keys, those that aliases repeat counted each time."""
DEEPEST = 50
"""Lists and mappings within each other."""
MOST_DIGITS = 1_000
"""Of a number."""
_HALF = re.compile("[\ud800-\udfff]")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_REFUSALS = (yaml.YAMLError, ValueError, OverflowError, LookupError, RecursionError)
"""What PyYAML raises; the middle three for a character number such as \\UFFFFFFFF, and for half a character."""
_WRITTEN_BY_HAND = 100_000
_SUSPICIOUS = 500
"""Brackets, and lists that begin in the line of another: so few crash nothing."""
_ALIAS = re.compile(rb"\*(?<![\w\"'*\\]\*)[\w-]")
_HALF_ESCAPED = re.compile(rb"\\[uU](?:0000)?[dD][89a-fA-F]")
_STRIDE = MOST_DIGITS // 2
_OF_NUMBERS = re.compile(rb"[0-9A-Fa-fxo_.:+-]{%d}" % _STRIDE)
_HALF_IN_BYTES = re.compile(rb"\xed[\xa0-\xbf]")
_INDENTED = 12
"""Columns: with fewer, and few brackets, nothing is deep."""
_FAR_INDENTED = re.compile(rb"[\n\r\x85\xa8\xa9] {%d}" % _INDENTED)
_COMPACT = tuple(re.compile(rb"%s[ \t]+(?=[-?])" % mark) for mark in (b"-", b":", rb"\?"))
"""Searched for one by one: a pattern that begins with one character is found ten times as fast."""


def compose(content: str | bytes, name: str, loader: Any = FAST) -> yaml.Node | None:
    """The nodes of YAML; None of an empty text. name: of the file, for places. loader: what reads it; where the fast
    one refuses a file of the size that people write, Python's own is asked, which says better what is wrong.

    Raises UserError for what is no YAML, and for what is too large, too deep, or in itself.
    """
    text = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    within = nested_in_lines(text)
    if within >= _SUSPICIOUS:
        _refuse_nested(text, name)
    try:
        root = _nodes(content, loader)
    except _REFUSALS as error:
        if loader is yaml.SafeLoader or len(content) > _WRITTEN_BY_HAND:
            raise not_valid(error, name, content) from None
        return compose(content, name, yaml.SafeLoader)
    if root is not None and (may_have_halves(text, loader) or not is_within_bounds(text, within)):
        check_nodes(root, name)
    return root


def _nodes(content: str | bytes, loader: Any) -> yaml.Node | None:
    reader = loader(content)
    try:
        root: yaml.Node | None = reader.get_single_node()
    finally:
        reader.dispose()
    return root


def nested_in_lines(text: bytes) -> int:
    """How deep lists and mappings can be within each other without a line break, at most."""
    return text.count(b"[") + text.count(b"{") + sum(len(compact.findall(text)) for compact in _COMPACT)


def is_within_bounds(text: bytes, within: int) -> bool:
    """Whether `check_nodes` need not look, as for nearly every file: no alias, too short for too many values, no long
    number, and too little indented, with too little within single lines (`within`), to be deep. (A line is one level
    deeper than the one before for each column, and one more for a list that begins in its key's column.)"""
    if len(text) >= MOST_VALUES or b"\0" in text or 2 * (_INDENTED + 1) + within >= DEEPEST:
        return False
    if b"&" in text and _ALIAS.search(text):
        return False
    if b" " * _INDENTED in text and _FAR_INDENTED.search(text):
        return False
    # a longer number fills a whole stride
    return not any(_OF_NUMBERS.match(text, start) for start in range(0, len(text), _STRIDE))


def may_have_halves(text: bytes, loader: Any) -> bool:
    """Whether `check_nodes` must look for half characters. libyaml refuses them itself; Python's own loader doesn't."""
    if FAST is not yaml.SafeLoader and issubclass(loader, FAST):
        return False
    return bool(_HALF_ESCAPED.search(text) or _HALF_IN_BYTES.search(text))


def check_nodes(root: yaml.Node, name: str) -> None:
    """Raises UserError, with the line, where what the nodes stand for is too large, too deep, or in itself."""
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    open_: set[int] = set()
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)]
    while waiting:
        node, is_done = waiting.pop()
        if id(node) in sizes:
            continue
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, name)
            sizes[id(node)], depths[id(node)] = 1, 0
            continue
        members = _members(node)
        if not is_done:
            if id(node) in open_:
                raise UserError("an anchor refers to itself; write out what is meant", place=_place(node, name))
            open_.add(id(node))
            waiting.append((node, True))
            waiting += [(one, False) for one in reversed(members) if id(one) not in sizes]
            continue
        open_.discard(id(node))
        sizes[id(node)] = size = 1 + sum(sizes[id(one)] for one in members)
        depths[id(node)] = depth = 1 + max((depths[id(one)] for one in members), default=0)
        if depth > DEEPEST:
            raise too_deep(_place(node, name))
        if size > MOST_VALUES:
            raise UserError(
                f"this stands for {_many(size)} values, its aliases written out, and {MOST_VALUES:,} is the most; use "
                "fewer aliases, or split the file",
                place=_place(node, name),
            )


def _members(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_scalar(node: yaml.ScalarNode, name: str) -> None:
    if not node.value.isascii() and (half := _HALF.search(node.value)):
        raise UserError(
            f"half a character (\\u{ord(half[0]):04x}) is in it, which no file and no model takes; write the whole one",
            place=_place(node, name),
        )
    if node.tag in _NUMBERS and len(node.value) > MOST_DIGITS:
        raise UserError(
            f"a number of {len(node.value):,} digits, and {MOST_DIGITS:,} is the most; put it in quotes if it is text",
            place=_place(node, name),
        )


def _many(size: int) -> str:
    return f"{size:,}" if size < 10**15 else f"about 10^{len(str(size)) - 1}" if size < 10**4000 else "endlessly many"


def _place(node: yaml.Node, name: str) -> str:
    return f"{name}:{node.start_mark.line + 1}"


def _refuse_nested(text: bytes, name: str) -> None:
    """Raises UserError for lists within lists within lists ...: PyYAML recurses at each, and libyaml's loader crashes
    the process from some ten thousand on. Its events come one by one."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=FAST):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    mark = event.start_mark
                    raise too_deep(f"{name}:{mark.line + 1}" if mark else name)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except _REFUSALS as error:
        raise not_valid(error, name) from None
