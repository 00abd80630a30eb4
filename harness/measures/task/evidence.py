"""What a model answered to one document, before it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harness.measures.task.samples.document import Right
from harness.scoring.written_answer import WrittenAnswer
from harness.tasks.ask import Answer, Asked, ChoiceAnswer, GenerationAnswer, Rolling

if TYPE_CHECKING:
    from harness.scoring.request import Scored


class NoTokens(NamedTuple):
    """In place of `Scored`, what was asked of a model without tokens."""

    ids: tuple[int, ...] = ()
    start: int = 0


@dataclass(frozen=True)
class Likelihoods:
    """What the model said to the choices, or to the windows of a text, of one document."""

    asked: Asked
    requests: tuple[Scored | NoTokens, ...]
    cut: tuple[int, ...]
    """Tokens of each request's context that did not fit."""
    log_probs: tuple[tuple[float, ...], ...]
    """Of each request's scored tokens, in nats."""
    hits: tuple[int, ...]
    """Of each request, the scored tokens that were the likeliest."""
    of_whole_texts: bool = False
    """Whether the model has no tokens: a log-probability is of a whole text, and a hit says that it would write it."""

    @property
    def greedy(self) -> tuple[bool, ...]:
        """Whether every scored token of a request was the likeliest."""
        return tuple(hits == len(each) for hits, each in zip(self.hits, self.log_probs, strict=True))

    @property
    def answer(self) -> Answer:
        """The same without tokens: one answer per request of the task."""
        each = [
            ChoiceAnswer(sum(log_probs), hits, None if self.of_whole_texts else len(log_probs))
            for log_probs, hits in zip(self.log_probs, self.hits, strict=True)
        ]
        if isinstance(self.asked.requests[0], Rolling) and not self.of_whole_texts:
            whole = ChoiceAnswer(*(sum(getattr(a, part) for a in each) for part in ("log_prob", "hits", "tokens")))
            return (whole,)
        return tuple(each)


@dataclass(frozen=True)
class Generated:
    """What the model wrote for one document."""

    asked: Asked
    prompt: tuple[int, ...]
    cut: int
    """Tokens of the prompt that did not fit."""
    samples: tuple[WrittenAnswer, ...]
    right: Right | None = None
    """Of `Asked.right`."""
    thinks: bool = False
    """Whether thoughts were looked for."""
    of_whole_texts: bool = False
    """See `Likelihoods.of_whole_texts`."""

    @property
    def answer(self) -> Answer:
        """The same without tokens."""
        right = self.right
        told = None
        if right is not None:
            tokens = None if self.of_whole_texts else len(right.log_probs)
            told = ChoiceAnswer(sum(right.log_probs), right.hits, tokens)
        answered = tuple(sample.answered for sample in self.samples) if self.thinks else None
        return GenerationAnswer(tuple(sample.text for sample in self.samples), told, answered)


Evidence = Likelihoods | Generated
