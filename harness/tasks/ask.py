"""What a task asks of a model about one document, and what came back: text, not yet tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Row = dict[str, Any]
"""One document: a row of a data set."""


@dataclass(frozen=True)
class Choice:
    """How likely is `continuation` after `context`?"""

    context: str
    continuation: str


@dataclass(frozen=True)
class Rolling:
    """How likely is the whole text?"""

    text: str


@dataclass(frozen=True)
class Generation:
    """Continue `context` until one of `until`, or `max_new` tokens."""

    context: str
    until: tuple[str, ...]
    max_new: int
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    beams: int = 1
    """Above 1: beam search."""
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    """Of beam search, as transformers knows them."""
    samples: int = 1
    """Continuations that are wanted, each drawn for itself."""


@dataclass(frozen=True)
class Asked:
    """One document as it is asked."""

    task: str
    document: int
    """Its place in the evaluation split (after process_docs), whatever the limit."""
    row: Row
    requests: tuple[Choice, ...] | tuple[Rolling] | tuple[Generation]
    """multiple_choice: one Choice per choice, then, where a metric needs it, one per choice without context."""
    choices: tuple[str, ...] = ()
    """The choices' texts, without delimiter."""
    gold: int | tuple[int, ...] | None = None
    """Index (or indexes, any of which is right) among the choices."""
    target: str | tuple[str, ...] | None = None
    """What a generated answer is compared with."""
    cluster: str | None = None
    shots: tuple[int, ...] = ()
    """Places of the few-shot examples in their split."""
    right: Choice | None = None
    """Of a written answer: the right one after the prompt, where its likelihood is wanted too."""
    empty_question: bool = False
    """Whether its own question is empty."""
    shown_target: Any = None
    """What `doc_to_target` gives, before it becomes `gold` or `target`."""


@dataclass(frozen=True)
class Broken:
    """A document that could not be asked or judged: it is counted and shown, never dropped."""

    task: str
    document: int
    reason: str
    """One sentence with the file, the key and the fix."""


@dataclass(frozen=True)
class ChoiceAnswer:
    """Of one `Choice` or `Rolling`."""

    log_prob: float
    """Sum over the continuation's tokens, in nats."""
    hits: int
    """Tokens of it that were the likeliest, each given the ones before it."""
    tokens: int | None
    """None of a model without tokens: then `hits` is 1 where it would write the whole text, and else 0."""

    @property
    def greedy(self) -> bool:
        """Whether greedy decoding would give it."""
        return self.hits == (1 if self.tokens is None else self.tokens)


@dataclass(frozen=True)
class GenerationAnswer:
    """Of one `Generation`: its samples' texts, cut before a stop string, not stripped."""

    texts: tuple[str, ...]
    right: ChoiceAnswer | None = None
    """Of `Asked.right`."""
    answered: tuple[bool, ...] | None = None
    """Of each sample of a model that thinks first, whether it came to an answer; None where that isn't looked at."""


Answer = tuple[ChoiceAnswer, ...] | GenerationAnswer
"""In the order of `Asked.requests`."""
