"""What a template makes of a document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.prompts import template

ROW: dict[str, Any] = {
    "question": "Who?\n",
    "choices": ["Ann", "Bob"],
    "label": 1,
    "digits": "1",
    "listed": "['Ann', 'Bob']",
    "price": 2.5,
    "nothing": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("question", "Who?\n"),  # the cell as it is
        ("label", 1),
        ("{{label}}", 1),  # with its type
        ("{{ label }}.", "1."),
        ("{{choices}}", ["Ann", "Bob"]),
        ("{{['a', label]}}\n", ["a", 1]),  # blank text around a list is left out
        ("{{listed}}", "['Ann', 'Bob']"),  # a text, whatever it looks like
        ("{{digits}}", "1"),
        ("{{price}}", 2.5),
        ("{{label == 1}}", True),
        ("{{nothing}}", None),
        ("{% if label %}{{choices}}{% else %}none{% endif %}", ["Ann", "Bob"]),
        ("{% set all = choices + ['Eve'] %}{{all}}", ["Ann", "Bob", "Eve"]),
        ("{% set one %}{{label}}{% endset %}{{one}}", "1"),
        ("{% macro twice(x) %}{{x}}{{x}}{% endmacro %}{{twice(label)}}", "11"),
        ("{{1}}", 1),
        ("{{['A', 'B'].index('B')}}", 1),
        ("Q: {{question}}", "Q: Who?\n"),
        ("{{question}}\n", "Who?\n\n"),  # a line break at the end stays
        ("{{question|regex_replace('[A-Z]', 'x')}}", "xho?\n"),
        ("{{question|regex_replace('.', 'x', 2)}}", "xxo?\n"),
        ("{{choices|join(' or ')}}{% if absent is undefined %}?{% endif %}", "Ann or Bob?"),
        ("no column here", "no column here"),
        ("a\r\nb", "a\nb"),  # as jinja has line breaks
    ],
)
def test_a_template_is_a_column_or_jinja(text: str, expected: Any) -> None:
    assert template.value(text, ROW) == expected


@given(st.text(alphabet=st.characters(exclude_characters="{}%#"), max_size=30))
def test_plain_text_is_what_jinja_makes_of_it(text: str) -> None:
    from jinja2 import Environment, StrictUndefined

    assert template.text(text, ROW) == Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        text
    ).render(**ROW)
