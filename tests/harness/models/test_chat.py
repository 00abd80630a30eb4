"""A model's own chat template, and what is said where it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import Unsupported
from harness.models.chat import chat_template, turn_end
from harness.models.transformers_tokenizer import TransformersTokenizer

TURNS = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</>{% endfor %}"
ASKS = "{% if add_generation_prompt %}<assistant>{% endif %}"
USER, SYSTEM = {"role": "user", "content": "q"}, {"role": "system", "content": "S"}
BEGUN = {"role": "assistant", "content": "It is"}


def model(template: str | None) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")))
    tokenizer.chat_template = template
    return SimpleNamespace(tokenizer=TransformersTokenizer(tokenizer))


def test_a_conversation_and_an_answer_that_is_begun() -> None:
    apply = chat_template(model(TURNS + ASKS), as_lm_eval=False)
    assert apply([SYSTEM, USER], True, False) == "<system>S</><user>q</><assistant>"
    assert apply([USER, BEGUN], False, True) == "<user>q</><assistant>It is"


def test_a_system_message_that_is_refused() -> None:
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + TURNS
    dropping = chat_template(model(refuses), as_lm_eval=True)
    assert dropping([SYSTEM, USER], False, False) == "<user>q</>"
    keeping = chat_template(model(refuses), as_lm_eval=False)
    with pytest.raises(Unsupported, match=r"refuses a system message .no system here.: leave out `system`"):
        keeping([SYSTEM, USER], False, False)


@pytest.mark.parametrize("drop", [True, False])
def test_whatever_else_is_refused(drop: bool) -> None:
    apply = chat_template(model("{{ raise_exception('never') }}"), as_lm_eval=drop)
    with pytest.raises(Unsupported, match=r"refuses these messages .never."):
        apply([USER], True, False)


def test_a_template_that_cuts_the_answer() -> None:
    cuts = "{% for m in messages %}{{ m['content'][:2] if m['role'] == 'assistant' else m['content'] }}{% endfor %}"
    apply = chat_template(model(cuts), as_lm_eval=False)
    with pytest.raises(Unsupported, match="can't leave an answer open"):
        apply([USER, BEGUN], False, True)


@pytest.mark.parametrize("without", [model(None), SimpleNamespace(tokenizer=object())])
def test_no_template(without: Any) -> None:
    with pytest.raises(Unsupported, match="no chat template: leave out `chat`"):
        chat_template(without, as_lm_eval=False)


def test_arguments_that_the_template_knows() -> None:
    thinks = TURNS + ASKS + "{% if enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}"
    assert chat_template(model(thinks))([USER], True, False) == "<user>q</><assistant><think>\n"
    off = chat_template(model(thinks), arguments={"enable_thinking": False})
    assert off([USER], True, False) == "<user>q</><assistant>"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("%h %Z %z %%", "Jul UTC +0000 %"),
        ("%%d %%%d %%s", "%d %26 %s"),
        ("%s", "1721952000"),
        ("%D %T %R %F %e %C %n%t|", "07/26/24 00:00:00 00:00 2024-07-26 26 20 \n\t|"),
        ("%c", "Fri Jul 26 00:00:00 2024"),
        ("%-m/%-d %_d %^a %10Y", "7/26 26 FRI 0000002024"),
        ("it's \u6771 %d", "it's \u6771 26"),
    ],
)
def test_every_directive_of_the_clock(asked: str, told: str) -> None:
    template = '{{ strftime_now("' + asked + '") }}' + TURNS
    assert chat_template(model(template))([USER], True, False) == f"{told}<user>q</>"


CLOCK = "{% if strftime_now is defined %}{{ strftime_now('%-d %B %Y, %A %H:%M %y%m%d') }} {% endif %}" + TURNS


def test_the_clock_of_a_template_stands_still() -> None:
    assert chat_template(model(CLOCK))([USER], True, False) == "26 July 2024, Friday 00:00 240726 <user>q</>"
    other = chat_template(model(CLOCK), date="2025-01-03")
    assert other([USER], True, False) == "3 January 2025, Friday 00:00 250103 <user>q</>"
    assert chat_template(model(CLOCK), as_lm_eval=True)([USER], True, False).startswith("26 July 2024")


def test_the_clock_is_heard_within_macros_and_loops() -> None:
    inside = (
        "{% macro day(f) %}{{ strftime_now(f) }}{% endmacro %}{% for m in messages %}{{ day('%d') }}{{ m['content'] }}"
    )
    template = inside + "{% set today = strftime_now('%Y-%m-%d') %}{{ today[:4] }}{% endfor %}"
    assert chat_template(model(template))([USER], True, False) == "26q2024"


@pytest.mark.parametrize("begins", ["", "\n", "\n\n", "  {% if true %}", "{%- if true %}", " x\n"])
def test_a_clock_changes_nothing_else_of_a_template(begins: str) -> None:
    ends = "{% endif %}" if "if" in begins else ""
    plain = chat_template(model(begins + TURNS + ends))([USER], True, False)
    timed = chat_template(model(begins + TURNS + ends + "{{ strftime_now('') }}"))([USER], True, False)
    assert timed == plain


PARTS = "{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}|{% endfor %}"


def test_a_template_that_knows_lists_of_parts_alone() -> None:
    assert chat_template(model(PARTS))([SYSTEM, USER], True, False) == "S|q|"
    assert chat_template(model(PARTS))([USER, BEGUN], False, True) == "q|It is"
    assert chat_template(model(PARTS), as_lm_eval=True)([SYSTEM, USER], True, False) == "||", "lm-eval asks nothing"


def chatty(template: str) -> TransformersTokenizer:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")),
        additional_special_tokens=["<|begin|>", "<|end|>"],
    )
    tokenizer.chat_template = template
    return TransformersTokenizer(tokenizer)


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ("{{ m['content'] }}<|end|>", "<|end|>"),
        ("{% for p in m['content'] %}{{ p['text'] }}{% endfor %}<|end|>\n", "<|end|>"),
        ("{{ m['content'][0]['text'] }}\n<|end|>", "<|end|>"),
        ("{{ m['content'][0]['text'] + '' }}<|end|>", "<|end|>"),
        ("{{ m['content'] }}", "<|begin|>"),  # where the next turn begins
        ("{% for p in m['content'] %}{{ p['text'] }}{% endfor %} a", None),
        ("nothing", None),
    ],
)
def test_what_closes_a_turn(content: str, end: str | None) -> None:
    tokenizer = chatty("{% for m in messages %}<|begin|>" + content + "{% endfor %}")
    found = turn_end(tokenizer)
    assert (None if found is None else tokenizer.decode([found])) == end


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            "{% for m in messages %}{{ m['content'] }",
            "has a syntax error (unexpected '}', line 1): fix `chat_template`",
        ),
        ("Hello!", "doesn't show what a user says"),
    ],
)
def test_a_template_that_can_show_nothing(template: str, sentence: str) -> None:
    with pytest.raises(Unsupported) as refused:
        chat_template(model(template))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}{% endfor %}",
            "drops the system message",
        ),
        (TURNS + "{{ messages[0]['content'] + 1 }}", "(TypeError); fix it"),
    ],
)
def test_a_template_that_drops_or_fails(template: str, sentence: str) -> None:
    with pytest.raises(Unsupported) as refused:
        chat_template(model(template))([SYSTEM, USER], True, False)
    assert sentence in str(refused.value)


def test_the_time_of_a_template_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers shares one environment among its templates: those that others render later have no time of ours."""
    from harness.models.chat_rendering import bounded
    from harness.template_bounds import clock

    with bounded("{% for message in messages %}{{ message }}{% endfor %}"), monkeypatch.context() as patch:
        patch.setattr(clock.time, "monotonic", lambda: 1e12)
        with pytest.raises(clock.TooMuch):
            clock.look()
    with bounded("{% for message in messages %}{{ message }}{% endfor %}"):
        pass
    with monkeypatch.context() as patch:
        patch.setattr(clock.time, "monotonic", lambda: 1e12)
        clock.look()


def test_two_threads_leave_transformers_as_it_was() -> None:
    import threading

    from transformers.utils import chat_template_utils as theirs

    from harness.models.chat_rendering import bounded

    before = theirs._compile_jinja_template
    leave = threading.Event()

    def second() -> None:
        with bounded("a"):
            leave.wait(5)

    other = threading.Thread(target=second)
    with bounded("a"):
        other.start()
        other.join(0.1)
    leave.set()
    other.join()
    assert theirs._compile_jinja_template is before
