"""Templates that take all time or all memory: each fails soon with one sentence. Ordinary ones say what they say
elsewhere."""

from __future__ import annotations

import datetime
import re
import time
from pathlib import Path

import numpy as np
import pytest
from jinja2.sandbox import SandboxedEnvironment

from harness.errors import UserError
from harness.tasks.judging import substitution
from harness.tasks.prompts import template
from harness.tasks.prompts.rendering import rendered
from harness.template_bounds import clock

ROW = {
    "q": "a" * 40 + "b",
    "rows": [1, 2],
    "made": np.array([1, 2]),
    "day": datetime.date(2020, 1, 2),
    "map": {"x": 1},
    "text": "The Nile is in Egypt. " * 20,
}
TWICE = (
    "{% set ns = namespace(x=(1,), y=(1,)) %}"
    "{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = (ns.y, ns.y) %}{% endfor %}"
)
BOMBS = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ 'x' * 10000 }}{% endfor %}",
    "{% macro m(n) %}{% if n < 40 %}{{ m(n+1) }}{{ m(n+1) }}{% endif %}{% endmacro %}{{ m(0) }}",
    "{% macro m(n) %}{{ m(n+1) }}{% endmacro %}{{ m(0) }}",
    "{% for a in [1,2] recursive %}{{ loop([1,2]) }}{% endfor %}",
    "{{ range(10**5)|map('string')|map('replace', '', 'x' * 10000)|join|length }}",
    "{{ range(10**5)|map('string')|map('replace', '', 'x' * 10000)|list|length }}",
    f"{TWICE}{{{{ ns.x == ns.y }}}}",
    f"{TWICE}{{{{ {{(ns.x, 1): 2}} }}}}",
    f"{TWICE}{{{{ [ns.x, ns.y]|max|length }}}}",
    f"{TWICE.replace('[ns.x, ns.x]', 'dict(a=ns.x, b=ns.x)')}{{{{ [ns.x].count(ns.y) }}}}",
    "{{ 'a' * 10**10 }}",
    "{{ 10**10 * 'a' }}",
    "{{ [1] * 10**10 }}",
    "{{ ([1] * 10**5) * 10**5 }}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '{:>9999999999}'.format(1) }}",
    "{{ '{:>{w}}'.format(1, w=9999999999) }}",
    "{{ '%999999999d'|format(1) }}",
    "{{ ('%s' * 1000) % (('x' * 100000,) * 1000) }}",
    "{{ ('{0}' * 100000).format('x' * 100000) }}",
    "{{ day.strftime('%0999999999d') }}",
    "{{ q|center(10**10) }}",
    "{{ q|indent(10**9) }}",
    "{{ q.ljust(10**10) }}",
    "{{ q.zfill(10**10) }}",
    "{{ q.expandtabs(10**8) }}",
    "{{ (q * 1000).replace('', 'x' * 10**6) }}",
    "{{ (q * 1000)|replace('a', 'x' * 10**6) }}",
    "{{ q.translate({97: 'x' * 10**7}) }}",
    "{{ 'x'.join(['y' * 10**6] * 10**5) }}",
    "{{ (['y' * 10**6] * 10**5)|join }}",
    "{{ ['y' * 10**6] * 10**5 }}",
    "{{ (['y' * 10**6] * 10**5)|string }}",
    "{{ (['y' * 10**6] * 10**5)|tojson }}",
    "{{ (['y' * 10**6] * 10**5) ~ 'x' }}",
    "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
    "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
    "{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
    "{% set n = namespace(s=9) %}{% for i in range(60) %}{% set n.s = n.s * n.s %}{% endfor %}{{ n.s }}",
    "{% for i in range(60) %}{% set x %}{{ 'y' * 10**7 }}{{ 'y' * 10**7 }}{% endset %}{{ x }}{% endfor %}",
    "{{ q|regex_replace('(a|aa)+$', 'x') }}",
    "{{ (q * 100)|regex_replace('a*a*a*a*a*c', 'x') }}",
    "{{ (q * 3000)|regex_replace('a', q * 3000) }}",
    "{{ (q * 3000)|regex_replace('(a)', (q * 300) ~ '\\\\1') }}",
    "{{ (q * 100)|regex_replace('(?=(.*))', '\\\\1' * 1000) }}",
    "{{ (q * 9000)|wordwrap(1, wrapstring='x' * 10**6) }}",
    "{{ ['x']|batch(10**10, 'x')|list }}",
    "{{ [1]|slice(10**9)|list }}",
    "{{ 5|round(-10**9) }}",
    "{{ cycler('x' * 10**9) }}",
    "{{ lipsum(n=10**7) }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "[" * 500 + "]" * 500 + " }}",
]
REACHES = [
    "{{ q.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__.__base__ }}",
    "{{ '{0.__class__.__base__}'.format(q) }}",
    "{{ [q]|map(attribute='__class__')|list }}",
    "{{ q|attr('__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__self__ }}",
    "{% include '/etc/passwd' %}",
    "{% import '/etc/passwd' as x %}",
    "{{ rows.append(3) }}",
    "{{ rows.pop() }}",
    "{{ map.update(x=2) }}",
    "{{ map.clear() }}",
    "{{ made.tofile('OUT') }}",
    "{{ made.dump('OUT') }}",
    "{{ made[0].dump('OUT') }}",
    "{{ made.sort() }}",
    "{{ made.ctypes }}",
    "{{ made.dtype.type('x') }}",
]
ORDINARY = [
    "Question: {{q}}\nAnswer:",
    "{{q.strip()}} {{rows[0]}}{{rows|length}}",
    "{% for x in rows %}{{loop.index}}/{{loop.length}} {{x}}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for k, v in map.items() %}{{k}}={{v}}{% else %}none{% endfor %}",
    "{{ 'a' ~ rows ~ 1.5 ~ none }}",
    "{{ 'a' + 'b' * 3 }}{{ 7 % 3 }}{{ 2 ** 10 }}{{ 'is %s, %03d' % ('x', 5) }}",
    "{{ '{} and {:>5}'.format(1000000, 'x') }}",
    "{{ 'In 1000000 years %s' % q }}{{ 'In 1000000 years {}'.format(1) }}",
    "{{ rows|join(', ') }}{{ rows|map('string')|join('') }}{{ rows|sum }}",
    "{{ q|replace('a', 'c')|upper|center(60)|trim }}{{ q|indent(4) }}{{ q|truncate(10) }}",
    "{{ text|wordwrap(30) }}{{ [3, 1, 2]|sort }}{{ map|tojson }}{{ range(3)|list }}",
    "{% macro m(x) %}<{{x}}>{% endmacro %}{{ m(1) }}{{ m(2) }}{% set y %}{{q}}!{% endset %}{{ y }}",
    "{% set n = namespace(i=0) %}{% for x in rows %}{% set n.i = n.i + x %}{% endfor %}{{ n.i }}",
    "{{ day.year }} {{ day.strftime('%Y-%m') }} {{ map.get('y', 2020000) }} {{ range(2020000, 2020003)|list }}",
    "{{ q.find('b') }}{{ q.count('a') }}{{ q.split('b') }}",
    "{% for a in [[1, [2]], [3]] recursive %}{{ loop(a) if a is iterable else a }},{% endfor %}",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "SECONDS", 0.2)
    monkeypatch.setattr(substitution, "SECONDS", 0.2)


def failure(text: str, mode: str) -> str:
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        rendered("doc_to_text", text, ROW, "t.yaml", "document 3", lambda f, key: print, mode)  # type: ignore[arg-type]
    assert time.monotonic() - start < 10
    return str(caught.value)


@pytest.mark.parametrize("mode", ["right", "lm-eval"])
@pytest.mark.parametrize("text", BOMBS)
def test_a_bomb_is_one_sentence(text: str, mode: str) -> None:
    told = failure(text, mode)
    assert "t.yaml:doc_to_text" in told and "MemoryError" not in told and len(told) < 500
    assert "document 3" in told and "\n" not in told


@pytest.mark.parametrize("mode", ["right", "lm-eval"])
@pytest.mark.parametrize("text", REACHES)
def test_nothing_of_pythons_own_and_no_change(text: str, mode: str, tmp_path: Path) -> None:
    before = repr(ROW)
    text = text.replace("OUT", str(tmp_path / "out"))
    try:
        made = rendered("doc_to_text", text, ROW, "t.yaml", "document 3", lambda f, key: print, mode)  # type: ignore[arg-type]
    except UserError:
        made = ""
    assert "class" not in str(made) and "module" not in str(made)
    assert repr(ROW) == before and not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_templates_say_what_they_say_elsewhere(text: str) -> None:
    expected = SandboxedEnvironment(keep_trailing_newline=True).from_string(text).render(**ROW)
    assert template.text_as_lm_eval(text, ROW) == expected
    if "none" not in text:
        assert template.text(text, ROW) == expected


def test_a_template_that_takes_too_long_is_not_waited_for_a_thousand_times() -> None:
    slow = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{{q}}"
    start = time.monotonic()
    for _ in range(1000):
        failure(slow, "right")
    assert time.monotonic() - start < 5


def test_patterns_that_may_take_long_run_elsewhere_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(substitution, "SECONDS", 20.0)
    for pattern, replacement in [
        ("a+", "x"),
        (r"(a+)(b?)", r"\2\1"),
        (r"(\w+) (\w+)", r"\2 \1"),
        ("", "-"),
        ("(a*b)*", ""),
    ]:
        for text in ("aab ab b", "x" * 5000 + "aab"):
            assert substitution.substituted(text, pattern, replacement) == re.sub(pattern, replacement, text)
    with pytest.raises(re.error):
        substitution.substituted("x", "(", "")
