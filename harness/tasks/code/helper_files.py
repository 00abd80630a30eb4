"""Where the Python files beside task files lie: the modules that `!function` and their own imports name."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from harness.errors import UserError
from harness.file_digest import FileState, file_state

_LM_EVAL = ("lm_eval", "tasks")
"""The package that lm-eval's own task files are in; copies of its folders still name it."""


def module_file(name: str, folder: Path, level: int = 0, is_file: Callable[[Path], bool] = Path.is_file) -> Path | None:
    """The file of module `name` as seen from `folder`; None where no file is that module.

    Looked for beside the asking file, then from the folder above that its package names stand for:
    `lm_eval.tasks.mmlu.utils` is found from any file below `.../lm_eval/tasks/`, and in a copy of that tree.
    `level`: dots of a relative import. is_file: which files there are.
    """
    parts = tuple(part for part in name.split(".") if part)
    if level:
        above = folder if level == 1 else folder.parents[level - 2]
        return _file(above, parts, is_file)
    if beside := _file(folder, parts, is_file):
        return beside
    parents = [folder, *folder.parents]
    for parent in parents:
        for length in range(len(parts) - 1, 0, -1):
            if parent.parts[-length:] == parts[:length] and (found := _file(parent, parts[length:], is_file)):
                return found
    if parts[:2] == _LM_EVAL and len(parts) > 3:
        return next((found for parent in parents if (found := _file(parent, parts[2:], is_file))), None)
    return None


def source_files(file: Path) -> tuple[Path, ...]:
    """The file and every file beside it that it imports, directly or through another, in order of path."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        one = waiting.pop()
        if one not in found and one.is_file():
            found.add(one)
            waiting += _imported(one, file_state(one))
    return tuple(sorted(found))


def tree_of(file: Path, folders: Iterable[Path]) -> Path:
    """The folder that the helper files of a task must lie in: of `folders` the topmost that its file is in (or
    lm-eval's package, whose tasks import its other modules), else the file's own."""
    file = file.absolute()
    named = [folder.absolute() for folder in folders]
    packages = [folder.parent for folder in file.parents if folder.parts[-2:] == _LM_EVAL]
    return min(
        (folder for folder in (*named, *packages) if file.is_relative_to(folder)),
        key=lambda folder: len(folder.parts),
        default=file.parent,
    )


def refuse_outside(file: Path, tree: Path) -> None:
    """Raise UserError for a helper file that does not really lie in its task's tree. What it holds becomes part of a
    process that answers with texts: neither a link, nor the dots or the package of an import, may bring in another
    file of this machine."""
    if file.resolve().is_relative_to(tree.resolve()):
        return
    linked = file.absolute().is_relative_to(tree.absolute()) and ".." not in file.parts
    what = "is a link, or lies in one, that leads out of" if linked else "is imported by a task and lies outside of"
    raise UserError(
        f"{what} the folder of the task's files ({tree}); copy it there, or name a folder that holds both with "
        "--tasks-path; if you trust it, --allow-task-code lets it",
        place=str(file),
    )


def is_library(name: str) -> bool:
    """Whether a module of this name is Python's own, so that a file beside never takes its place."""
    return name.partition(".")[0] in sys.stdlib_module_names


@lru_cache(maxsize=4096)
def _imported(file: Path, state: FileState) -> tuple[Path, ...]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # told where the function is loaded
        return ()
    asked = [(name, level) for name, level in _imports(tree) if level or not is_library(name)]
    return tuple(found for name, level in asked if (found := module_file(name, file.parent, level)))


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level
            # what is imported may be a module itself
            yield from (
                (f"{node.module}.{alias.name}" if node.module else alias.name, node.level) for alias in node.names
            )


def _file(folder: Path, parts: tuple[str, ...], is_file: Callable[[Path], bool]) -> Path | None:
    if not parts:
        return None
    file = folder.joinpath(*parts).with_suffix(".py")
    if is_file(file):
        return file
    package = folder.joinpath(*parts, "__init__.py")
    return package if is_file(package) else None
