"""Files that are not looked at node by node are within bounds: the short look against the long one."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.yaml_files.bounds import (
    DEEPEST,
    FAST,
    check_nodes,
    compose,
    is_within_bounds,
    may_have_halves,
    nested_in_lines,
)

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
    if is_within_bounds(content, nested_in_lines(content)) and not may_have_halves(content, yaml.SafeLoader):
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        assert root is not None
        check_nodes(root, "a.yaml")


@pytest.mark.parametrize("line", ["- " * 60 + "1", "? " * 60 + "1", "[" * 60 + "]" * 60])
def test_what_is_deep_in_one_line_is_looked_at(line: str) -> None:
    assert not is_within_bounds(line.encode(), nested_in_lines(line.encode()))
    with pytest.raises(UserError):
        check_nodes(yaml.compose(line, Loader=yaml.SafeLoader), "a.yaml")  # type: ignore[arg-type]


def test_lists_in_the_column_of_their_key_are_counted() -> None:
    text = "".join(f"{' ' * (2 * n)}a:\n{' ' * (2 * n)}-\n" for n in range(30)) + " " * 60 + "b"
    assert not is_within_bounds(text.encode(), 0)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x\n",
        "a: &x [1]\nb: {<<: *x}\n",
        "*x : &x 1\n",
        "[1,*x,&x 2]",
        "a: " + "1" * 1001,
        "a" * 499 + ": " + "1" * 1100,
        "a: 1\n".encode("utf-16"),
        "a:\r" + " " * 40 + "b: 1",
        "a:\u2028" + " " * 40 + "b: 1",
    ],
)
def test_what_else_is_looked_at(text: str | bytes) -> None:
    assert not is_within_bounds(text if isinstance(text, bytes) else text.encode(), 0)


@pytest.mark.parametrize(
    "text", ["a: Q&A **bold**", 'a: "\\u0915\\uD55C"', "a: x" + " " * 40 + "y", "a: " + "12 " * 900]
)
def test_what_people_write_is_not_looked_at(text: str) -> None:
    assert is_within_bounds(text.encode(), 0)


@pytest.mark.parametrize("loader", [FAST, yaml.SafeLoader])
@pytest.mark.parametrize("text", [b'a: "\\ud800"', b'a: "\\uDBFF"', b'a: "\\U0000DCFF"', b"a: \xed\xa0\x80"])
def test_half_a_character_is_refused_by_either_loader(text: bytes, loader: type) -> None:
    with pytest.raises(UserError):
        compose(text, "a.yaml", loader)
