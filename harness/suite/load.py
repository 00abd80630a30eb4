"""From a suite's name or path to a validated `Suite` and its cells, with every mistake as one located sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from harness.analysis.registry import ANALYSES
from harness.comparison.expectation import Expectation
from harness.comparison.gate_entry import GateEntry, Guard
from harness.errors import UserError, shown
from harness.input_file import refuse_endless, why_no_path
from harness.spelling import nearest
from harness.suite.cells import Cell, cells
from harness.suite.document import document_of, parse_suite_text, read_suite_file
from harness.suite.expectations import check_expectations
from harness.suite.gate import check_gate
from harness.suite.include import with_includes
from harness.suite.schema import Suite
from harness.suite.shipped import shipped_suites
from harness.yaml_files.document import Document, KeyPath

IN_MEMORY = "suite"
"""Stands for the file of a suite that is in none."""


@dataclass(frozen=True)
class LoadedSuite:
    """A suite multiplied out: what is planned, and run, are these cells."""

    suite: Suite
    cells: tuple[Cell, ...]
    """With the settings that their measures' own classes validated, once."""


SuiteLike = str | Path | Mapping[str, Any] | Suite
"""A suite file, the name of a suite that ships, or the suite itself as a mapping or as an object."""


def load_suite(suite: SuiteLike) -> LoadedSuite:
    """A suite by path or by the name of one that ships, or one that is not in a file, whose paths and includes are
    relative to the working folder. Raises UserError for every mistake in it."""
    if isinstance(suite, str | Path):
        path = find_suite(str(suite))
        document = with_includes(read_suite_file(path), (path.resolve(),))
    else:
        given = _as_written(suite) if isinstance(suite, Suite) else suite
        document = with_includes(document_of(given, IN_MEMORY), (Path.cwd() / IN_MEMORY,))
    return _loaded(document)


def source_of(suite: SuiteLike) -> str:
    """What stands for a suite where its origin is told: its path or name, or that it was not in a file."""
    return str(suite) if isinstance(suite, str | Path) else IN_MEMORY


def _loaded(document: Document) -> LoadedSuite:
    suite = _validate(document)
    loaded = LoadedSuite(suite, tuple(cells(suite, document)))
    check_expectations(suite, loaded.cells, document)
    check_gate(suite, loaded.cells, document)
    return loaded


def parse_suite(text: str, name: str = "suite") -> Suite:
    """A suite from YAML text (no includes): a run's manifest keeps the suite like this."""
    return _validate(parse_suite_text(text, name))


def parse_gate(document: Document) -> list[GateEntry]:
    """The `gate:` of a suite that need not be whole: a stored run's may have words of another version. Raises
    UserError with the line of every mistake in it."""
    found = document.data.get("gate") if isinstance(document.data, dict) else None
    try:
        return _GATE.validate_python([] if found is None else found)
    except ValidationError as error:
        told = [(("gate", *detail["loc"]), detail) for detail in error.errors()]
        raise UserError("\n".join(dict.fromkeys(_sentence(document, path, detail) for path, detail in told))) from None


_GATE = TypeAdapter(list[GateEntry])


def multiplied_out(suite: Suite) -> LoadedSuite:
    """A suite that was not loaded from a file, with its cells. Raises UserError for settings that a measure refuses."""
    return LoadedSuite(suite, tuple(cells(suite)))


def suite_text(suite: Suite) -> str:
    """The suite as YAML, includes merged and defaults left out: parses to the same suite."""
    return yaml.safe_dump(_as_written(suite), sort_keys=False, width=110)


def _as_written(suite: Suite) -> dict[str, Any]:
    return suite.model_dump(mode="json", exclude_unset=True)


def find_suite(name: str) -> Path:
    """The file of a suite given by path or by shipped name."""
    path = Path(name)
    if (why := why_no_path(name)) is not None:
        raise UserError(f"{why}; name a suite file", place=shown(name))
    if path.is_file():
        return path
    shipped = shipped_suites()
    plain = name.removeprefix("suites/").removesuffix(".yaml")
    if plain in shipped:
        return shipped[plain]
    if path.is_dir():
        raise UserError("this is a folder; name a suite file in it", place=name)
    if path.exists():
        refuse_endless(path, "a suite")
    raise UserError(
        f"no such suite file, and no suite of that name ships{nearest(plain, shipped)} (shipped: {', '.join(shipped)})",
        place=name,
    )


def _validate(document: Document) -> Suite:
    if not isinstance(document.data, dict):
        raise UserError("a suite is a mapping that starts with `name:`", place=document.place(()))
    try:
        return Suite.model_validate(document.data)
    except ValidationError as error:
        told = _most_telling(document, error)
        written = [_sentence(document, path, detail) for path, detail in told.items()]
        raise UserError("\n".join(dict.fromkeys(sorted(written, key=_line)))) from None


def _most_telling(document: Document, error: ValidationError) -> dict[KeyPath, ErrorDetails]:
    """One error per place. Of a union's branches (one value or a list) the one that went deepest knows best."""
    told: dict[KeyPath, ErrorDetails] = {}
    for detail in error.errors():
        path = _written(document, detail)
        if path not in told or told[path]["type"] == "list_type" or detail["type"] in ("too_short", "value_twice"):
            told[path] = detail
    deepest = {path[:length] for path in told for length in range(len(path)) if path[0] == "measures" and length > 3}
    return {path: detail for path, detail in told.items() if path not in deepest}


def _line(sentence: str) -> tuple[str, int]:
    found = re.match(r"(.*?):(\d+): ", sentence)
    return (found[1], int(found[2])) if found else (sentence, 0)


def _written(document: Document, detail: ErrorDetails) -> KeyPath:
    """The error's path as the user wrote it: pydantic's names of union branches are not in the document."""
    path: KeyPath = ()
    for part in detail["loc"]:
        if (*path, part) in document.places:
            path = (*path, part)
    if detail["type"] == "missing":
        path = (*path, detail["loc"][-1])
    context = detail.get("ctx") or {}
    if "path" in context:
        return tuple(context["path"])
    if "key_path" in context:  # from the part that was refused
        return (*path, *context["key_path"])
    if "key" in context and (*path, context["key"]) in document.places:
        path = (*path, context["key"])
    return path


def _sentence(document: Document, path: KeyPath, detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in path)
    what = _unknown_key(path) if detail["type"] == "extra_forbidden" else _what(detail, detail.get("ctx") or {})
    return f"{document.place(path)}: {key + ': ' if key else ''}{what}"


def _unknown_key(path: KeyPath) -> str:
    """What is declared below the suite language (expectations, gates, analyses) refuses keys in pydantic's words."""
    allowed: list[str] = []
    if path[0] == "expect":
        allowed = list(Expectation.model_fields)
    elif path[0] == "gate":
        allowed = list((Guard if "guarded_by" in path else GateEntry).model_fields)
    elif path[0] == "analyse":
        allowed = list(ANALYSES[str(path[2])].settings.model_fields)
    return f"unknown key '{path[-1]}'{nearest(str(path[-1]), allowed)}; allowed: {', '.join(allowed)}"


def _what(detail: ErrorDetails, context: dict[str, object]) -> str:
    given = detail["input"]
    match detail["type"]:
        case "missing":
            return "this key is required and missing"
        case "literal_error":
            allowed = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"'{shown(given)}' is not allowed{nearest(str(given)[:200], allowed)}; allowed: {', '.join(allowed)}"
        case (
            "unknown_key"
            | "no_model"
            | "no_metric"
            | "kind"
            | "train"
            | "stage"
            | "revision"
            | "budget"
            | "nothing"
            | "subject"
            | "one_measure"
            | "one_analysis"
        ):
            return detail["msg"]
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"this is a mapping of keys to values, not {shown(repr(given))}"
        case "string_pattern_mismatch":
            return f"'{shown(given)}' may have only letters, digits, dots, dashes and underscores"
        case _:
            message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
            plain = isinstance(given, str | int | float | bool) or given is None
            return message[:1].lower() + message[1:] + (f" (it is {shown(repr(given))})" if plain else "")
