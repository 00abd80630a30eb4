"""`harness list [suites|measures|models|corpora|laws|analyses|tasks]`: the words that a suite may use."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import TasksPath

if TYPE_CHECKING:
    from rich.table import Table


class What(StrEnum):
    """What can be listed."""

    SUITES = "suites"
    MEASURES = "measures"
    MODELS = "models"
    CORPORA = "corpora"
    TASKS = "tasks"
    LAWS = "laws"
    ANALYSES = "analyses"


def list_(
    what: Annotated[list[What] | None, typer.Argument(help="What to list; left out, everything.")] = None,
    tasks_path: TasksPath = None,
) -> None:
    """List the suites that ship, the measures with their metrics, the models, corpora, laws, analyses and tasks."""
    from rich.console import Console

    console = Console()
    tables: dict[What, Callable[[], list[Table]]] = {
        What.SUITES: _suites,
        What.MEASURES: _measures,
        What.MODELS: _models,
        What.CORPORA: _corpora,
        What.LAWS: _laws,
        What.ANALYSES: _analyses,
        What.TASKS: lambda: _tasks(tuple(tasks_path or ())),
    }
    for item in what or list(What):
        for table in tables[item]():
            console.print(table)


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _suites() -> list[Table]:
    import yaml

    from harness.suite.shipped import shipped_suites

    table = _table("Suites that ship (harness run NAME)", "name", "what it measures")
    for name, path in shipped_suites().items():
        table.add_row(name, str((yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("about", "")))
    return [table]


def _measures() -> list[Table]:
    from harness.measures.registry import MEASURES

    tables = []
    for measure in MEASURES.values():
        table = _table(f"Measure {measure.name}: {measure.about}", "", "name", "meaning")
        for name, info in measure.settings.model_fields.items():
            default = "required" if info.is_required() else f"default {info.default}"
            table.add_row("setting", name, f"{info.description or ''} ({default})")
        for metric in {metric.name: metric for metric in measure.metrics}.values():
            table.add_row("metric", metric.name, f"[{metric.unit}, {metric.direction} is better] {metric.definition}")
        tables.append(table)
    return tables


def _models() -> list[Table]:
    from harness import assets
    from harness.models.size import preset_rows

    presets = _table(
        "Presets of the reference GPT (reference: NAME with train: ...; counted at vocabulary 1024, context 256)",
        "name", "parameters", "layers", "heads", "width",
    )  # fmt: skip
    for name, parameters, layers, heads, width in preset_rows():
        presets.add_row(name, f"{parameters:,}", str(layers), str(heads), str(width))
    real = _table("Real models (transformers: asset:NAME, a folder, or a hub id)", "name", "what it is", "in the cache")
    for status in assets.status():
        if status.asset.kind == "model":
            real.add_row(f"asset:{status.asset.name}", status.asset.about, "yes" if status.present else "no")
    return [presets, real]


def _corpora() -> list[Table]:
    from harness import corpora

    table = _table("Corpora (text: NAME)", "name", "what it is")
    for corpus in corpora.corpora():
        table.add_row(corpus.spec, corpus.about)
    return [table]


def _laws() -> list[Table]:
    from harness.analysis.scaling.laws import LAWS

    table = _table("Scaling laws (harness fit --law NAME)", "name", "formula", "parameters", "source")
    for law in LAWS.values():
        meanings = "; ".join(f"{parameter.name}: {parameter.meaning}" for parameter in law.parameters)
        table.add_row(law.name, law.formula, meanings, law.source)
    return [table]


def _analyses() -> list[Table]:
    from harness.analysis.registry import ANALYSES

    tables = []
    for analysis in ANALYSES.values():
        table = _table(f"Analysis {analysis.name}: {analysis.about}", "setting", "meaning")
        for name, info in analysis.settings.model_fields.items():
            default = "required" if info.is_required() else f"default {info.default}"
            table.add_row(name, f"{info.description or ''} ({default})")
        tables.append(table)
    return tables


def _tasks(paths: tuple[str, ...]) -> list[Table]:
    from harness.tasks.library import TaskLibrary

    table = _table("Tasks (task: NAME; with --tasks-path also those of your folders)", "name", "kind", "file")
    for named in TaskLibrary(paths).names():
        table.add_row(named.name, named.kind, named.file)
    return [table]
