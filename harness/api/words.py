"""The words that a suite may use, as the tables of `harness list`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.errors import WrongArgument, shown
from harness.spelling import nearest

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from harness.report.table import Row, Table
    from harness.results.record import Metric


FEW = 4
"""Names of a kind that the summary has."""


class Kind(StrEnum):
    """What can be listed."""

    SUITES = "suites"
    MEASURES = "measures"
    MODELS = "models"
    CORPORA = "corpora"
    TASKS = "tasks"
    LAWS = "laws"
    ANALYSES = "analyses"
    PLUGINS = "plugins"
    ASSETS = "assets"
    DATA = "data"


def words(kinds: str | Sequence[str] = (), *, search: str | None = None, tasks_path: Sequence[str] = ()) -> list[Table]:
    """The tables that `harness list` prints: of these kinds, of all of them; `harness.list` has each as a DataFrame.

    search: only what has this text in its name or its description; no table where nothing has. tasks_path: more folders
    of task files. Raises UserError for another kind.
    """
    paths = tuple(tasks_path)
    asked = [_kind(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    tables: dict[Kind, Callable[[], list[Table]]] = {
        Kind.SUITES: _suites,
        Kind.MEASURES: _measures,
        Kind.MODELS: _models,
        Kind.CORPORA: _corpora,
        Kind.LAWS: _laws,
        Kind.ANALYSES: _analyses,
        Kind.PLUGINS: _plugins,
        Kind.ASSETS: _assets,
        Kind.DATA: _data,
        Kind.TASKS: lambda: _tasks(paths),
    }
    found = [table for kind in dict.fromkeys(asked or Kind) for table in tables[kind]()]
    return found if search is None else [kept for table in found if (kept := _with(table, search)).rows]


def words_in_short(*, tasks_path: Sequence[str] = ()) -> Table:
    """How many there are of each kind, and the first few."""
    return _summary(tuple(tasks_path))


def why_no_words(search: str, kinds: Sequence[str] = (), *, tasks_path: Sequence[str] = ()) -> str:
    """What is said where `words` finds nothing, with the nearest name."""
    return _nothing(search, [_kind(kind) for kind in kinds], tuple(tasks_path))


def _kind(name: str) -> Kind:
    if name not in list(Kind):
        raise WrongArgument(
            f"there is no kind '{shown(name)}'{nearest(name, list(Kind))}; there are {', '.join(Kind)}", place="kinds"
        )
    return Kind(name)


def _summary(paths: tuple[str, ...]) -> Table:
    """How many there are of each kind, and the first few."""
    rows = []
    for kind in Kind:
        names = _names(kind, paths)
        few = ", ".join(names[:FEW]) + (", …" if len(names) > FEW else "")
        rows.append((kind.value, f"{len(names):,}", few, f"harness list {kind.value}"))
    columns = ("kind", "how many", "such as", "the rest")
    return _table("What a suite may name", columns, rows, "harness list KIND --search TEXT")


def _names(kind: Kind, paths: tuple[str, ...]) -> list[str]:
    """The names of a kind."""
    match kind:
        case Kind.SUITES:
            from harness.suite.shipped import shipped_suites

            return list(shipped_suites())
        case Kind.MEASURES:
            from harness.measures.registry import MEASURES

            return list(MEASURES)
        case Kind.MODELS:
            from harness import assets
            from harness.models.size import preset_rows

            models = (f"asset:{name}" for name, one in assets.ASSETS.items() if one.kind == "model")
            return [*(name for name, *_ in preset_rows()), *models]
        case Kind.CORPORA:
            from harness import corpora

            return [corpus.spec for corpus in corpora.corpora()]
        case Kind.TASKS:
            from harness.tasks.files.library import TaskLibrary

            return [named.name for named in TaskLibrary(paths).names()]
        case Kind.LAWS:
            from harness.analysis.scaling.laws.registry import LAWS

            return [law.name for law in LAWS.values()]
        case Kind.ANALYSES:
            from harness.analysis.registry import ANALYSES

            return list(ANALYSES)
        case Kind.PLUGINS:
            import harness.suite.schema  # noqa: F401 (every registry is behind it)
            from harness.plugins import known_plugins

            return [one.name for one in known_plugins()]
        case Kind.ASSETS:
            from harness import assets

            return list(assets.ASSETS)
        case Kind.DATA:
            from harness import published_data

            return list(published_data.DATA_SETS)


def _with(table: Table, text: str) -> Table:
    """The rows that have a text in them; all, where the table's own title has it."""
    wanted = text.strip().casefold()
    if wanted in table.title.casefold():
        return table
    return replace(table, rows=tuple(row for row in table.rows if wanted in _searched(row)))


def _searched(row: Row) -> str:
    """The text of a row, of a file its name alone: the folder says where it was installed."""
    cells = map(str, row.cells)
    return " ".join(cell.rpartition(os.sep)[2] if cell.startswith(os.sep) else cell for cell in cells).casefold()


def _nothing(text: str, kinds: Sequence[Kind], paths: tuple[str, ...]) -> str:
    """What is said where nothing was found."""
    near = nearest(text, [name for kind in kinds or Kind for name in _names(kind, paths)])
    return f"nothing has '{shown(text)}' in its name or description{near}"


def _table(title: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]], caption: str = "") -> Table:
    from harness.report.table import Column, Row, Table

    return Table(title, tuple(map(Column, columns)), tuple(map(Row, rows)), caption)


def _settings(fields: Mapping[str, FieldInfo]) -> Iterator[tuple[str, str]]:
    """(name, meaning with the default) of each setting."""
    for name, info in fields.items():
        default = "required" if info.is_required() else f"default {info.get_default(call_default_factory=True)}"
        yield name, f"{info.description or ''} ({default})"


def _suites() -> list[Table]:
    from harness.suite.document import read_suite_file
    from harness.suite.shipped import shipped_suites

    rows = [(name, str(read_suite_file(path).data.get("about", ""))) for name, path in shipped_suites().items()]
    return [_table("Suites that ship", ("name", "what it measures"), rows, "harness run NAME")]


def _measures() -> list[Table]:
    from harness.measures.registry import MEASURES

    tables = []
    for measure in MEASURES.values():
        rows = [("setting", *row) for row in _settings(measure.settings.model_fields)]
        rows += [
            ("metric", metric.name, f"[{metric.unit}{_better(metric)}] {metric.definition}")
            for metric in measure.metrics
        ]
        tables.append(_table(f"Measure {measure.name}", ("", "name", "meaning"), rows, measure.about))
    return tables


def _better(metric: Metric) -> str:
    return "" if metric.direction == "none" else f", {metric.direction} is better"


def _models() -> list[Table]:
    from harness import assets
    from harness.models.registry import ADAPTERS
    from harness.models.size import preset_rows
    from harness.number import Shown
    from harness.report.table import Column, Row, Table

    columns = (Column("name"), *(Column(name, numeric=True) for name in ("parameters", "layers", "heads", "width")))
    presets = Table(
        "Presets of the reference GPT",
        columns,
        tuple(Row((name, *(Shown(f"{number:,}") for number in numbers))) for name, *numbers in preset_rows()),
        "reference: NAME with train: ...; counted at vocabulary 1024, context 256",
    )
    rows = [
        (f"asset:{status.asset.name}", status.asset.about, "yes" if status.present else "no")
        for status in assets.status()
        if status.asset.kind == "model"
    ]
    where = "transformers: asset:NAME, a folder, or a hub id"
    named = [(one.name, one.about, ", ".join(one.keys)) for one in ADAPTERS.values()]
    kinds = _table("Kinds of models", ("key", "what it takes", "keys beside it"), named, "models: {NAME: {KEY: ...}}")
    return [kinds, presets, _table("Real models", ("name", "what it is", "in the cache"), rows, where)]


def _corpora() -> list[Table]:
    from harness import corpora

    rows = [(corpus.spec, corpus.about) for corpus in corpora.corpora()]
    return [_table("Corpora", ("name", "what it is"), rows, "text: NAME")]


def _laws() -> list[Table]:
    from harness.analysis.scaling.laws.registry import LAWS

    rows = [
        (law.name, law.formula, "; ".join(f"{one.name}: {one.meaning}" for one in law.parameters), law.source)
        for law in LAWS.values()
    ]
    return [_table("Scaling laws", ("name", "formula", "parameters", "source"), rows, "harness fit --law NAME")]


def _analyses() -> list[Table]:
    from harness.analysis.registry import ANALYSES

    return [
        _table(f"Analysis {one.name}", ("setting", "meaning"), _settings(one.settings.model_fields), one.about)
        for one in ANALYSES.values()
    ]


def _plugins() -> list[Table]:
    import harness.suite.schema  # noqa: F401 (every registry is behind it)
    from harness.plugins import known_plugins

    rows = [(one.name, one.group, one.package, one.why_not or "loaded") for one in known_plugins()]
    caption = "measures, analyses and adapters of other installed packages" if rows else "no other package has any"
    return [_table("Plugins", ("name", "entry points", "package", "state"), rows, caption)]


def _assets() -> list[Table]:
    from harness import assets

    rows = [
        (one.asset.name, one.asset.kind, one.asset.about, "yes" if one.present else "no") for one in assets.status()
    ]
    return [_table("Assets", ("name", "kind", "what it is", "in the cache"), rows, "harness assets get NAME")]


def _data() -> list[Table]:
    from harness import published_data

    rows = [(name, one.about) for name, one in published_data.DATA_SETS.items()]
    return [_table("Tables of published numbers", ("name", "what it is"), rows, "harness data show NAME")]


def _tasks(paths: tuple[str, ...]) -> list[Table]:
    from harness.tasks.files.library import TaskLibrary

    rows = [(named.name, named.kind, named.file) for named in TaskLibrary(paths).names()]
    caption = "task: NAME; with --tasks-path also those of your folders"
    return [_table("Tasks", ("name", "kind", "file"), rows, caption)]
