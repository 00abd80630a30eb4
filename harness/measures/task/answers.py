"""Documents as they were asked -> what the model answered, kept document by document so that a kill costs little.

Every document of every task of a cell is planned together: the engines see all requests at once and choose the order.
What is finished is written down at once, under the cell's key; the next try of the cell reads it and asks the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import kept_file, strict_json
from harness.errors import UserError, told
from harness.measures.task.samples.document import Right
from harness.mode import Mode
from harness.models.contract import Described, Generates, Scores, tokenizer_of
from harness.notice import notice
from harness.scoring.written_answer import WrittenAnswer
from harness.tasks.ask import Answer, Asked, Broken, Choice, ChoiceAnswer, Generation, GenerationAnswer, Rolling
from harness.whole_file import write_whole

if TYPE_CHECKING:
    from harness.measures.measure import Load
    from harness.models.contract import LanguageModel
    from harness.scoring.generation import TextRequest
    from harness.scoring.pairs import EncodedPair, Unscorable
    from harness.scoring.request import Scored, TokenScores
    from harness.scoring.thinking import Tags


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


@dataclass
class _Finished:
    """The file of finished documents: a line each, with its checksum under the file's name, the cell's key. A line that
    is damaged (the disk was full, the power gone, or it is another cell's) is a document that did not finish."""

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
                entry = strict_json.loads(kept_file.unseal(line, self.path.name))
                if not ({"log_probs", "hits"} <= entry.keys() or {"prompt", "cut", "samples"} <= entry.keys()):
                    continue
                self.known[entry["task"], entry["document"]] = entry
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
            whole.append(line)
        if torn or len(whole) < len(lines):
            with self._may_fail():
                write_whole(self.path, b"".join(line + b"\n" for line in whole))
        if len(whole) < len(lines):
            notice(f"{self.path}: {len(lines) - len(whole)} answers are damaged in the cache; they are asked again")

    @contextmanager
    def _may_fail(self) -> Iterator[None]:
        """A cache that is full or can't be written to costs the next try of a killed cell, not this result."""
        try:
            yield
        except OSError as error:
            print(f"answers are not kept for another try: {told(error)}", file=sys.stderr)
            self.path = None

    def add(self, asked: Asked, found: dict[str, Any]) -> None:
        """Keep one document; it is on the disk when this returns."""
        if self.path is None:
            return
        entry = strict_json.dumps({"task": asked.task, "document": asked.document, **found})
        with self._may_fail(), self.path.open("a", encoding="utf-8") as file:
            file.write(kept_file.seal(entry, self.path.name) + "\n")


@dataclass(frozen=True)
class _Asking:
    """What every way of asking the documents of one cell needs; the arguments of `answers`."""

    model: LanguageModel
    mode: Mode
    context: int
    seed: int
    tags: Tags
    finished: _Finished
    tell: Callable[[float, str], None]
    """Hears how much is done."""

    def report(self, done: int, of: int) -> None:
        """Say how many documents are answered."""
        self.tell(done / of, f"{done:,} of {of:,} documents")


def answers(
    load: Load,
    model: LanguageModel,
    documents: Sequence[Asked],
    mode: Mode,
    context: int,
    seed: int,
    tags: Tags = (),
) -> Iterator[Evidence | Broken]:
    """What the model says to each document; `Broken` where the model can't be asked it. In no certain order.

    context: tokens that the model may see at once. seed: of sampled generations, which are keyed by it, the task and
    the document. tags: between which the model thinks before it answers.
    """
    finished = _Finished(load.unfinished)
    finished.read()
    asking = _Asking(model, mode, context, seed, tags, finished, load.tell)
    generations = [asked for asked in documents if isinstance(asked.requests[0], Generation)]
    likelihoods = [asked for asked in documents if not isinstance(asked.requests[0], Generation)]
    if tokenizer_of(model) is None:
        yield from _of_texts(model, asking, likelihoods, generations)
        return
    yield from _likelihoods(asking, likelihoods)
    yield from _generations(asking, generations)


def _of_texts(
    model: Described, asking: _Asking, likelihoods: Sequence[Asked], generations: Sequence[Asked]
) -> Iterator[Evidence | Broken]:
    """The same of a model without tokens. What a cell's tasks need of it was looked at before (`Measure.needs`)."""
    from harness.measures.task.text_answers import text_generations, text_likelihoods

    done, tell = asking.finished, asking.report
    if likelihoods:
        assert isinstance(model, Scores)
        yield from text_likelihoods(model, likelihoods, done, tell)
    if generations:
        assert isinstance(model, Generates)
        yield from text_generations(model, [(one, _text_request(asking, one)) for one in generations], done, tell)


def _likelihoods(asking: _Asking, documents: Sequence[Asked]) -> Iterator[Evidence | Broken]:
    from harness.scoring.engine import score

    waiting: list[tuple[Asked, tuple[Scored, ...], tuple[int, ...]]] = []
    for asked, encoded in zip(documents, _encoded(asking, documents), strict=True):
        if isinstance(encoded, str):
            yield Broken(asked.task, asked.document, encoded)
            continue
        requests, cut = encoded
        if (known := asking.finished.known.get((asked.task, asked.document))) is not None:
            log_probs = tuple(tuple(one) for one in known["log_probs"])
            yield Likelihoods(asked, requests, cut, log_probs, tuple(known["hits"]))
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
                evidence = Likelihoods(
                    asked, requests, cut, log_probs, tuple(int(scored.greedy.sum()) for scored in mine)
                )
                asking.finished.add(asked, {"log_probs": evidence.log_probs, "hits": evidence.hits})
                ready.append(evidence)
        asking.report(len(ready), len(waiting))

    score(asking.model, [request for _, requests, _ in waiting for request in requests], on_scored=hear)
    yield from ready


def _encoded(asking: _Asking, documents: Sequence[Asked]) -> Iterator[tuple[tuple[Scored, ...], tuple[int, ...]] | str]:
    """Of each document its requests as tokens and what was cut of them, or why it can't be asked."""
    from harness.models.token_ids import why_unknown
    from harness.scoring.document_encoder import DocumentEncoder
    from harness.scoring.pairs import EncodedPair, Unscorable, encode_choices
    from harness.scoring.rolling import rolling_requests

    encode = DocumentEncoder(asking.model, asking.mode)
    for asked in documents:
        request = asked.requests[0]
        if isinstance(request, Rolling):
            try:
                windows = tuple(rolling_requests(asking.model, request.text, asking.context, asking.mode))
            except UserError as error:
                yield error.message
            else:
                unknown = why_unknown(asking.model, [token for window in windows for token in window.ids])
                yield unknown if unknown is not None else (windows, (0,) * len(windows))
            continue
        pairs = [(one.context, one.continuation) for one in asked.requests if isinstance(one, Choice)]
        encoded = encode_choices(encode, pairs, asking.context)
        wrong = next((pair.reason for pair in encoded if isinstance(pair, Unscorable)), None)
        whole = [pair for pair in encoded if isinstance(pair, EncodedPair)]
        found = (why_unknown(asking.model, pair.scored.ids) for pair in whole)
        wrong = next((why for why in found if why is not None), wrong)
        yield wrong if wrong is not None else (tuple(p.scored for p in whole), tuple(p.cut for p in whole))


def _generations(asking: _Asking, documents: Sequence[Asked]) -> Iterator[Evidence | Broken]:
    from harness.scoring.generation import Completed, Refused, complete_texts

    rights, thinks = _rights(asking, documents), bool(asking.tags)
    waiting = []
    for asked in documents:
        right = rights.get((asked.task, asked.document))
        if isinstance(right, str):
            yield Broken(asked.task, asked.document, right)
        elif (known := asking.finished.known.get((asked.task, asked.document))) is not None:
            samples = tuple(
                WrittenAnswer(text, tuple(ids), tuple(lps), *more) for text, ids, lps, *more in known["samples"]
            )
            yield Generated(asked, tuple(known["prompt"]), known["cut"], samples, right, thinks)
        else:
            waiting.append(asked)
    ready: list[Evidence | Broken] = []

    def hear(place: int, done: Completed | Refused) -> None:
        asked = waiting[place]
        if isinstance(done, Refused):
            ready.append(Broken(asked.task, asked.document, done.reason))
            return
        told = [list(vars(answer).values()) for answer in done.answers]
        asking.finished.add(asked, {"prompt": done.prompt, "cut": done.cut, "samples": told})
        right = rights.get((asked.task, asked.document))
        assert not isinstance(right, str)
        ready.append(Generated(asked, done.prompt, done.cut, done.answers, right, thinks))
        asking.report(len(ready), len(waiting))

    requests = [_text_request(asking, asked) for asked in waiting]
    complete_texts(asking.model, requests, hear, asking.mode, asking.context)
    yield from ready


def _rights(asking: _Asking, documents: Sequence[Asked]) -> dict[tuple[str, int], Right | str]:
    """What the model says to the right answers that are wanted, by task and document; or why one can't be asked."""
    from harness.scoring.engine import score
    from harness.scoring.pairs import Unscorable, encode_pairs

    wanted = [(asked, asked.right) for asked in documents if asked.right is not None]
    pairs = [(choice.context, choice.continuation) for _, choice in wanted]
    encoded = [_known(asking.model, pair) for pair in encode_pairs(asking.model, pairs, asking.context, asking.mode)]
    scores = iter(score(asking.model, [pair.scored for pair in encoded if not isinstance(pair, Unscorable)]))
    found: dict[tuple[str, int], Right | str] = {}
    for (asked, choice), pair in zip(wanted, encoded, strict=True):
        if isinstance(pair, Unscorable):
            found[asked.task, asked.document] = f"the right answer: {pair.reason}"
            continue
        scored = next(scores)
        log_probs, hits = tuple(map(float, scored.log_probs)), int(scored.greedy.sum())
        found[asked.task, asked.document] = Right(log_probs, hits, choice.continuation)
    return found


def _known(model: LanguageModel, pair: EncodedPair | Unscorable) -> EncodedPair | Unscorable:
    """The same pair, or that the model has not all of its tokens."""
    from harness.models.token_ids import why_unknown
    from harness.scoring.pairs import EncodedPair, Unscorable

    why = why_unknown(model, pair.scored.ids) if isinstance(pair, EncodedPair) else None
    return pair if why is None else Unscorable(why)


def _text_request(asking: _Asking, asked: Asked) -> TextRequest:
    from harness.scoring.generation import TextRequest

    wanted = asked.requests[0]
    assert isinstance(wanted, Generation)
    return TextRequest(**vars(wanted), thinking=asking.tags, seed=asking.seed, task=asked.task, document=asked.document)
