"""Environments of jinja in which a template takes so much time and text and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.template_bounds.lengths import joined
from harness.template_bounds.operations import check_call, check_operation

if TYPE_CHECKING:
    from jinja2 import nodes


CHANGING = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort",
    "symmetric_difference_update", "update",
})  # fmt: skip
"""Methods of lists, mappings and sets that change them, which a template may not."""
OF_ARRAYS = frozenset({
    "all", "any", "argmax", "argmin", "item", "max", "mean", "min", "ndim", "shape", "size", "sum", "tolist",
})  # fmt: skip
"""What a template may ask of an array."""


def bounded_tree(tree: nodes.Template) -> None:
    """A template's tree with a look at the clock in each turn of its loops, at the length of what `~` makes, and at
    what lists, tuples and mappings hold."""
    from jinja2 import nodes

    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "_turns", [], [], None, None, lineno=loop.lineno)
    _with_looks(tree)


def _with_looks(node: Any) -> Any:
    from jinja2 import nodes

    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, name, _with_looks(value))
        elif isinstance(value, list):
            setattr(node, name, [_with_looks(one) if isinstance(one, nodes.Node) else one for one in value])
    if isinstance(node, nodes.List | nodes.Dict) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
        return node if _is_constant(node) else nodes.Filter(node, "_made", [], [], None, None, lineno=node.lineno)
    if not isinstance(node, nodes.Concat):
        return node
    members = nodes.Tuple(node.nodes, "load", lineno=node.lineno)
    return nodes.Filter(members, "_concatenated", [], [], None, None, lineno=node.lineno)


def _is_constant(node: Any) -> bool:
    from jinja2 import nodes

    return all(isinstance(one, nodes.Const | nodes.Literal | nodes.Pair) for one in node.find_all(nodes.Expr))


def bounded_environment(kind: type[Any]) -> type[Any]:
    """A class of jinja's sandboxed environments, with a look before each step that could be large or long."""

    class Bounded(kind):  # type: ignore[misc]
        intercepted_binops = frozenset({"*", "**", "%", "+"})
        concat = staticmethod(joined)

        def _parse(self, *arguments: Any) -> nodes.Template:
            tree: nodes.Template = super()._parse(*arguments)
            bounded_tree(tree)
            return tree

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            check_operation(operator, left, right)
            return super().call_binop(context, operator, left, right)

        def call(__self, __context: Any, __obj: Any, *arguments: Any, **options: Any) -> Any:  # noqa: N805
            arguments = check_call(__obj, arguments, options)
            return super().call(__context, __obj, *arguments, **options)

    return Bounded
