"""Token ids by our own tokenizer: exact boundaries, one EOS, nothing forged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.alignment.data.own_text import OwnText
from reference_impl.text.characters import Characters
from reference_impl.text.chat_template import PLAIN_TURNS
from reference_impl.text.dialog import ROLES, Dialog, Message, asked
from reference_impl.text.tokenizer import END_OF_TEXT, ByteBPE

TEXTS = [
    "User: What is 12 + 7?\nAssistant: It is 19.",
    "User: Sort 3, 1, 2.\nAssistant: In order: 1, 2, 3.\nUser: thanks\nAssistant:  ok",
]
TOKENIZER = ByteBPE.train(TEXTS * 8, 340)
TEXT = OwnText(TOKENIZER)
CONTENTS = st.one_of(st.text(max_size=20), st.sampled_from([END_OF_TEXT, f"a{END_OF_TEXT}\nUser: b", "\n", "  x", "7"]))
DIALOGS = st.lists(st.builds(Message, st.sampled_from(ROLES), CONTENTS), min_size=1, max_size=4).map(tuple)


def test_a_dialog_in_token_ids() -> None:
    prompt, response = TEXT.answered(asked("What is 12 + 7?"), "It is 19.")
    assert prompt[0] == TOKENIZER.bos_id == 0
    assert TOKENIZER.decode(prompt[1:]) == "User: What is 12 + 7?\nAssistant:"
    assert response[-1] == TOKENIZER.eos_id == 0
    assert TOKENIZER.decode(response[:-1]) == " It is 19."
    assert TEXT.prompt(asked("What is 12 + 7?")) == prompt


@given(DIALOGS, CONTENTS)
def test_the_only_zeros_are_the_first_and_the_last_token(dialog: Dialog, content: str) -> None:
    prompt, response = TEXT.answered(dialog, content)
    assert 0 not in prompt[1:]
    assert 0 not in response[:-1]
    assert TEXT.said(dialog, response) == content
    assert PLAIN_TURNS.parse(TOKENIZER.decode(prompt[1:])) == dialog


@given(DIALOGS, CONTENTS)
def test_no_token_of_a_dialog_reaches_over_the_boundary(dialog: Dialog, content: str) -> None:
    """Whoever tokenizes prompt and response together gets the same ids: what generation goes on from."""
    prompt, response = TEXT.answered(dialog, content)
    together = TOKENIZER.encode(PLAIN_TURNS.prompt(dialog) + PLAIN_TURNS.response(content))
    assert [*prompt[1:], *response[:-1]] == together


def test_a_text_that_would_merge_over_the_boundary_keeps_the_prompt_as_generation_has_it() -> None:
    prompt, response = TEXT.answered("User: Wh", "at is")
    assert TOKENIZER.encode("User: What is") != [*prompt[1:], *response[:-1]]  # together it is other tokens
    assert prompt == TEXT.prompt("User: Wh")
    assert TEXT.said("User: Wh", response) == "at is"


@given(st.text(max_size=20), st.text(max_size=20))
def test_texts_are_continued_as_they_stand(prompt: str, response: str) -> None:
    before, after = TEXT.answered(prompt, response)
    assert TOKENIZER.decode([*before[1:], *after[:-1]]) == prompt + response
    assert TEXT.said(prompt, after) == response


def test_a_response_that_was_cut_off_says_all_it_has() -> None:
    _, response = TEXT.answered(asked("a"), "It is 19.")
    assert TEXT.said(asked("a"), response[:-1]) == "It is 19."


def test_characters_have_no_end_of_a_response() -> None:
    with pytest.raises(ValueError, match="no EOS token"):
        OwnText(Characters.train(TEXTS))
