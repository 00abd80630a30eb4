"""What is wrong with a YAML file, as one sentence with file and line: its syntax, or a value that YAML can't read."""

from __future__ import annotations

import re

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


def not_valid(error: Exception, name: str, content: str | bytes = "") -> UserError:
    """The syntax of the file `name` is wrong. content: what is in it, where an error without a line can be found."""
    if isinstance(error, RecursionError):
        return too_deep(name)
    if isinstance(error, yaml.reader.ReaderError):
        return _odd_character(error, name, content)
    if not isinstance(error, yaml.MarkedYAMLError):
        return UserError(f"not valid YAML: {' '.join(str(error).split())}", place=name)
    mark = error.problem_mark or error.context_mark
    problem = " ".join(part for part in (error.problem, error.context) if part)
    for pattern, words, at_beginning in _IN_WORDS:
        if re.search(pattern, problem):
            problem = words
            begun = error.context_mark if error.context_mark and mark and error.context_mark.line < mark.line else None
            problem += f" (it opens in line {begun.line + 1})" if begun and "bracket before" in words else ""
            mark = error.context_mark or mark if at_beginning else mark
            break
    if mark is not None and _CONFLICT.match(_line(mark)):
        problem = "a merge conflict of git is left in this line: settle it, and remove its marks"
    elif mark is not None and "\t" in _indentation(mark):
        problem = _TAB
    return UserError(f"not valid YAML: {problem}", place=f"{name}:{mark.line + 1}" if mark else name)


_TAB = "a tab is used to indent here, and YAML takes only spaces there: write spaces"
_CONFLICT = re.compile(r"<{7}|={7}$|>{7}")
_IN_WORDS: tuple[tuple[str, str, bool], ...] = (
    (r"character '\\t' that cannot start", _TAB, False),
    (
        r"unknown escape character",
        "in double quotes `\\` begins an escape: write a path with /, or in 'single quotes'",
        False,
    ),
    (
        r"escape sequence of \d+ hex",
        "in double quotes `\\` begins an escape: write a path with /, or in 'single quotes'",
        False,
    ),
    (r"unexpected end of stream.*quoted", "a quote begins here and is not closed", True),
    (r"could not find expected ':'", "this line is no `key: value`: a colon with a space behind it is missing", True),
    (
        r"mapping values are not allowed",
        "a `: ` is not expected here: indent the line as its neighbors, or put text that has a colon in quotes",
        False,
    ),
    (r"expected ',' or '[}\]]', but got '<stream end>'", "a bracket opens here and is not closed", True),
    (r"expected ',' or '[}\]]', but got '?<document", "a bracket opens here and is not closed", True),
    (r"expected ',' or '[}\]]'", "a comma is missing before this, or a bracket before it is not closed", False),
    (
        r"expected <block end>, but found '(-|<block sequence start>|<block entry>)'",
        "this `-` is indented otherwise than the lines that it belongs to",
        False,
    ),
    (
        r"expected <block end>, but found '?<?scalar",
        "text goes on behind a closing quote: a quote within a text in single quotes is written twice, 'it''s'",
        False,
    ),
    (
        r"expected <block end>, but found '?[\]}]",
        "a bracket closes here that was not opened",
        False,
    ),
    (
        r"expected <block end>, but found '\?' while parsing a block collection",
        "a list (`- `) ends here and keys go on at its level: indent one of them",
        False,
    ),
    (r"expected <block end>", "this line is indented otherwise than the lines that it belongs to", False),
    (r"sequence entries are not allowed", "a `- ` is not expected here: begin a line with it", False),
    (
        r"found undefined alias|undefined alias",
        "`*` begins the name of an anchor, and none is defined: put it in quotes if it is text",
        False,
    ),
    (
        r"while scanning an (alias|anchor)",
        "`*` and `&` begin names of anchors: put this in quotes if it is text",
        False,
    ),
    (r"character '.*' that cannot start any token", "a value can't begin with this character: put it in quotes", False),
    (
        r"could not determine a constructor|undefined tag|while (scanning|parsing) a (tag|node)",
        "`!` begins a tag: put it in quotes if it is text",
        False,
    ),
    (
        r"expected a single document|but found another document",
        "a second document begins here (`---`), and a file holds one",
        False,
    ),
    (r"expected the node content", "a value is missing before this, or a bracket closes that was not opened", False),
    (
        r"did not find expected|expected (chomping|alphabetic|the document start)|found incompatible",
        "it does not fit what stands before it: look at brackets, commas and spaces",
        False,
    ),
)
"""What PyYAML says, what is said in its place, and whether the line is the one where that part begins."""


def _odd_character(error: yaml.reader.ReaderError, name: str, content: str | bytes) -> UserError:
    """A character that no text has, or bytes that are none."""
    if not isinstance(error.character, int):
        return UserError("this is not UTF-8; save the file as UTF-8", place=name)
    odd = chr(error.character)
    before = (
        content.partition(odd.encode("utf-8", "surrogatepass"))[0]
        if isinstance(content, bytes)
        else content.partition(odd)[0]
    )
    line = before.count(b"\n" if isinstance(before, bytes) else "\n") + 1  # type: ignore[arg-type]
    return UserError(
        f"not valid YAML: a control character (U+{error.character:04X}) is in this line: remove it",
        place=f"{name}:{line}" if content else name,
    )


def _line(mark: yaml.Mark) -> str:
    """The line of the file that a mark is in; empty where it isn't kept."""
    if mark.buffer is None:
        return ""
    return str(mark.buffer)[mark.pointer - mark.column :].split("\n", 1)[0]


def _indentation(mark: yaml.Mark) -> str:
    line = _line(mark)
    return line[: len(line) - len(line.lstrip())]


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
