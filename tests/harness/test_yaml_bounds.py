"""Files that are not looked at node by node are within bounds: the short look against the long one."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.yaml_bounds import DEEPEST, _is_within_bounds, check_nodes

LEAVES = st.sampled_from([1, "text", None, "9" * 1200, 10**1100, "\ud800", [], {}])


def nested(kinds: list[bool], leaf: Any) -> Any:
    """A list or a mapping for each kind, each within the one before."""
    for is_list in kinds:
        leaf = [leaf] if is_list else {"a": leaf, "b": 1}
    return leaf


@given(st.lists(st.booleans(), max_size=DEEPEST + 15), LEAVES, st.sampled_from([None, True, False]), st.integers(1, 4))
def test_what_the_short_look_lets_pass_the_long_one_does_too(
    kinds: list[bool], leaf: Any, flow: bool | None, indent: int
) -> None:
    text = yaml.safe_dump(nested(kinds, leaf), default_flow_style=flow, indent=indent, allow_unicode=True, width=10**6)
    content = text.encode("utf-8", "surrogatepass")
    if _is_within_bounds(content):
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        assert root is not None
        check_nodes(root, "a.yaml")


@pytest.mark.parametrize("line", ["- " * 60 + "1", "? " * 60 + "1", "[" * 60 + "]" * 60])
def test_what_is_deep_in_one_line_is_looked_at(line: str) -> None:
    assert not _is_within_bounds(line.encode())
    with pytest.raises(UserError):
        check_nodes(yaml.compose(line, Loader=yaml.SafeLoader), "a.yaml")  # type: ignore[arg-type]


def test_lists_in_the_column_of_their_key_are_counted() -> None:
    text = "".join(f"{' ' * (2 * n)}a:\n{' ' * (2 * n)}-\n" for n in range(30)) + " " * 60 + "b"
    assert not _is_within_bounds(text.encode())


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x\n", 'a: "\\ud800"', "a: " + "1" * 2000, "a: 1\n".encode("utf-16")])
def test_what_else_is_looked_at(text: str | bytes) -> None:
    assert not _is_within_bounds(text if isinstance(text, bytes) else text.encode())
