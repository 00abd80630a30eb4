"""A missing value: templates may test it; what would write it breaks the document."""

from __future__ import annotations

from typing import Any

import pytest

from harness.tasks.prompts import template
from harness.tasks.prompts.null import NullWritten

ROW: dict[str, Any] = {
    "q": "Who?",
    "hint": None,
    "hole": float("nan"),
    "deep": {"text": None, "all": ["a", None]},
    "n": 1,
    "raw": b"x",
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{{q}}{% if hint %} ({{hint}}){% endif %}", "Who?"),
        ("{{q}}{{ hint or '' }}", "Who?"),
        ("{{ hint|default('none', true) }}", "none"),
        ("{% if hint is none %}no{% endif %} hint", "no hint"),
        ("{% if hint is not none %}a{% else %}no{% endif %} hint", "no hint"),
        ("{% if hint == none %}no{% endif %} hint", "no hint"),
        ("{% if hint is defined %}defined{% endif %}!", "defined!"),
        ("{{ 'none' if not deep.text else deep.text }}", "none"),
        ("{{ deep.all|select|join(',') }}", "a"),
        ("{{ deep.all|reject('none')|list|length }} known", "1 known"),
        ("{% if none in deep.all %}gaps{% endif %}!", "gaps!"),
        ("{% if hole %}{{hole}}{% else %}no number{% endif %}", "no number"),
        ("{{ {'hint': hint}|tojson }}", '{"hint": null}'),
        ("{{deep.all}}", ["a", None]),  # a value, not yet written
        ("{{hint}}", None),
        ("hint", None),
    ],
)
def test_what_may_be_asked_of_a_missing_value(written: str, expected: Any) -> None:
    assert template.value(written, ROW) == expected


@pytest.mark.parametrize(
    "written",
    [
        "{{q}} {{hint}}",
        "{{hint}} ",
        "{{ q ~ hint }}",
        "{{ '%s'|format(hint) }}",
        "{{ '%s' % hint }}",
        "{{hint|trim}}",
        "{{hint|upper}}",
        "{{hint|string}}",
        "{{hint|int}}",
        "{{ hint|default('') }}!",  # null is defined
        "{{deep.all|join(' ')}}",
        "{{deep.all}}!",
        "{% for one in deep.all %}{{one}}{% endfor %}",
        "{% set copy = hint %}{{copy}}!",
        "{% set copy %}{{hint}}{% endset %}{{copy}}",
        "{{q}} {{hole}}",
        "{{q}} {{none}}",
    ],
)
def test_what_writes_it_is_refused(written: str) -> None:
    with pytest.raises(NullWritten):
        template.value(written, ROW)


def test_the_sentence_names_the_value_and_the_fix() -> None:
    with pytest.raises(NullWritten, match=r"writes `deep.all\[1\]`, which is null here; test it first: {% if deep.all"):
        template.text("{{deep.all}}", ROW)
    with pytest.raises(NullWritten, match="writes `hole`, which is no number here"):
        template.text("{{hole}}!", ROW)


@pytest.mark.parametrize("written", ["{{q|int}}", "{{''|int}}", "{{q|float}}"])
def test_what_is_no_number_is_not_made_0(written: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        template.value(written, ROW)
    assert template.value(written.replace("int", "int(7)").replace("float", "float(7)"), ROW) == 7


def test_bytes_are_no_text() -> None:
    with pytest.raises(TypeError, match="bytes"):
        template.value("{{raw}}", ROW)


def test_lm_eval_writes_the_word() -> None:
    assert template.value_as_lm_eval("{{q}} {{hint}}", ROW) == "Who? None"
    assert template.value_as_lm_eval("{{n}}", ROW) == "1"
    assert template.value_as_lm_eval("{{q|int}}", ROW) == "0"


def test_a_null_may_be_given_a_number_and_be_compared_with_none() -> None:
    row = {"h": None, "n": 3}
    assert template.value("{{h|int(0)}}", row) == 0
    assert template.value("{{h|float(1.5)}}", row) == 1.5
    assert template.text("{{ h is sameas none }} {{ n is sameas none }}", row) == "True False"
    with pytest.raises(NullWritten):
        template.value("{{h|int}}", row)


def test_what_a_filter_gives_piece_by_piece_is_a_list() -> None:
    row = {"a": [" x", "y "]}
    assert template.value("{{a|map('trim')}}", row) == ["x", "y"]
    assert template.text("{{a|map('trim')}}!", row) == "['x', 'y']!"
