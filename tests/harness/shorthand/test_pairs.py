"""`key=value` as one types it: what values are read as, and what is no pair."""

from __future__ import annotations

import pytest

from harness.errors import UserError
from harness.shorthand.pairs import nested, pairs, put_into


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        (["temperature=0.8,top_p=0.95"], {"temperature": 0.8, "top_p": 0.95}),
        (["a=1", "b=true", "a=2"], {"a": 2, "b": True}),
        (['until=["\\n\\n", "a,b"],x=[1,2]'], {"until": ["\n\n", "a,b"], "x": [1, 2]}),
        (["x=None,y=(1,2),z=text with blanks"], {"x": None, "y": [1, 2], "z": "text with blanks"}),
        (["pretrained=a/b=c"], {"pretrained": "a/b=c"}),
        (['{"max_seq_lengths": [4096]}'], {"max_seq_lengths": [4096]}),
        (["a=1,"], {"a": 1}),
        (["revision=0123"], {"revision": "0123"}),
        ([], {}),
    ],
)
def test_values_are_read_as_lm_eval_reads_them(texts: list[str], read: dict[str, object]) -> None:
    assert pairs(texts, "--gen") == read


@pytest.mark.parametrize("text", ["temperature", "=1", "a=1,b", "{'a': 1}", "{a"])
def test_what_is_no_pair(text: str) -> None:
    with pytest.raises(UserError, match=r"^--gen: "):
        pairs([text], "--gen")


def test_dots_go_deeper_and_values_are_yaml() -> None:
    assert nested(["train.steps=20", "train.mix=[a, b]", "revision='1'"], "--set") == {
        "train": {"steps": 20, "mix": ["a", "b"]},
        "revision": "1",
    }
    assert put_into({"train": {"corpus": "c", "steps": 1}}, {"train": {"steps": 2}}) == {
        "train": {"corpus": "c", "steps": 2}
    }


@pytest.mark.parametrize("texts", [["train"], ["train..steps=1"], ["a=1", "a.b=2"], ["a=[1"]])
def test_what_is_no_setting(texts: list[str]) -> None:
    with pytest.raises(UserError, match=r"^--set: "):
        nested(texts, "--set")
