"""A document of the measure `task`: what was asked, what was answered, how it was judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.scoring.round_trip import RoundTrip


@dataclass(frozen=True)
class Request:
    """One thing that a model was asked about a document, or one answer that it wrote."""

    prompt: tuple[int, ...]
    """The tokens that it read first, after truncation."""
    cut: int
    """Tokens that the prompt lost at its left."""
    continuation: tuple[int, ...]
    """The tokens after the prompt: scored, or written by the model."""
    log_probs: tuple[float, ...]
    """Of the continuation's tokens, in nats."""
    text: str | None
    """The continuation's text; None where the samples have none (a window of a long text)."""
    greedy: bool | None
    """Whether every token of the continuation was the likeliest; None of written answers."""
    finish: str | None
    """Why a written answer ended: stop_string, end or length."""
    thought: str | None = None
    """What the model thought before it answered, which may be nothing; None where thoughts were not looked for."""
    answered: bool = True
    """False: it still thought when it ended."""
    hits: int | None = None
    """Tokens of the continuation that were the likeliest; None of written answers."""
    context: int | None = None
    """Of a choice: which of the document's `prompts` it was asked after."""

    @property
    def log_prob(self) -> float:
        """Sum over the continuation, in nats."""
        return sum(self.log_probs)


@dataclass(frozen=True)
class Right:
    """What the model said to the right answer after the prompt, where it wrote one and that was wanted too."""

    log_probs: tuple[float, ...]
    """Token by token, in nats."""
    hits: int
    """Tokens that were the likeliest."""
    text: str | None = None
    """None in samples of earlier versions."""


@dataclass(frozen=True)
class Document:
    """One document."""

    task: str
    number: int
    """Its place in the task's split."""
    broken: str | None
    """Why it could not be asked or judged."""
    cluster: str | None = None
    """What documents share that are not independent."""
    shots: tuple[int, ...] = ()
    """Places of the few-shot examples in their split."""
    gold: tuple[int, ...] = ()
    """Right choices."""
    target: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    chance: float | None = None
    """What guessing gets."""
    text_digest: str | None = None
    """Of what was asked and what is right, as text."""
    question_digest: str | None = None
    """Of the document and what is right, however it is asked."""
    prompts: tuple[str, ...] = ()
    """The different prompts' texts, before truncation."""
    requests: tuple[Request, ...] = ()
    """One per choice, then one per choice without context where those were asked; or one per window, or per answer."""
    right: Right | None = None
    extracted: Mapping[str, Any] = field(default_factory=dict)
    """By filter pipeline, what was judged."""
    programs: Mapping[str, Any] = field(default_factory=dict)
    """By filter pipeline, how each program ended."""
    wrong_by_space: bool | None = None
    """Of written answers in mode lm-eval: whether white space at the ends alone makes one wrong."""
    predictions: Mapping[str, int] = field(default_factory=dict)
    """By rule, the choice that it takes."""
    items: Mapping[str, Any] = field(default_factory=dict)
    """By metric, what the document adds to it."""
    row: Mapping[str, Any] | None = None
    """The document itself, as it was judged."""
    shown_target: str | None = None
    """What its file takes for right."""
    lost: RoundTrip | None = None
    """What the tokenizer loses of the texts whose likelihood was taken; None where there is none."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """How the task's items become numbers; empty until all of them are judged."""

    @property
    def written(self) -> bool:
        """Whether the model wrote the continuations."""
        return any(request.finish is not None for request in self.requests)

    @property
    def is_whole(self) -> bool:
        """Whether the model saw it at once: no beginning was cut off, and no text was read in windows."""
        in_windows = not self.choices and not self.written and len(self.requests) > 1
        return not in_windows and max((request.cut for request in self.requests), default=0) == 0

    @property
    def chosen(self) -> tuple[Request, ...]:
        """The requests of the choices, in their order; empty where there are none."""
        return self.requests[: len(self.choices)] if not self.written else ()

    @property
    def unconditional(self) -> tuple[Request, ...]:
        """The choices without their context, where those were asked."""
        return self.requests[len(self.choices) :] if len(self.requests) == 2 * len(self.choices) else ()

    def rules(self) -> dict[str, tuple[float, ...]]:
        """Of each rule that takes a choice (acc, acc_norm, …): its value of every choice; the highest is taken."""
        if not self.chosen:
            return {}
        sums = [request.log_prob for request in self.chosen]
        rules = {
            "acc": sums,
            "acc_norm": _per(sums, [len(choice) for choice in self.choices]),
            "acc_bytes": _per(sums, [len(choice.encode("utf-8", "surrogatepass")) for choice in self.choices]),
            "acc_tokens": _per(sums, [len(request.continuation) for request in self.chosen]),
        }
        if self.unconditional:
            rules["acc_mutual_info"] = [
                value - request.log_prob for value, request in zip(sums, self.unconditional, strict=True)
            ]
        return {rule: tuple(values) for rule, values in rules.items()}


def _per(sums: list[float], lengths: list[int]) -> list[float]:
    return [value / length if length else float("nan") for value, length in zip(sums, lengths, strict=True)]
