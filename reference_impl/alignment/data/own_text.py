"""Token ids by a tokenizer of ours: `ByteBPE`, and the plain-text chat template."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impl.alignment.data.rows import PromptText
from reference_impl.alignment.data.text_ids import Ids
from reference_impl.text.any_tokenizer import Tokenizer
from reference_impl.text.chat_template import PLAIN_TURNS, ChatTemplate


class OwnText:
    """`TextIds` of a tokenizer of ours. BOS and EOS are the same token, 0, and no text can spell it."""

    def __init__(self, tokenizer: Tokenizer, template: ChatTemplate = PLAIN_TURNS) -> None:
        """Raises ValueError for a tokenizer that can't end a response (characters)."""
        if tokenizer.eos_id is None:
            raise ValueError("this tokenizer has no EOS token, so no response could end; train a ByteBPE.")
        self.template = template
        self._tokenizer, self._eos = tokenizer, tokenizer.eos_id
        self._ids_of_last: tuple[str, Ids] = ("", ())
        """The last prompt's text and ids: two responses to it follow one another."""

    @property
    def prefix(self) -> Ids:
        """See `TextIds`."""
        return self._tokenizer.prefix

    def prompt(self, prompt: PromptText) -> Ids:
        """See `TextIds`."""
        text = prompt if isinstance(prompt, str) else self.template.prompt(prompt)
        if text != self._ids_of_last[0]:
            self._ids_of_last = text, tuple(self._tokenizer.encode(text))
        return (*self.prefix, *self._ids_of_last[1])

    def answered(self, prompt: PromptText, response: str) -> tuple[Ids, Ids]:
        """See `TextIds`."""
        text = response if isinstance(prompt, str) else self.template.response(response)
        return self.prompt(prompt), (*self._tokenizer.encode(text), self._eos)

    def said(self, prompt: PromptText, response: Sequence[int]) -> str:
        """What a response in token ids says, its EOS left out: the inverse of `answered`, for rewards."""
        ids = list(response[:-1] if response and response[-1] == self._eos else response)
        text = self._tokenizer.decode(ids)
        return text if isinstance(prompt, str) else self.template.content(text)
