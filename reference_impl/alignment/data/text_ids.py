"""What turns prompts and responses into token ids, as a model meets them when it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reference_impl.alignment.data.rows import PromptText

Ids = tuple[int, ...]


class TextIds(Protocol):
    """A tokenizer with a chat template.

    The ids of a prompt are those that the model is given when it answers, whatever follows; a response is tokenized
    after them. So a token never reaches over the boundary, in training as in generation.
    """

    @property
    def prefix(self) -> Ids:
        """What begins every text (BOS); a prompt that is cut keeps it."""

    def prompt(self, prompt: PromptText) -> Ids:
        """A prompt that is to be answered. Raises Unusable for one that the chat template refuses."""

    def answered(self, prompt: PromptText, response: str) -> tuple[Ids, Ids]:
        """(prompt, response), the response with the token that ends it. The prompt begins with `self.prompt(prompt)`
        and is equal to it, but where a chat template puts more before what is learned.

        Raises Unusable for what the chat template refuses.
        """


class SpokenText(TextIds, Protocol):
    """Which also says what token ids say."""

    def said(self, prompt: PromptText, response: Sequence[int]) -> str:
        """What a response in token ids says, its end left out: the inverse of `answered`."""
