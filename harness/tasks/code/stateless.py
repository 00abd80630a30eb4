"""Whether functions of documents keep nothing from one call to the next, read off their files without running them.

Where they keep nothing, what they make of one document does not depend on the others: then they can be asked of all
documents at once, and twice of the same one. What can't be told counts as keeping something, which is only slower.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from harness.file_digest import FileState, file_state
from harness.tasks.code import fence
from harness.tasks.code.helper_files import source_files
from harness.tasks.config import Function

_DRAWING = frozenset({"random", "secrets", "uuid", "time", "now", "today", "default_rng", "RandomState", "urandom"})
"""Names behind which there is chance, or a clock."""
_READING = frozenset({
    "get", "items", "keys", "values", "index", "count", "copy", "format", "join", "split", "match", "search", "sub",
    "findall", "finditer", "fullmatch", "union", "intersection", "difference", "issubset", "issuperset", "isdisjoint",
    "debug", "info", "warning", "error",
})  # fmt: skip
"""Methods that change nothing."""
_CHANGING = frozenset({
    "append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault", "add", "discard", "sort",
    "reverse", "appendleft", "popleft", "subtract",
})  # fmt: skip
_LOOKING = frozenset({
    "len", "sorted", "list", "dict", "set", "tuple", "frozenset", "enumerate", "zip", "str", "sum", "max", "min", "any",
    "all", "isinstance", "range", "map", "filter", "reversed", "repr",
})  # fmt: skip
"""Functions of Python's own that change nothing that they are given."""
_PASSES = ("process_docs", "samples", "custom_dataset", "prepared_by")

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Looks = ast.Subscript | ast.Compare | ast.For | ast.comprehension | ast.BinOp | ast.FormattedValue
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def keeps_nothing(functions: Sequence[tuple[str, Function]]) -> bool:
    """Of the functions of one task (key, function): whether those that are asked document by document keep nothing.

    What prepares all documents in one pass may draw, but not change what the others see.
    """
    wanted: dict[Path, set[str]] = {}
    for key, function in functions:
        if key.rpartition(".")[2] not in _PASSES:
            wanted.setdefault(function.file, set()).add(function.name.partition(".")[0])
    every = {source for _, function in functions for source in source_files(function.file)}
    return all(_keeps_nothing(file, _changed(file), tuple(sorted(wanted.get(file, ())))) for file in every)


def _changed(file: Path) -> FileState | None:
    try:
        return file_state(file)
    except OSError:
        return None


@lru_cache(maxsize=1024)
def _keeps_nothing(file: Path, changed: FileState | None, wanted: tuple[str, ...]) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    asked = fence.needed_statements(tree, wanted or None)
    return not any(map(_draws, asked)) and not _changes(tree)


def _draws(statement: ast.stmt) -> bool:
    """Whether it names chance, a clock, or a module of which nobody knows what it keeps."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and (node.id in _DRAWING or node.id in ("open", "exec", "eval", "input")):
            return True
        if isinstance(node, ast.Attribute) and node.attr in _DRAWING:
            return True
        if isinstance(node, ast.Import) and any(_is_unknown(alias.name) for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or "", *(alias.name for alias in node.names if alias.name in _DRAWING)]
            if any(name in _DRAWING for name in names) or _is_unknown(node.module or ""):
                return True
    return False


def _is_unknown(module: str) -> bool:
    top = module.partition(".")[0]
    return bool(_DRAWING & set(module.split("."))) or top not in fence.MODULES | {"lm_eval", "os"}


def _changes(tree: ast.Module) -> bool:
    """Whether a function changes, or may change, what its module holds."""
    defined = {node.name for node in ast.walk(tree) if isinstance(node, _Definition)}
    held = set(_held(tree.body))
    for function in (node for node in ast.walk(tree) if isinstance(node, _Function)):
        if any(not isinstance(one, ast.Constant | ast.Name) for one in _defaults(function)):
            return True
        body: list[ast.AST] = [*function.body] if isinstance(function.body, list) else [function.body]
        if any(isinstance(node, ast.Global | ast.Nonlocal) for one in body for node in ast.walk(one)):
            return True
        own = set(_bound(function))
        kept = (held | defined | {"cls"}) - (own - {"cls"})
        aliases = kept | set(_aliases(body, kept))
        if any(_is_change(node, aliases) for one in body for node in ast.walk(one)):
            return True
        if not all(_only_reads(one, held - own) for one in body):
            return True
    return False


def _held(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Names of the module's variables that hold something that can be changed."""
    for statement in statements:
        if isinstance(statement, _Definition | ast.Import | ast.ImportFrom):
            continue
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and _is_fixed(statement.value):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _is_fixed(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant | ast.JoinedStr | ast.Lambda):
        return True
    if isinstance(value, ast.Tuple):
        return all(map(_is_fixed, value.elts))
    if isinstance(value, ast.BinOp):
        return _is_fixed(value.left) and _is_fixed(value.right)
    made = value.func if isinstance(value, ast.Call) else None
    name = made.attr if isinstance(made, ast.Attribute) else getattr(made, "id", None)
    return name in ("compile", "frozenset", "getLogger", "partial", "dirname", "basename")


def _defaults(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.expr]:
    return [*function.args.defaults, *(one for one in function.args.kw_defaults if one is not None)]


def _bound(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[str]:
    """Names of its own."""
    every = function.args
    yield from (
        one.arg for one in [*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg] if one
    )
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _aliases(body: list[ast.AST], kept: set[str]) -> Iterator[str]:
    """Local names that stand for something inside of what is kept."""
    for node in (node for one in body for node in ast.walk(one)):
        pairs: list[tuple[ast.AST, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.For | ast.comprehension):
            pairs = [(node.target, node.iter)]
        elif isinstance(node, ast.NamedExpr):
            pairs = [(node.target, node.value)]
        for target, value in pairs:
            if _root(value) in kept:
                yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))


def _is_change(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return _root(node) in names
    if isinstance(node, ast.AugAssign):
        return _root(node.target) in names
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in _CHANGING and _root(called) in names


def _root(node: ast.AST) -> str | None:
    """The name that an expression begins with: `a` of `a["x"].items()`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return None  # what a function gives back is its own: `return TABLE` counts as a change
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _only_reads(node: ast.AST, held: set[str]) -> bool:
    """Whether each use of what is held is one that can't change it."""
    for above in ast.walk(node):
        for below in ast.iter_child_nodes(above):
            if not (isinstance(below, ast.Name) and isinstance(below.ctx, ast.Load) and below.id in held):
                continue
            if isinstance(above, _Looks):
                continue
            if isinstance(above, ast.Attribute) and above.attr in _READING:
                continue
            if isinstance(above, ast.Call) and isinstance(above.func, ast.Name) and above.func.id in _LOOKING:
                continue
            return False
    return not (isinstance(node, ast.Name) and node.id in held)
