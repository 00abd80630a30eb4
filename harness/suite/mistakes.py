"""Every mistake in the words of a suite as one sentence, `file:line: key: what is wrong and how to fix it`.

A suite is validated again with what it probably means in place of each unknown key, so that one typo hides no other
mistake.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.analysis.registry import ANALYSES
from harness.comparison.expectation import Expectation
from harness.comparison.gate_entry import GateEntry, Guard
from harness.errors import UserError
from harness.spelling import nearest, nearest_word
from harness.suite.other_words import KEYS
from harness.suite.schema import Suite
from harness.suite.wording import what
from harness.yaml_files.document import Document, KeyPath

_ROUNDS = 30
"""Unknown keys of one mapping are found one by one: more of them are told of when these are mended."""
_ALIKE = 0.75
"""Of an unknown key and the one that takes its place: `pretrained` is no `train`."""
_UNKNOWN = ("unknown_key", "extra_forbidden")
_OF_WHAT_LACKS = ("missing", "nothing", "kind", "one_measure", "one_analysis", "budget", "subject", "no_bound")
"""Errors that an unknown key may be the reason of."""


class NotValid(UserError):
    """Mistakes in the words of a suite, with where they stand in the document, its keys mended."""

    def __init__(self, sentences: Iterable[str], document: Document, paths: Iterable[KeyPath]) -> None:
        super().__init__("\n".join(sentences))
        self.document, self.paths = document, tuple(paths)


def validated(document: Document) -> Suite:
    """The suite that a document holds. Raises NotValid with every mistake in it, in the order of the file."""
    if not isinstance(document.data, dict):
        raise UserError(
            "a suite holds keys with values (`key: value`), and begins with `name: ...`", place=document.place(())
        )
    try:
        return Suite.model_validate(document.data)
    except ValidationError as error:
        raise _all(document, error) from None


def located(document: Document, path: KeyPath, sentence: str) -> str:
    """`file:line: measures.0.task: sentence`; of a suite that was not read from a file, without the file."""
    key = ".".join(str(part) for part in path)
    place = f"{document.place(path)}: " if document.places else ""
    return f"{place}{key + ': ' if key else ''}{sentence}"


def in_order(sentences: Iterable[str]) -> list[str]:
    """Located sentences in the order of their files, each once."""
    return list(dict.fromkeys(sorted(sentences, key=_line)))


def sentences_of(document: Document, error: ValidationError, within: KeyPath = ()) -> list[str]:
    """What an error says of the part of a document that lies at `within`."""
    return [
        located(document, path, _what(path, detail))
        for detail in error.errors()
        for path in [(*within, *detail["loc"])]
    ]


def _line(sentence: str) -> tuple[str, int]:
    found = re.match(r"(.*?):(\d+): ", sentence)
    return (found[1], int(found[2])) if found else ("", 0)


def _all(document: Document, error: ValidationError) -> NotValid:
    """The sentences of an error, and those of what it hides."""
    told: dict[KeyPath, str] = {}
    changed = Document(copy.deepcopy(document.data), dict(document.places))
    removed: set[KeyPath] = set()
    """Mappings that lost a key."""
    for _ in range(_ROUNDS):
        found = _most_telling(changed, error)
        for path, (kind, sentence) in found.items():
            if not (kind in _OF_WHAT_LACKS and any(path[: len(lost)] == lost for lost in removed)):
                told.setdefault(path, sentence)
        unknown = [path for path, (kind, _) in found.items() if kind in _UNKNOWN]
        if not unknown:
            break
        for path in unknown:
            if not _mended(changed, path, _allowed_at(path, error)):
                removed.add(path[:-1])
        try:
            Suite.model_validate(changed.data)
            break
        except ValidationError as next_error:
            error = next_error
    return NotValid(in_order(located(document, path, sentence) for path, sentence in told.items()), changed, told)


def _mended(document: Document, path: KeyPath, allowed: list[str]) -> bool:
    """Put the nearest key that is allowed in place of an unknown one; without one, take it out and return False."""
    within = document.data
    for part in path[:-1]:
        within = within[part]
    value = within.pop(path[-1])
    near = nearest_word(str(path[-1]), [one for one in allowed if one not in within])
    if near is None or SequenceMatcher(None, str(path[-1]), near).ratio() < _ALIKE:
        return False
    within[near] = value
    for old, place in list(document.places.items()):
        if old[: len(path)] == path:
            document.places[*path[:-1], near, *old[len(path) :]] = place
    return True


def _allowed_at(path: KeyPath, error: ValidationError) -> list[str]:
    """The keys that the refusal of an unknown one lists."""
    for detail in error.errors():
        context = detail.get("ctx") or {}
        if context.get("key") == path[-1] and isinstance(context.get("allowed"), str):
            return str(context["allowed"]).split(", ")
    return _keys_below(path)


def _most_telling(document: Document, error: ValidationError) -> dict[KeyPath, tuple[str, str]]:
    """Type and sentence of one error per place. Of a union's branches (one value or a list) the one that went deepest
    knows best, and the kind that was not tried last."""
    told: dict[KeyPath, tuple[str, str]] = {}
    for detail in error.errors():
        if detail["type"] == "several":
            for several, sentence in (detail.get("ctx") or {})["told"]:
                told.setdefault(tuple(several), ("several", sentence))
            continue
        path = _written(document, detail)
        if path not in told or told[path][0] == "list_type" or detail["type"] in ("too_short", "value_twice"):
            told[path] = detail["type"], _what(path, detail)
    deepest = {path[:length] for path in told for length in range(len(path)) if path[0] == "measures" and length > 3}
    return {path: found for path, found in told.items() if path not in deepest}


def _written(document: Document, detail: ErrorDetails) -> KeyPath:
    """The error's path as the user wrote it: pydantic's names of union branches are not in the document."""
    path: KeyPath = ()
    for part in detail["loc"]:
        if _has(document.data, (*path, part)):
            path = (*path, part)
    if detail["type"] == "missing":
        path = (*path, detail["loc"][-1])
    context = detail.get("ctx") or {}
    if "path" in context:
        return tuple(context["path"])
    if "key_path" in context:  # from the part that was refused; where one stands for a list of one, it has no number
        for part in context["key_path"]:
            if not isinstance(part, int) or _has(document.data, (*path, part)):
                path = (*path, part)
        return path
    if "key" in context and _has(document.data, (*path, context["key"])):
        path = (*path, context["key"])
    return path


def _has(data: Any, path: KeyPath) -> bool:
    """Whether there is something at a path."""
    for part in path:
        in_list = isinstance(data, list | tuple) and isinstance(part, int) and 0 <= part < len(data)
        if not in_list and not (isinstance(data, Mapping) and part in data):
            return False
        data = data[part]
    return True


def _what(path: KeyPath, detail: ErrorDetails) -> str:
    if detail["type"] in _UNKNOWN and isinstance(path[-1], str) and re.fullmatch(r"\d{3}", path[-1]):
        return f"unknown key '{path[-1]}': a comma divides entries here; write a number without it, as 1000 or 1_000"
    allowed_here = str((detail.get("ctx") or {}).get("allowed", ""))
    if detail["type"] in _UNKNOWN and KEYS.get(str(path[-1]), "-") in allowed_here.split(", "):
        return f"unknown key '{path[-1]}'; write {KEYS[str(path[-1])]}; allowed: {allowed_here}"
    if detail["type"] == "extra_forbidden":
        allowed = _keys_below(path)
        return f"unknown key '{path[-1]}'{nearest(str(path[-1]), allowed)}; allowed: {', '.join(allowed)}"
    return what(detail, path)


def _keys_below(path: KeyPath) -> list[str]:
    """The keys that may stand where an unknown one does: what is declared below the suite language (expectations,
    gates, analyses) refuses keys in pydantic's words."""
    if path[0] == "expect":
        return list(Expectation.model_fields)
    if path[0] == "gate":
        return list((Guard if "guarded_by" in path else GateEntry).model_fields)
    if path[0] == "analyse" and len(path) > 2 and path[2] in ANALYSES:
        return list(ANALYSES[str(path[2])].settings.model_fields)
    return []
