"""Documents as they were asked -> what the model answered, kept document by document so that a kill costs little.

Every document of every task of a cell is planned together: the engines see all requests at once and choose the order.
What is finished is written down at once, under the cell's key; the next try of the cell reads it and asks the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.tasks.ask import Answer, Asked, Broken, Choice, ChoiceAnswer, Generation, GenerationAnswer, Rolling
from harness.tasks.config import Mode

if TYPE_CHECKING:
    from harness.measures.measure import Load
    from harness.models.contract import LanguageModel
    from harness.scoring.generation import TextRequest
    from harness.scoring.request import Scored, TokenScores


@dataclass(frozen=True)
class Likelihoods:
    """What the model said to the choices, or to the windows of a text, of one document."""

    asked: Asked
    requests: tuple[Scored, ...]
    cut: tuple[int, ...]
    """Tokens of each request's context that did not fit."""
    log_probs: tuple[tuple[float, ...], ...]
    """Of each request's scored tokens, in nats."""
    greedy: tuple[bool, ...]
    """Whether every scored token of a request was the likeliest."""

    @property
    def answer(self) -> Answer:
        """The same without tokens: one answer per request of the task."""
        each = [
            ChoiceAnswer(sum(log_probs), greedy, len(log_probs))
            for log_probs, greedy in zip(self.log_probs, self.greedy, strict=True)
        ]
        if isinstance(self.asked.requests[0], Rolling):
            whole = ChoiceAnswer(sum(a.log_prob for a in each), all(self.greedy), sum(a.tokens for a in each))
            return (whole,)
        return tuple(each)


@dataclass(frozen=True)
class Drawn:
    """One continuation."""

    text: str
    """Cut before a stop string, not stripped."""
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    finish: str
    """stop_string, end (of text), or length: it was cut off."""


@dataclass(frozen=True)
class Generated:
    """What the model wrote for one document."""

    asked: Asked
    prompt: tuple[int, ...]
    cut: int
    """Tokens of the prompt that did not fit."""
    samples: tuple[Drawn, ...]

    @property
    def answer(self) -> Answer:
        """The texts alone."""
        return GenerationAnswer(tuple(sample.text for sample in self.samples))


Evidence = Likelihoods | Generated


@dataclass
class _Finished:
    """The file of finished documents: a line each. A line that can't be read (the disk was full, the power gone) is a
    document that did not finish."""

    path: Path | None
    known: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)

    def read(self) -> None:
        """What an earlier try finished."""
        if self.path is None or not self.path.is_file():
            return
        *lines, torn = self.path.read_bytes().split(b"\n")
        whole = []
        for line in lines:
            try:
                entry = json.loads(line)
                if not ({"log_probs", "greedy"} <= entry.keys() or {"prompt", "cut", "samples"} <= entry.keys()):
                    continue
                self.known[entry["task"], entry["document"]] = entry
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
            whole.append(line)
        if torn or len(whole) < len(lines):
            self.path.write_bytes(b"".join(line + b"\n" for line in whole))

    def add(self, asked: Asked, found: dict[str, Any]) -> None:
        """Keep one document; it is on the disk when this returns."""
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"task": asked.task, "document": asked.document, **found}) + "\n")


def answers(
    load: Load, model: LanguageModel, documents: Sequence[Asked], mode: Mode, context: int, seed: int
) -> Iterator[Evidence | Broken]:
    """What the model says to each document; `Broken` where the model can't be asked it. In no certain order.

    context: tokens that the model may see at once. seed: of sampled generations, which are keyed by it, the task and
    the document.
    """
    finished = _Finished(load.unfinished)
    finished.read()
    generations = [asked for asked in documents if isinstance(asked.requests[0], Generation)]
    likelihoods = [asked for asked in documents if not isinstance(asked.requests[0], Generation)]
    yield from _likelihoods(load, model, likelihoods, mode, context, finished)
    yield from _generations(load, model, generations, mode, context, seed, finished)


def _likelihoods(
    load: Load, model: LanguageModel, documents: Sequence[Asked], mode: Mode, context: int, finished: _Finished
) -> Iterator[Evidence | Broken]:
    from harness.scoring.engine import score

    waiting: list[tuple[Asked, tuple[Scored, ...], tuple[int, ...]]] = []
    for asked, encoded in zip(documents, _encoded(model, documents, mode, context), strict=True):
        if isinstance(encoded, str):
            yield Broken(asked.task, asked.document, encoded)
            continue
        requests, cut = encoded
        if (known := finished.known.get((asked.task, asked.document))) is not None:
            log_probs = tuple(tuple(one) for one in known["log_probs"])
            yield Likelihoods(asked, requests, cut, log_probs, tuple(known["greedy"]))
        elif not requests:  # an empty text has no windows, and the likelihood of nothing is 1
            yield Likelihoods(asked, (), (), (), ())
        else:
            waiting.append((asked, requests, cut))
    owner = [number for number, (_, requests, _) in enumerate(waiting) for _ in requests]
    first = [0, *accumulate(len(requests) for _, requests, _ in waiting)]
    missing = [len(requests) for _, requests, _ in waiting]
    scores: list[TokenScores | None] = [None] * len(owner)
    ready: list[Likelihoods] = []

    def hear(places: Sequence[int], found: Sequence[TokenScores]) -> None:
        for place, scored in zip(places, found, strict=True):
            scores[place] = scored
            number = owner[place]
            missing[number] -= 1
            if missing[number] == 0:
                asked, requests, cut = waiting[number]
                mine = [scored for scored in scores[first[number] : first[number] + len(requests)] if scored]
                log_probs = tuple(tuple(map(float, scored.log_probs)) for scored in mine)
                evidence = Likelihoods(asked, requests, cut, log_probs, tuple(scored.all_greedy for scored in mine))
                finished.add(asked, {"log_probs": evidence.log_probs, "greedy": evidence.greedy})
                ready.append(evidence)
        load.tell(len(ready) / len(waiting), f"{len(ready):,} of {len(waiting):,} documents")

    score(model, [request for _, requests, _ in waiting for request in requests], on_scored=hear)
    yield from ready


def _encoded(
    model: LanguageModel, documents: Sequence[Asked], mode: Mode, context: int
) -> Iterator[tuple[tuple[Scored, ...], tuple[int, ...]] | str]:
    """Of each document its requests as tokens and what was cut of them, or why it can't be asked."""
    from harness.scoring.pairs import Unscorable, encode_pairs
    from harness.scoring.rolling import rolling_requests

    pairs = [
        (request.context, request.continuation)
        for asked in documents
        for request in asked.requests
        if isinstance(request, Choice)
    ]
    encoded = iter(encode_pairs(model.tokenizer, pairs, context, mode))
    for asked in documents:
        request = asked.requests[0]
        if isinstance(request, Rolling):
            windows = tuple(rolling_requests(model.tokenizer, request.text, context, mode))
            yield windows, (0,) * len(windows)
            continue
        mine = [next(encoded) for _ in asked.requests]
        wrong = next((pair.reason for pair in mine if isinstance(pair, Unscorable)), None)
        whole = [pair for pair in mine if not isinstance(pair, Unscorable)]
        yield wrong if wrong is not None else (tuple(p.scored for p in whole), tuple(p.cut for p in whole))


def _generations(
    load: Load,
    model: LanguageModel,
    documents: Sequence[Asked],
    mode: Mode,
    context: int,
    seed: int,
    finished: _Finished,
) -> Iterator[Evidence | Broken]:
    from harness.scoring.generation import Completed, Refused, complete_texts

    waiting = []
    for asked in documents:
        if (known := finished.known.get((asked.task, asked.document))) is not None:
            samples = tuple(Drawn(text, tuple(ids), tuple(lps), end) for text, ids, lps, end in known["samples"])
            yield Generated(asked, tuple(known["prompt"]), known["cut"], samples)
        else:
            waiting.append(asked)
    ready: list[Evidence | Broken] = []

    def hear(place: int, done: Completed | Refused) -> None:
        asked = waiting[place]
        if isinstance(done, Refused):
            ready.append(Broken(asked.task, asked.document, done.reason))
            return
        samples = tuple(Drawn(answer.text, answer.tokens, answer.log_probs, answer.finish) for answer in done.answers)
        told = [[sample.text, sample.tokens, sample.log_probs, sample.finish] for sample in samples]
        finished.add(asked, {"prompt": done.prompt, "cut": done.cut, "samples": told})
        ready.append(Generated(asked, done.prompt, done.cut, samples))
        load.tell(len(ready) / len(waiting), f"{len(ready):,} of {len(waiting):,} documents")

    complete_texts(model, [_text_request(asked, seed) for asked in waiting], hear, mode, context)
    yield from ready


def _text_request(asked: Asked, seed: int) -> TextRequest:
    from harness.scoring.generation import TextRequest

    wanted = asked.requests[0]
    assert isinstance(wanted, Generation)
    return TextRequest(
        wanted.context,
        wanted.until,
        wanted.max_new,
        wanted.temperature,
        wanted.top_p,
        wanted.top_k,
        wanted.samples,
        seed,
        asked.task,
        asked.document,
    )
