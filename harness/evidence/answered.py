"""A document of the measure `task` as its samples tell it: what was read, what was answered, how it was judged.

Read back from one row of samples, with whatever columns it has: a broken document lacks most, an older run some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness import strict_json

if TYPE_CHECKING:
    import pandas as pd

NOT_METRICS = ("document", "chance", "shots", "seed", "right_hits")
"""Columns of numbers that are no metric."""


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
    """What the model thought before it answered; None where it didn't, or thoughts were not looked for."""
    answered: bool = True
    """False: it still thought when it ended."""

    @property
    def log_prob(self) -> float:
        """Sum over the continuation, in nats."""
        return sum(self.log_probs)


@dataclass(frozen=True)
class Answered:
    """One document."""

    task: str
    document: int
    broken: str | None
    """Why it could not be asked or judged."""
    cluster: str | None = None
    shots: tuple[int, ...] = ()
    """Places of the few-shot examples in their split."""
    gold: tuple[int, ...] = ()
    """Right choices."""
    target: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    chance: float | None = None
    digest: str | None = None
    """Of what was asked and what is right, as text."""
    prompts: tuple[str, ...] = ()
    """The different prompts' texts, before truncation."""
    requests: tuple[Request, ...] = ()
    """One per choice, then one per choice without context where those were asked; or one per window, or per answer."""
    extracted: Mapping[str, Any] = field(default_factory=dict)
    """By filter pipeline, what was judged."""
    programs: Mapping[str, Any] = field(default_factory=dict)
    """By filter pipeline, how each program ended."""
    predictions: Mapping[str, int] = field(default_factory=dict)
    """By rule, the choice that it takes."""
    items: Mapping[str, Any] = field(default_factory=dict)
    """By metric, what the document adds to it."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """How the task's items become numbers."""

    @property
    def written(self) -> bool:
        """Whether the model wrote the continuations."""
        return any(request.finish is not None for request in self.requests)

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


def has_documents(samples: pd.DataFrame) -> bool:
    """Whether these are samples of the measure `task`."""
    return {"task", "document"} <= set(samples.columns)


def metric_columns(samples: pd.DataFrame) -> list[str]:
    """The columns that hold a number per document for a metric, in their order."""
    return [
        str(name)
        for name in samples.columns
        if samples[name].dtype.kind in "fiub" and str(name) not in NOT_METRICS and samples[name].notna().any()
    ]


def pieces(samples: pd.DataFrame) -> dict[int, str]:
    """The text of every token id of a cell's samples, where they tell it."""
    known = list(samples["pieces"].dropna()) if "pieces" in samples.columns else []
    return {int(token): text for token, text in strict_json.loads(known[0]).items()} if known else {}


def answered(row: Mapping[Any, Any]) -> Answered:
    """A row of samples, as `frame.loc[i].to_dict()` gives it."""
    return Answered(
        task=str(row["task"]),
        document=int(row["document"]),
        broken=_text(row.get("broken")),
        cluster=_text(row.get("cluster")),
        shots=tuple(int(place) for place in _list(row.get("shots"))),
        gold=tuple(int(place) for place in _list(row.get("gold"))),
        target=tuple(str(text) for text in _list(row.get("target"))),
        choices=tuple(str(text) for text in _list(row.get("choices"))),
        chance=None if _absent(row.get("chance")) else float(row["chance"]),
        digest=_text(row.get("text_digest")),
        prompts=tuple(str(text) for text in _list(row.get("prompts"))),
        requests=_requests(row),
        extracted=_json(row.get("extracted")),
        programs=_json(row.get("programs")),
        predictions={rule: int(choice) for rule, choice in _json(row.get("predictions")).items()},
        items=_json(row.get("items")),
        spec=_json(row.get("spec")),
    )


def _requests(row: Mapping[Any, Any]) -> tuple[Request, ...]:
    continuations = [tuple(map(int, ids)) for ids in _list(row.get("continuation_ids"))]
    prompts = [tuple(map(int, ids)) for ids in _list(row.get("prompt_ids"))]
    count = len(continuations)
    places = _padded(row.get("prompt_of"), count)
    cut, texts, greedy, finish, log_probs, thoughts, came = (
        _padded(row.get(name), count)
        for name in ("cut", "continuations", "greedy", "finish", "log_probs", "thoughts", "answered")
    )
    return tuple(
        Request(
            prompt=prompts[int(places[at] or 0)] if prompts else (),
            cut=int(cut[at] or 0),
            continuation=continuations[at],
            log_probs=tuple(map(float, _list(log_probs[at]))),
            text=_text(texts[at]),
            greedy=None if greedy[at] is None else bool(greedy[at]),
            finish=_text(finish[at]),
            thought=_text(thoughts[at]) or None,
            answered=came[at] is None or bool(came[at]),
        )
        for at in range(count)
    )


def _padded(value: Any, count: int) -> list[Any]:
    """A list of one entry per request: a single entry holds for all, what is missing is None."""
    listed = _list(value)
    if len(listed) == 1:
        return listed * count
    return [*listed, *[None] * (count - len(listed))]


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _list(value: Any) -> list[Any]:
    """A list, whatever pandas made of it: an array, None or NaN."""
    return [] if _absent(value) else list(value)


def _text(value: Any) -> str | None:
    return None if _absent(value) else str(value)


def _json(value: Any) -> dict[str, Any]:
    if _absent(value):
        return {}
    found = strict_json.loads(value)
    return found if isinstance(found, dict) else {}
