"""Which tags a tokenizer or a chat template declares to stand around thoughts."""

from __future__ import annotations

import pytest

from harness.models.thinking_tags import CHANNELS, thinking_tags

THINK = ("<think>", "</think>")


@pytest.mark.parametrize(
    ("token", "pair"),
    [
        ("<think>", THINK),
        ("</think>", THINK),
        ("<thinking>", ("<thinking>", "</thinking>")),
        ("<thought>", ("<thought>", "</thought>")),
        ("</reasoning>", ("<reasoning>", "</reasoning>")),
        ("[THINK]", ("[THINK]", "[/THINK]")),
        ("[/THINK]", ("[THINK]", "[/THINK]")),
        ("<seed:think>", ("<seed:think>", "</seed:think>")),
        ("◁/think▷", ("◁think▷", "◁/think▷")),
        ("<|think|>", ("<|think|>", "<|/think|>")),
        ("<|begin_of_thought|>", ("<|begin_of_thought|>", "<|end_of_thought|>")),
        ("<|START_THINKING|>", ("<|START_THINKING|>", "<|END_THINKING|>")),
        ("<|thinking_start|>", ("<|thinking_start|>", "<|thinking_end|>")),
    ],
)
def test_one_tag_of_a_pair_is_enough(token: str, pair: tuple[str, str]) -> None:
    assert thinking_tags([token, "<|im_end|>"], None) == (pair,)
    assert thinking_tags([], f"{{{{ m }}}}{token}\n") == (pair,)


def test_a_closing_tag_may_be_of_either_word() -> None:
    begins, starts = (f"<|{word}_of_thought|>" for word in ("begin", "start"))
    assert thinking_tags(["<|end_of_thought|>"], None) == tuple(
        (opening, "<|end_of_thought|>") for opening in (begins, starts)
    )


@pytest.mark.parametrize(
    "token", ["<thinker>", "think", "<answer>", "<rethink>", "<think]", " <think> 5", "<|im_start|>"]
)
def test_no_tag(token: str) -> None:
    assert thinking_tags([token], None) == ()


def test_channels_of_harmony() -> None:
    template = (
        "<|start|>assistant<|channel|>analysis<|message|>{{ t }}<|end|><|start|>assistant<|channel|>final<|message|>"
    )
    assert thinking_tags([], template) == (CHANNELS,)
    assert thinking_tags([], "<|channel|>final<|message|>") == ()
