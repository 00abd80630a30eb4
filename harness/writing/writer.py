"""One answer as it comes, and what it took: the time to its first token, tokens a second, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.errors import UserError
from harness.measures.memory_meter import memory_meter
from harness.models.contract import LanguageModel
from harness.scoring.document_encoder import DocumentEncoder
from harness.scoring.generation import Completed, TextRequest, context_ids
from harness.scoring.streaming import stream_text
from harness.scoring.thinking import Tags, thought_first
from harness.writing.settings import WritingSettings


@dataclass(frozen=True)
class Took:
    """What an answer took."""

    seconds: float
    """From the request to the last token."""
    ttft: float | None
    """Time to first token, in seconds; None where the answer came at once (beams)."""
    tokens_per_second: float | None
    """Of the tokens after the first: (n - 1) / (seconds - ttft); None of one token."""
    memory: int
    """Most bytes that the process held while it answered, weights included; of a GPU, that its tensors took."""
    weight_bytes: int
    kv_bytes: int
    """Keys and values of the prompt and the answer."""


@dataclass(frozen=True)
class Written:
    """A text that a model wrote."""

    text: str
    prompt_tokens: int
    """That the model read."""
    cut: int
    """Tokens of the prompt that were dropped at its left because it was too long."""
    finish: str
    """end: the model ended it; stop_string; length: it has as many tokens as it may; interrupted."""
    tokens: int
    """Drawn, the one that ended it and those of a thought included."""
    took: Took | None = None
    """None of answers that were written side by side with others."""
    thought: str | None = None
    """What it thought before."""


class Writer:
    """An answer under way: iterating gives its pieces, which join to `written.text`; that is there at the end, or after
    `stop`, which may be called at any time."""

    def __init__(self, model: LanguageModel, request: TextRequest, sample: int = 0) -> None:
        self.in_thought = False
        """Whether the model still thinks, so that nothing of its answer can be shown."""
        self.on_thought: Callable[[str], None] = _unseen
        """Is given what the model thinks, in pieces."""
        self.tokens = 0
        """Drawn so far."""
        self._model, self._request, self._sample = model, request, sample
        self._written: Written | None = None
        self._ends = False
        self._began = self._last = time.perf_counter()
        self._first: float | None = None
        self._shown: list[str] = []
        self._thoughts: list[str] = []
        self._meter = memory_meter(model.identity.device)

    @property
    def written(self) -> Written:
        """The whole answer. Raises UserError while it is not there."""
        if self._written is None:
            raise UserError("the answer has not ended: iterate over its pieces first")
        return self._written

    def end(self) -> None:
        """Stop after the next token; what was written until then is the answer."""
        self._ends = True

    def stop(self) -> None:
        """Stop here, also in the middle of a token: what was shown is the answer, unless that was whole already."""
        if self._written is None:
            prompt, thought = self._prompt(), "".join(self._thoughts)
            cut = max(0, len(prompt) - (self._model.identity.context - self._request.max_new))
            told = thought if thought or self.in_thought else None
            took = self._took(len(prompt) - cut)
            shown = "".join(self._shown)
            self._written = Written(shown, len(prompt) - cut, cut, "interrupted", self.tokens, took, told)

    def __iter__(self) -> Iterator[str]:
        """The pieces, each as soon as nothing that comes can change it. Raises UserError where it can't be served."""
        self._began = self._last = time.perf_counter()
        self._prompt()
        for found in stream_text(self._model, self._request, self._sample):
            if isinstance(found, Completed):
                [answer] = found.answers
                took = self._took(len(found.prompt))
                self._written = Written(
                    answer.text, len(found.prompt), found.cut, answer.finish, self.tokens, took, answer.thought
                )
                return
            self._last = time.perf_counter()
            self._first = self._first or self._last
            self.tokens, self.in_thought = found.tokens, found.in_thought
            if found.thought:
                self._thoughts.append(found.thought)
                self.on_thought(found.thought)
            if found.text:
                self._shown.append(found.text)
                yield found.text
            if self._ends:
                break
        self.stop()

    def _prompt(self) -> tuple[int, ...]:
        context = self._request.context
        if isinstance(context, tuple):
            return context
        try:
            return context_ids(DocumentEncoder(self._model), context)
        except ValueError as error:
            raise UserError(str(error)) from None

    def _took(self, prompt: int) -> Took:
        identity, beams = self._model.identity, self._request.beams > 1
        began, first, last = self._began, self._first, self._last
        ttft = None if first is None or beams else first - began
        after = None if first is None or self.tokens < 2 or last <= first else (self.tokens - 1) / (last - first)
        return Took(
            last - began,
            ttft,
            after,
            self._meter.peak(),
            identity.weight_bytes,
            round(identity.kv_bytes(prompt + self.tokens)),
        )


def _unseen(thought: str) -> None:
    """Nobody wants to see it."""


def text_request(
    model: LanguageModel,
    context: str | tuple[int, ...],
    settings: WritingSettings,
    *,
    number: int = 0,
    samples: int = 1,
    tags: Tags = (),
) -> TextRequest:
    """What the scoring engine is asked for a prompt. number: of the prompt, for its draws. tags: between which the
    model thinks. Raises UserError where an answer leaves no room for a prompt."""
    told: dict[str, Any] = settings.model_dump(exclude={"max_tokens", "stop"})
    room, most = settings.room(model.identity.context), model.identity.context - 1
    if room > most:
        raise UserError(
            f"{room} new tokens leave no room for the prompt in the context of {most + 1} tokens of "
            f"{model.identity.name}: ask for at most {most}",
            place="max_tokens",
        )
    return TextRequest(
        context, settings.stop, room, **told, thinking=tags, parting=thought_first, samples=samples, document=number
    )
