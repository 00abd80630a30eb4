"""Where a test's text asserts, so that nothing of the program's makes an assertion not count.

Functions of a program run inside of the test's, and could end it early without a word: a context manager, and who calls
a function that was lent, can hide what is raised in them, and an exception that the test expects can be the one that
assertions raise. What the test itself catches is its own choice, but not all that it asserts can get lost that way:
one assertion has to hold, and one that failed counts also where nobody hears of it, as in a thread.
"""

from __future__ import annotations

import ast
import builtins
import traceback
from types import CodeType
from typing import Any

FILE = "tests.py"
"""What the test's text is called in tracebacks."""
_LOOK = "look at an expected exception"
"""The names of functions, which no text can use: this one and the next two."""
_WEIGH = "weigh an assertion"
_HELD = "count an assertion"
_EXPECTING = frozenset({"assertRaises", "assertRaisesRegex", "raises", "suppress"})
_HERE = __name__.rpartition(".")[0]
_Lines = tuple[int, int]


class Assertions:
    """The assertions of one test. Raises SyntaxError and the like for what is no Python."""

    def __init__(self, text: str) -> None:
        self._tree = ast.parse(text)
        self._catches = "AssertionError" in text
        nodes = list(ast.walk(self._tree))
        self._asserting = [_lines(node) for node in nodes if _asserts(node)]
        self._blocks = [node for node in nodes if isinstance(node, ast.With | ast.AsyncWith)]
        self._functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        self._hears = self._catches or any(_hears_all(node) for node in nodes)
        self._has_to_hold = _asserts_plainly(self._tree)
        self._held = self._failed = False

    def compiled(self, names: dict[str, Any]) -> CodeType:
        """The test, to be run with these names. An exception that it expects raises NameError where it would catch what
        the test asserts, and isn't written out there as one of Python's own."""
        named = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}

        def looked_at(expected: Any, is_name: bool) -> Any:
            caught = _caught(expected)
            if caught and not (is_name and caught <= named):  # `for kind in (ValueError, Exception):` is the test's own
                raise NameError("an exception that the test expects would catch what the test itself says")
            return expected

        def weighed(value: Any) -> bool:
            if value:
                self._held = True
                return True
            self._failed = True
            return False

        def counted(value: Any) -> Any:
            self._held = True
            return value

        names |= {_LOOK: looked_at, _WEIGH: weighed, _HELD: counted}
        return compile(ast.fix_missing_locations(_Looking().visit(self._tree)), FILE, "exec")

    def lost(self) -> str | None:
        """What was lost by the end of a test that raised nothing; None: it asserted what it says."""
        if self._failed and not self._hears:
            return "an assertion failed, and the test did not hear of it"
        if self._has_to_hold and not self._held:
            return "the test came to none of its assertions"
        return None

    def lost_in_block(self, error: BaseException, entered: int) -> bool:
        """Whether an assertion would not count if the `with` block that began at line `entered` hid an error."""
        lines = _raised_at(error)
        if self._catches or not lines:
            return False
        blocks = [one for one in self._blocks if one.lineno <= entered <= one.body[0].lineno]
        return self._asserted(lines) or self._skipped(lines[:1], blocks) or self._skipped(lines[1:], self._functions)

    def lost_in_call(self, error: BaseException) -> bool:
        """Whether an assertion would not count if the program, which called a function of the test's, hid an error."""
        lines = _raised_at(error)
        if self._catches:
            return False
        return self._asserted(lines) or (_is_of_program(error) and self._skipped(lines, self._functions))

    def _asserted(self, lines: list[int]) -> bool:
        return any(first <= line <= last for line in lines for first, last in self._asserting)

    def _skipped(self, lines: list[int], around: list[Any]) -> bool:
        """Whether something is asserted further down in the innermost of these statements that holds a line."""
        for line in lines:
            holding = [one for one in around if one.body[0].lineno <= line <= _lines(one)[1]]
            inner = max(holding, key=lambda one: one.lineno, default=None)
            if inner and any(line <= last <= _lines(inner)[1] for _, last in self._asserting):
                return True
        return False


class _Looking(ast.NodeTransformer):
    """Has expected exceptions looked at, and assertions counted."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        self.generic_visit(node)
        if _asserts(node):
            node.test = _asked(_WEIGH, node.test)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        if node.type is not None:
            node.type = _looking(node.type)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if _called(node) in _EXPECTING:
            node.args = [_looking(one) for one in node.args]
        return _asked(_HELD, node) if _asserts(node) else node


def _looking(node: ast.expr) -> ast.expr:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    if all(isinstance(one, ast.Name) and hasattr(builtins, one.id) for one in parts) or isinstance(node, ast.Starred):
        return node
    return _asked(_LOOK, node, ast.Constant(isinstance(node, ast.Name)))


def _asked(name: str, node: ast.expr, *more: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [node, *more], []), node)


def catches_assertions(expected: Any) -> bool:
    """Whether an `except` of it catches the AssertionError of the test."""
    return bool(_caught(expected))


def _caught(expected: Any) -> set[str]:
    kinds = expected if isinstance(expected, tuple) else (expected,)
    return {kind.__name__ for kind in AssertionError.__mro__ for one in kinds if one is kind}


def _asserts(node: ast.AST) -> bool:
    """Whether it asserts; what is never true only says that a place isn't reached."""
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert")


def _asserts_plainly(node: ast.AST) -> bool:
    """Whether it asserts something that has to be come to: under no condition, and nothing expected to be raised."""
    if isinstance(node, ast.If | ast.Match) or (isinstance(node, ast.Try | ast.TryStar) and node.handlers):
        return False
    if isinstance(node, ast.With | ast.AsyncWith) and any(
        isinstance(one.context_expr, ast.Call) and _called(one.context_expr) in _EXPECTING for one in node.items
    ):
        return False
    return _asserts(node) or any(_asserts_plainly(one) for one in ast.iter_child_nodes(node))


def _hears_all(node: ast.AST) -> bool:
    """Whether a text with it may hear of every exception, and then of assertions too, of its own choice."""
    if isinstance(node, ast.ExceptHandler):
        return node.type is None
    return isinstance(node, ast.Name) and node.id in ("BaseException", "Exception")


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _lines(node: Any) -> _Lines:
    return node.lineno, node.end_lineno


def _raised_at(error: BaseException) -> list[int]:
    """The lines of the test that an error went through, from the outermost on. What is written inside of an expression
    (`lambda`) is not among them: the statement around it may be run by another."""
    through = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return [line for code, line in through if code.co_filename == FILE and (code.co_name[0] != "<" or _is_whole(code))]


def _is_whole(code: CodeType) -> bool:
    return code.co_name == "<module>"


def _is_of_program(error: BaseException) -> bool:
    """Whether it was raised by what the program did, or was asked for."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_globals.get("__name__", "").startswith(_HERE)
