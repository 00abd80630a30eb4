"""A text that begins a document, as token ids: with what the tokenizer puts first, once.

A text may spell that out itself: chat templates write BOS, and so do some documents. Then nothing is added. Nor is
anything put after the text, whatever the tokenizer does when it is called: EOS there would end what is to be continued.

Special tokens that are spelled in a text are read as those tokens, as lm-eval and transformers do: chat templates and
many task files write them on purpose. A document of a data set can so end its own prompt; `special_token_documents`
of the measure `task` counts such documents.

In mode lm-eval the rules are lm-eval 0.4.13's: nothing stands before a text but BOS, else EOS; whether a text begins
with that is a matter of its characters; and what the tokenizer puts after a text stays there.
"""

from __future__ import annotations

from harness.errors import UserError
from harness.mode import Mode
from harness.models.token_ids import Reads as Reads


class DocumentEncoder:
    """Encodes texts for one model in one mode."""

    def __init__(self, model: Reads, mode: Mode = "right") -> None:
        self.mode = mode
        self.tokenizer = model.tokenizer
        self.prefix: tuple[int, ...] = model.identity.prefix
        """What stands before every text."""
        declared = (model.tokenizer.bos_id, model.tokenizer.eos_id)
        as_lm_eval = tuple(token for token in declared if token is not None)[:1]
        self._start = as_lm_eval if mode == "lm-eval" else model.identity.start
        first = self._start if mode == "lm-eval" else self.prefix
        spelled = self.tokenizer.decode(list(first)) if first else ""
        read_as_that = mode == "lm-eval" or (first and first[-1] in self.tokenizer.encode(spelled))
        self._spelled = spelled if read_as_that else ""
        self._last: tuple[str, tuple[int, ...]] | None = None

    @property
    def start(self) -> tuple[int, ...]:
        """What stands for nothing before a text. Raises UserError where the tokenizer has nothing for that."""
        if not self._start:
            raise UserError(
                "the tokenizer has neither BOS nor EOS, so nothing can stand before a text's first token: declare one "
                "in tokenizer_config.json, or ask with a context"
            )
        return self._start

    def __call__(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that begins a document."""
        ids = self.bare(text)
        if self.mode == "lm-eval":
            adds = not (self._spelled and text.startswith(self._spelled))
            return (*self.prefix, *ids, *self.tokenizer.suffix) if adds else ids
        if self._spelled and text.lstrip().startswith(self._spelled):
            return ids
        return with_prefix(self.prefix, ids)

    def prompt(self, text: str) -> tuple[int, ...]:
        """The same for a text that is to be continued in writing, which lm-eval compares with BOS alone."""
        if self.mode == "lm-eval" and self.tokenizer.bos_id is None:
            return (*self.prefix, *self.bare(text), *self.tokenizer.suffix)
        return self(text)

    def context(self, text: str) -> tuple[int, ...]:
        """The same for a text that is likely to be asked for again at once: choices share their context."""
        if self._last is None or self._last[0] != text:
            self._last = (text, self(text))
        return self._last[1]

    def bare(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, nothing added."""
        return tuple(self.tokenizer.encode(text))


def with_prefix(prefix: tuple[int, ...], ids: tuple[int, ...]) -> tuple[int, ...]:
    """The ids after the prefix, of which they may bring the whole or the end themselves."""
    written = next((k for k in range(len(prefix), 0, -1) if ids[:k] == prefix[-k:]), 0)
    return (*prefix[: len(prefix) - written], *ids)
