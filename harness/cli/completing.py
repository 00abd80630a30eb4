"""What the shell completes: names of suites, models, tasks, assets, data sets, runs and baselines.

A person waits for each with a finger on the key, so names are read from folders and small tables: no torch, no pandas,
and none of a run's files is opened. Nothing is ever printed: what can't be read completes to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path

import typer

Completer = Callable[[typer.Context, str], list[str]]
DEFAULT_RUNS = Path("results/runs")
DEFAULT_BASELINES = Path("results/baselines")


def _quietly(names: Callable[[typer.Context, str], Iterable[str]]) -> Completer:
    """Those of the names that begin with what was typed; none where they can't be read."""

    @wraps(names)
    def completed(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            return [name for name in dict.fromkeys(names(ctx, incomplete)) if name.startswith(incomplete)]
        except Exception:  # a prompt is no place for an error: the command itself says what is wrong
            return []

    return completed


@_quietly
def suites(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Suites that ship, YAML files, and folders that they may be in; with --resume, run folders."""
    import harness

    if ctx.params.get("resume"):
        yield from (str(folder) for folder in _run_folders(ctx))
    yield from harness.names("suites")
    yield from _files(incomplete, (".yaml", ".yml"))


@_quietly
def models(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """What a MODEL may be: presets, models that are assets, the names of suites whose runs may have trained one, and
    folders."""
    import harness

    fetched = harness.names("models")
    yield from harness.names("presets")
    yield from (f"asset:{name}" for name in fetched)
    yield from fetched  # bash parts words at colons: behind `asset:` it asks for the rest alone
    yield from (folder.name.split("-", 2)[-1] for folder in _run_folders(ctx))
    yield from _files(incomplete, ())


@_quietly
def runs(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Names of runs, the newest first, `latest`, baselines, and folders."""
    found = _run_folders(ctx)
    yield from ["latest"] if found else []
    yield from (folder.name for folder in found)
    yield from _baselines(ctx)
    if incomplete:
        yield from _files(incomplete, ())


@_quietly
def baselines(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Names of baselines."""
    return _baselines(ctx)


@_quietly
def assets(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Names of assets."""
    import harness

    return harness.names("assets")


@_quietly
def data_sets(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Names of published data sets, and CSV and Parquet files."""
    import harness

    yield from harness.names("data")
    yield from _files(incomplete, (".csv", ".parquet"))


@_quietly
def tasks(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Names of tasks, groups and tags: ours, and those below --tasks-path. Of several with commas, the last."""
    import harness

    before, comma, _ = incomplete.rpartition(",")
    yield from (
        f"{before}{comma}{name}" for name in harness.names("tasks", tasks_path=ctx.params.get("tasks_path") or ())
    )


def _run_folders(ctx: typer.Context) -> list[Path]:
    """Below --out, the newest first: names begin with the time."""
    out = Path(ctx.params.get("out") or DEFAULT_RUNS)
    return sorted((path.parent for path in out.glob("*/manifest.json")), reverse=True)


def _baselines(ctx: typer.Context) -> list[str]:
    below = Path(ctx.params.get("dir") or DEFAULT_BASELINES)
    return sorted(path.name for path in below.iterdir() if path.is_dir()) if below.is_dir() else []


def _files(incomplete: str, endings: tuple[str, ...]) -> Iterable[str]:
    """Folders (with a slash) and files with one of the endings, as they were begun."""
    begun = incomplete.rpartition("/")
    folder = Path(begun[0] + begun[1]) if begun[1] else Path()
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        name = f"{begun[0]}{begun[1]}{path.name}"
        if path.name.startswith(".") and not begun[2].startswith("."):
            continue
        if path.is_dir():
            yield f"{name}/"
        elif path.suffix in endings:
            yield name
