"""Filters that a helper file registers under a name of its own: `@register_filter("NAME")` above a class.

lm-eval finds them because it runs every helper that a task names when it reads the task. Here the name is read off
the file without running it, so that the filter becomes a function of the task file like any other: loaded when it is
needed, by permission, and part of what determines the task's results.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from harness.file_digest import FileState, file_state
from harness.tasks.code.helper_files import source_files
from harness.tasks.config import FilterPipeline, FilterStep, Function

_DECORATOR = "register_filter"


def resolved(
    pipelines: tuple[FilterPipeline, ...], known: Iterable[str], helpers: Iterable[Path]
) -> tuple[FilterPipeline, ...]:
    """The pipelines with the classes that helpers register in place of names that are not among the known filters.

    helpers: the files whose functions the task names. A name that none of them registers stays as it is.
    """
    names = {step.function for pipeline in pipelines for step in pipeline.steps if isinstance(step.function, str)}
    if names <= set(known):
        return pipelines
    files = dict.fromkeys(file for helper in helpers for file in source_files(helper))
    found = {
        name: Function(file=file, name=registered)
        for file in files
        for name, registered in _registered(file, file_state(file))
        if name in names.difference(known)
    }
    return tuple(
        pipeline.model_copy(update={"steps": tuple(_with(step, found) for step in pipeline.steps)})
        for pipeline in pipelines
    )


def _with(step: FilterStep, found: dict[str, Function]) -> FilterStep:
    named = found.get(step.function) if isinstance(step.function, str) else None
    return step if named is None else step.model_copy(update={"function": named})


@lru_cache(maxsize=1024)
def _registered(file: Path, state: FileState) -> tuple[tuple[str, str], ...]:
    """(name, class or function) of each registration at the top level of a file."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told where the file is loaded
        return ()
    return tuple(_registrations(tree))


def _registrations(tree: ast.Module) -> Iterator[tuple[str, str]]:
    decorators = {_DECORATOR} | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == _DECORATOR and alias.asname
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names = [_name(decorator, decorators) for decorator in node.decorator_list]
            yield from ((name, node.name) for name in names if name is not None)
        elif isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Call):  # register_filter("x")(X)
            name = _name(node.value.func, decorators)
            if name is not None and node.value.args and isinstance(node.value.args[0], ast.Name):
                yield name, node.value.args[0].id


def _name(node: ast.expr, decorators: set[str]) -> str | None:
    """NAME of `register_filter("NAME")`."""
    if not isinstance(node, ast.Call):
        return None
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "name")]
    if called not in decorators or not given or not isinstance(given[0], ast.Constant):
        return None
    return given[0].value if isinstance(given[0].value, str) else None
