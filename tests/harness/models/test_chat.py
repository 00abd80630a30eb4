"""A model's own chat template, and what is said where it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import Unsupported
from harness.models.chat import chat_template
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
    apply = chat_template(model(TURNS + ASKS), drop_refused_system=False)
    assert apply([SYSTEM, USER], True, False) == "<system>S</><user>q</><assistant>"
    assert apply([USER, BEGUN], False, True) == "<user>q</><assistant>It is"


def test_a_system_message_that_is_refused() -> None:
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + TURNS
    dropping = chat_template(model(refuses), drop_refused_system=True)
    assert dropping([SYSTEM, USER], False, False) == "<user>q</>"
    keeping = chat_template(model(refuses), drop_refused_system=False)
    with pytest.raises(Unsupported, match=r"refuses a system message .no system here.: leave out `system`"):
        keeping([SYSTEM, USER], False, False)


@pytest.mark.parametrize("drop", [True, False])
def test_whatever_else_is_refused(drop: bool) -> None:
    apply = chat_template(model("{{ raise_exception('never') }}"), drop_refused_system=drop)
    with pytest.raises(Unsupported, match=r"refuses these messages .never."):
        apply([USER], True, False)


def test_a_template_that_cuts_the_answer() -> None:
    apply = chat_template(model("{% for m in messages %}{{ m['content'][:2] }}{% endfor %}"), drop_refused_system=True)
    with pytest.raises(Unsupported, match="can't leave an answer open"):
        apply([USER, BEGUN], False, True)


@pytest.mark.parametrize("without", [model(None), SimpleNamespace(tokenizer=object())])
def test_no_template(without: Any) -> None:
    with pytest.raises(Unsupported, match="no chat template: leave out `chat`"):
        chat_template(without, drop_refused_system=False)
