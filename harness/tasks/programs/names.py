"""Which names of a test are the program's, and which the test's own, the standard library's or the task's."""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
from dataclasses import dataclass

_ALIASES = {"np": "numpy", "numpy": "numpy"}


@dataclass(frozen=True)
class Names:
    """What a test looks up and doesn't define."""

    of_program: tuple[str, ...]
    """Names that the program has to define."""
    modules: dict[str, str]
    """Names that are only used as `name.something` and are well-known modules: never the program's word for them."""


def looked_up(test: str) -> Names:
    """The names that a test's text looks up. Raises SyntaxError and the like for what is no Python.

    A name of Python's own (`set`, `abs`) is the program's only where the test has no other name of the program's:
    some tasks do ask for a function called `sum`.
    """
    tree = ast.parse(test)
    free = _free(symtable.symtable(test, "tests.py", "exec"))
    bases = [node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    as_base = [node.id for node in bases if isinstance(node, ast.Name)]
    alone = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in bases}
    modules = {
        name: _ALIASES.get(name, name)
        for name in free.intersection(as_base) - alone
        if name in _ALIASES or name in sys.stdlib_module_names
    }
    free -= modules.keys()
    own = {name for name in free if not hasattr(builtins, name)}
    return Names(tuple(sorted(own or free)), modules)


def _free(module: symtable.SymbolTable) -> set[str]:
    """Names that some scope looks up globally, and none defines so."""
    used, defined = set(), set()
    waiting = [module]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        for symbol in table.get_symbols():
            is_global = table is module or symbol.is_global()
            if is_global and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                defined.add(symbol.get_name())
            elif is_global and symbol.is_referenced():
                used.add(symbol.get_name())
    return used - defined


def task_helpers(given: str) -> str:
    """What is whole of the beginning that a program was given: imports, constants, functions with a body.

    The last function or class is the one that the program completes, and a function that is a docstring alone is
    another such. What can't be read gives nothing.
    """
    try:
        body = ast.parse(given).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    if body and isinstance(body[-1], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        body = body[:-1]
    return "\n".join(ast.unparse(statement) for statement in body if not _is_stub(statement))


def _is_stub(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(
        isinstance(line, ast.Pass) or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in statement.body
    )


def split(text: str) -> tuple[str, str]:
    """A program with its tests at its end, apart: `def check(...)` up to `check(...)`, or the last assertions.

    An assertion that does more than compare (`eval`, names with an underscore in front, `os`) stays with the program.
    Without tests, or where the text is no Python, the second part is empty.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text, ""
    start = len(body)
    checks = [index for index, one in enumerate(body) if isinstance(one, ast.FunctionDef) and one.name == "check"]
    if checks and _calls_check(body[-1]):
        start = checks[-1]
    else:
        while start and isinstance(body[start - 1], ast.Assert) and _only_compares(body[start - 1]):
            start -= 1
    if start == len(body):
        return text, ""
    lines = text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
    first = body[start]
    line = first.lineno  # of a decorated function its own: decorators are the program's
    head = b"".join(lines[: line - 1]) + lines[line - 1][: first.col_offset]
    tail = lines[line - 1][first.col_offset :] + b"".join(lines[line:])
    return head.decode("utf-8", "surrogatepass"), tail.decode("utf-8", "surrogatepass")


def _calls_check(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="check"))):
            return True
    return False


_COMPUTING = frozenset({
    "bisect", "cmath", "collections", "datetime", "decimal", "fractions", "functools", "heapq", "itertools", "json",
    "math", "np", "numpy", "random", "re", "statistics",
})  # fmt: skip
"""Modules whose functions an assertion may call."""
_DEEPER = frozenset({"datetime.date", "datetime.datetime", "datetime.time", "np.linalg", "numpy.linalg"})
_FRAMES = frozenset({
    "ag_frame", "cr_frame", "ctypes", "f_back", "f_builtins", "f_globals", "f_locals", "gi_frame", "tb_frame",
    "tb_next", "tofile",
})  # fmt: skip
_ACTS = frozenset({
    "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "getattr", "globals", "input", "locals",
    "open", "quit", "setattr", "super", "vars", "type",
})  # fmt: skip


def _only_compares(statement: ast.stmt) -> bool:
    for node in ast.walk(statement):
        if isinstance(node, ast.NamedExpr) or (isinstance(node, ast.Name) and node.id in _ACTS):
            return False
        if isinstance(node, ast.Name) and (node.id.startswith("__") or _is_acting_module(node.id)):
            return False
        if isinstance(node, ast.Attribute) and (node.attr.startswith("_") or node.attr in _FRAMES or _leads_on(node)):
            return False
    return True


def _is_acting_module(name: str) -> bool:
    return name in sys.stdlib_module_names and name not in _COMPUTING


def _leads_on(node: ast.Attribute) -> bool:
    """Whether it goes through a module into something else that the module has: `json.codecs.open`."""
    match node.value:
        case ast.Name(id=module):
            return module in _COMPUTING and node.attr != module and node.attr in sys.stdlib_module_names
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return module in _COMPUTING and f"{module}.{name}" not in _DEEPER
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id=module))):
            return module in _COMPUTING
    return False
