"""From a suite's name or path to a validated `Suite` and its cells, with every mistake as one located sentence."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from harness.comparison.gate_entry import GateEntry
from harness.errors import UserError, shown
from harness.input_file import refuse_endless, why_no_path
from harness.spelling import nearest
from harness.suite.cells import Cell, WrongSettings, cells
from harness.suite.document import document_of, parse_suite_text, read_suite_file
from harness.suite.expectations import wrong_expectations
from harness.suite.gate import wrong_gates
from harness.suite.idle_axes import idle_axes
from harness.suite.include import with_includes
from harness.suite.mistakes import NotValid, in_order, located, sentences_of, validated
from harness.suite.schema import Suite
from harness.suite.shipped import shipped_suites
from harness.yaml_files.document import Document, KeyPath

IN_MEMORY = "suite"
"""Stands for the file of a suite that is in none."""
_words: ContextVar[Callable[[str], str] | None] = ContextVar("words", default=None)


@contextmanager
def told_otherwise(words: Callable[[str], str]) -> Iterator[None]:
    """In the block what is told of a suite's places is put into other words: of who wrote no suite."""
    token = _words.set(words)
    try:
        yield
    finally:
        _words.reset(token)


def is_told_otherwise() -> bool:
    """Whether it is."""
    return _words.get() is not None


@dataclass(frozen=True)
class LoadedSuite:
    """A suite multiplied out: what is planned, and run, are these cells."""

    suite: Suite
    cells: tuple[Cell, ...]
    """With the settings that their measures' own classes validated, once."""
    document: Document = field(default_factory=lambda: Document({}), compare=False, repr=False)
    """What it was read from: where each of its words stands."""

    measures_at: tuple[int, ...] | None = field(default=None, compare=False, repr=False)
    """Of what is left of a wrong suite: which entry of `measures:` each one was."""

    def told(self, path: KeyPath, sentence: str) -> str:
        """A sentence about what stands at a path of the suite, with its place."""
        if self.measures_at is not None and path[:1] == ("measures",) and len(path) > 1:
            path = ("measures", self.measures_at[int(path[1])], *path[2:])
        words = _words.get()
        return (
            located(self.document, path, sentence) if words is None else words(located(self.document, path, sentence))
        )


class WrongSuite(UserError):
    """Mistakes in a suite, and what is left of it without them: more may be wrong with that."""

    def __init__(self, message: str, rest: LoadedSuite | None) -> None:
        super().__init__(message)
        self.rest = rest


SuiteLike = str | Path | Mapping[str, Any] | Suite
"""A suite file, the name of a suite that ships, or the suite itself as a mapping or as an object."""


def load_suite(suite: SuiteLike) -> LoadedSuite:
    """A suite by path or by the name of one that ships, or one that is not in a file, whose paths and includes are
    relative to the working folder. Raises UserError for every mistake in it."""
    if isinstance(suite, str | Path):
        path = find_suite(str(suite))
        return _loaded(with_includes(read_suite_file(path), (path.resolve(),)))
    given = _as_written(suite) if isinstance(suite, Suite) else suite
    return _loaded(with_includes(document_of(given, IN_MEMORY), (Path.cwd() / IN_MEMORY,)))


def source_of(suite: SuiteLike) -> str:
    """What stands for a suite where its origin is told: its path or name, or that it was not in a file."""
    return str(suite) if isinstance(suite, str | Path) else IN_MEMORY


def _loaded(document: Document) -> LoadedSuite:
    try:
        suite = validated(document)
    except NotValid as error:
        raise WrongSuite(str(error), _rest(document, error)) from None
    try:
        loaded = LoadedSuite(suite, tuple(cells(suite, document)), document)
    except WrongSettings as error:
        raise WrongSuite(str(error), LoadedSuite(suite, error.others, document)) from None
    wrong = [
        *wrong_expectations(suite, loaded.cells, document),
        *wrong_gates(suite, loaded.cells, document),
        *idle_axes(suite, document),
    ]
    if wrong:
        raise WrongSuite("\n".join(in_order(wrong)), loaded)
    return loaded


def _rest(document: Document, error: NotValid) -> LoadedSuite | None:
    """The suite without the entries that are wrong; None where the others can't be told from them."""
    data = copy.deepcopy(error.document.data)
    left = list(range(len(data["measures"]))) if isinstance(data.get("measures"), list) else []
    paths: Iterable[KeyPath] = error.paths
    for _ in range(_ROUNDS if left else 0):
        wrong = {path[:2] if path[:1] in _ENTRIES and len(path) > 1 else path[:1] for path in paths}
        if any(path[:1] in _OF_ALL or path[0] not in data or path in _ENTRIES for path in wrong):
            return None
        gone = {path[1] for path in wrong if path[0] == "measures" and len(path) > 1}
        data["measures"] = [entry for number, entry in enumerate(data["measures"]) if number not in gone]
        left = [place for number, place in enumerate(left) if number not in gone]
        for path in wrong:
            if len(path) == 1:
                del data[path[0]]
            elif path[0] == "models":
                data["models"].pop(path[1], None)
        data.setdefault("name", "suite")
        if not left or not data.get("models"):
            return None
        try:
            suite = validated(Document(data))
            return LoadedSuite(suite, tuple(cells(suite)), document, tuple(left))
        except NotValid as again:
            paths = again.paths
        except UserError:
            return None
    return None


_ENTRIES = (("models",), ("measures",))
"""Keys whose entries are wrong each for itself."""
_OF_ALL = (("tasks",), ("include",))
"""Keys that decide what other entries mean."""
_ROUNDS = 5
"""An entry that is taken out may leave another one wrong that names it."""


def parse_suite(text: str, name: str = "suite") -> Suite:
    """A suite from YAML text (no includes): a run's manifest keeps the suite like this."""
    return validated(parse_suite_text(text, name))


def parse_gate(document: Document) -> list[GateEntry]:
    """The `gate:` of a suite that need not be whole: a stored run's may have words of another version. Raises
    UserError with the line of every mistake in it."""
    found = document.data.get("gate") if isinstance(document.data, dict) else None
    try:
        return _GATE.validate_python([] if found is None else found)
    except ValidationError as error:
        raise UserError("\n".join(dict.fromkeys(sentences_of(document, error, ("gate",))))) from None


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
    if not name.strip():
        raise UserError("no suite is named: give a file, or the name of one that ships (`harness list suites`)")
    if (why := why_no_path(name)) is not None:
        raise UserError(f"{why}; name a suite file", place=shown(name))
    if path.is_file():
        return path
    shipped = shipped_suites()
    plain = name.removeprefix("suites/").removesuffix(".yaml")
    if plain in shipped:
        return shipped[plain]
    if path.is_dir():
        here = _suites_in(path)
        such = f", such as {path / here[0]}" if here else ""
        raise UserError(f"this is a folder; name a suite file in it{such}", place=name)
    if path.exists():
        refuse_endless(path, "a suite")
    near = nearest(name, [*_suites_in(path.parent), *shipped]) or nearest(plain, shipped)
    raise UserError(
        f"no such suite file, and no suite of that name ships{near} (`harness list suites` has those that do)",
        place=name,
    )


def _suites_in(folder: Path) -> list[str]:
    """Names of the files in a folder that may be suites."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in (".yaml", ".yml"))
    except OSError:
        return []
