"""What of a helper file is run when no task code was allowed: what one function needs, and only if it looks harmless.

A helper file often imports what its metrics need, or has a script at its end, beside the function that prepares the
documents. So only the statements are run that the wanted names depend on; and those are looked through for what a
preparing function has no business with: files, processes, the network, `exec`. This tells a user with file and line
what needs permission. It keeps nobody out, since Python can't be made safe by reading it: that is for the kernel to
do (`harness.fences`), in the process that the statements run in (`harness.tasks.code`).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness.errors import UserError

MODULES = frozenset({
    "__future__", "abc", "ast", "bisect", "collections", "copy", "dataclasses", "datasets", "datetime", "decimal",
    "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "itertools", "json", "logging", "math",
    "numbers", "numpy", "operator", "pathlib", "random", "re", "regex", "statistics", "string", "textwrap", "types",
    "typing", "typing_extensions", "unicodedata", "warnings",
})  # fmt: skip
"""What document functions may import, besides files beside them and `os.path`; of `pathlib` only what names paths."""
_REFUSED_CALLS = frozenset({"exec", "eval", "compile", "open", "input", "breakpoint", "__import__", "exit", "quit"})
_REFUSED_ATTRIBUTES = frozenset({
    "__globals__", "__builtins__", "__subclasses__", "__bases__", "__mro__", "__code__", "__loader__", "__spec__",
    "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rmdir", "touch", "symlink_to",
    "hardlink_to", "chmod", "savetxt", "tofile",
})  # fmt: skip
_MEND = "if you trust the file, --allow-task-code lets it"


def needed_statements(tree: ast.Module, wanted: Iterable[str] | None) -> list[ast.stmt]:
    """The top-level statements that the wanted names depend on, in their order; None wants all names.

    Where a wanted name is defined by no statement that can be read off (`globals().update(...)`), all
    statements are needed, except imports whose names nobody uses and the script at the end.
    """
    body = [statement for statement in tree.body if not is_script(statement)]
    defines = [set(_defined(statement)) for statement in body]
    names = None if wanted is None else set(wanted)
    if names is None or not names <= set().union(*defines):
        kept = [not isinstance(one, ast.Import | ast.ImportFrom) for one in body]
        names = {name for one, keep in zip(body, kept, strict=True) if keep for name in _used(one)}
    else:
        kept = [False] * len(body)
    uses = [set(_used(statement)) for statement in body]
    grown = True
    while grown:
        grown = False
        for index, statement in enumerate(body):
            if not kept[index] and (defines[index] & names or (_acts(statement) and uses[index] & names)):
                kept[index] = grown = True
                names |= uses[index]
    return [statement for statement, keep in zip(body, kept, strict=True) if keep]


def check(statements: Iterable[ast.stmt], file: Path, beside: Callable[[str, int], bool]) -> None:
    """Refuse statements that do what preparing documents doesn't need. Raises UserError with file and line.

    `beside`: whether a module (its name, the dots before it) is a file beside, or has a stand-in.
    """
    for statement in statements:
        for node in ast.walk(statement):
            if problem := _problem(node, beside):
                line = getattr(node, "lineno", statement.lineno)
                raise UserError(f"this task code {problem}; {_MEND}", place=f"{file}:{line}")


def _problem(node: ast.AST, beside: Callable[[str, int], bool]) -> str | None:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names if not _may_import(alias.name, 0, beside)]
        # under its own name it is known below for what it is
        names += [alias.name for alias in node.names if alias.name == "os" and alias.asname]
        return f"imports {names[0]}" if names else None
    if isinstance(node, ast.ImportFrom):
        name = node.module or ""
        if name == "os" and not node.level and [alias.name for alias in node.names] != ["path"]:
            return "imports from os"
        return None if _may_import(name, node.level, beside) else f"imports from {name or '.'}"
    if isinstance(node, ast.Name) and node.id in _REFUSED_CALLS:
        return f"uses `{node.id}`"
    if isinstance(node, ast.Attribute):
        if node.attr in _REFUSED_ATTRIBUTES:
            return f"uses `{node.attr}`"
        if isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr != "path":
            return f"uses `os.{node.attr}`"
    return None


def _may_import(name: str, level: int, beside: Callable[[str, int], bool]) -> bool:
    """A relative import can only be a file beside."""
    return level > 0 or name in ("os", "os.path") or name.partition(".")[0] in MODULES or beside(name, level)


def _defined(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement gives the module, without looking into functions and classes."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    else:
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt):
                yield from _defined(child)
            elif isinstance(child, ast.ExceptHandler):
                for inner in child.body:
                    yield from _defined(inner)
            else:
                yield from (
                    node.id
                    for node in ast.walk(child)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                )


def _used(statement: ast.stmt) -> Iterator[str]:
    return (node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and not hasattr(builtins, node.id))


def _acts(statement: ast.stmt) -> bool:
    """Whether it may change what other names mean: `random.seed(1)`, `TABLE["x"] = 2`, a loop."""
    if isinstance(statement, ast.Assign):
        return not all(isinstance(target, ast.Name) for target in statement.targets)
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    return not isinstance(
        statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.AnnAssign
    )


def is_script(statement: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )
