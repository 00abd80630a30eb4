"""Prompts and responses in a model's token ids, as alignment trains on them: by its own chat template.

A model without a template, such as a base model, is asked in plain turns (`User: ...`, `Assistant:`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.errors import Unsupported
from harness.models.chat import has_template
from harness.models.contract import Described, LanguageModel, tokenizer_of
from harness.models.plain_turns import turns_of
from harness.models.transformers_tokenizer import TransformersTokenizer
from reference_impl.alignment.data.encoding import Encoded, Limits, encode_preferences, encode_prompts
from reference_impl.alignment.data.own_text import OwnText
from reference_impl.alignment.data.rows import Preference, Prompt, PromptText
from reference_impl.alignment.data.text_ids import SpokenText
from reference_impl.alignment.data.transformers_text import TransformersText
from reference_impl.text.chat_template import PLAIN_TURNS

R = TypeVar("R")
T = TypeVar("T")
IN_PLAIN_TURNS = "it has no chat template, so conversations are shown to it as plain turns (`User: ...`, `Assistant:`)"


@dataclass(frozen=True)
class PairIds:
    """A pair of responses to one prompt."""

    row: Preference
    place: int
    """Which of the rows it is."""
    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    """With the token that ends it."""
    rejected: tuple[int, ...]


@dataclass(frozen=True)
class PromptIds:
    """A prompt that is to be answered."""

    row: Prompt
    place: int
    """Which of the rows it is."""
    ids: tuple[int, ...]


def text_ids(model: LanguageModel) -> SpokenText:
    """How a model reads conversations. Raises Unsupported where no response could end."""
    tokenizer: Any = model.tokenizer
    try:
        if isinstance(tokenizer, TransformersTokenizer) and has_template(model):
            return TransformersText(tokenizer.own)
        return OwnText(tokenizer, turns_of(model) or PLAIN_TURNS)
    except ValueError as error:
        raise Unsupported(str(error)) from None


def plain_prompt(model: Described, prompt: PromptText) -> str:
    """A prompt as a text, a conversation in plain turns: for models that are texts in and texts out."""
    return prompt if isinstance(prompt, str) else (turns_of(model) or PLAIN_TURNS).prompt(prompt)


def turn_strings(model: Described) -> tuple[str, ...]:
    """What begins somebody else's turn in plain turns, at which an answer ends; nothing for models with a template of
    `transformers`."""
    if isinstance(tokenizer_of(model), TransformersTokenizer) and turns_of(model) is None and has_template(model):
        return ()
    turns = turns_of(model) or PLAIN_TURNS
    return tuple(f"{turns.between}{marker}:" for marker in (turns.user, turns.system, turns.assistant))


def encoded_pairs(model: LanguageModel, rows: Sequence[Preference]) -> tuple[list[PairIds], list[str]]:
    """Pairs in token ids, and what was left out or cut, a sentence each. A prompt that is too long loses its beginning.

    Raises Unsupported where no pair is left.
    """
    limits = Limits(model.identity.context, long_prompts="keep_end")
    found = _encoded(encode_preferences, rows, model, limits)
    pairs = [
        PairIds(rows[place], place, pair.chosen.prompt, pair.chosen.response, pair.rejected.response)
        for place, pair in zip(found.places, found.items, strict=True)
    ]
    return pairs, [str(one) for one in (*found.excluded, *found.cut)]


def encoded_prompts(model: LanguageModel, rows: Sequence[Prompt], room: int) -> tuple[list[PromptIds], list[str]]:
    """Prompts in token ids that leave `room` tokens of the context for the response, and what was left out or cut.

    Raises Unsupported where no prompt is left.
    """
    limits = Limits(model.identity.context, response=room, long_prompts="keep_end")
    found = _encoded(encode_prompts, rows, model, limits)
    prompts = [PromptIds(rows[place], place, one.ids) for place, one in zip(found.places, found.items, strict=True)]
    return prompts, [str(one) for one in (*found.excluded, *found.cut)]


def _encoded(
    encode: Callable[[Sequence[R], SpokenText, Limits], Encoded[T]],
    rows: Sequence[R],
    model: LanguageModel,
    limits: Limits,
) -> Encoded[T]:
    try:
        return encode(rows, text_ids(model), limits)
    except ValueError as error:
        raise Unsupported(str(error)) from None
