"""Documents as they were asked -> what the model answered, kept document by document so that a kill costs little.

Every document of every task of a cell is planned together: the engines see all requests at once and choose the order.
What is finished is written down at once, under the cell's key; the next try of the cell reads it and asks the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.measures.task.evidence import Evidence, Generated, Likelihoods
from harness.measures.task.finished_documents import FinishedDocuments
from harness.measures.task.samples.document import Right
from harness.mode import Mode
from harness.models.contract import Described, Generates, Scores, tokenizer_of
from harness.scoring.written_answer import WrittenAnswer
from harness.tasks.ask import Asked, Broken, Choice, Generation, Rolling

if TYPE_CHECKING:
    from harness.measures.measure import Load
    from harness.models.contract import LanguageModel
    from harness.scoring.generation import TextRequest
    from harness.scoring.pairs import EncodedPair, Unscorable
    from harness.scoring.request import Scored, TokenScores
    from harness.scoring.thinking import Tags


@dataclass(frozen=True)
class _Asking:
    """What every way of asking the documents of one cell needs; the arguments of `answers`."""

    model: LanguageModel
    mode: Mode
    context: int
    seed: int
    tags: Tags
    finished: FinishedDocuments
    tell: Callable[[float, str], None]
    """Hears how much is done."""
    before: int = 0
    """Documents of the cell that were asked in another way before these."""
    after: int = 0
    """And those that will be."""
    began: float = field(default_factory=time.monotonic)

    def report(self, done: int, of: int) -> None:
        """Say how many documents are answered."""
        seconds = time.monotonic() - self.began
        rate = f", {done / seconds:.2g} documents/s" if seconds > 0 else ""
        self.tell((self.before + done) / (self.before + of + self.after), f"{done:,} of {of:,} documents{rate}")


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
    finished = FinishedDocuments(load.unfinished)
    finished.read()
    generations = [asked for asked in documents if isinstance(asked.requests[0], Generation)]
    likelihoods = [asked for asked in documents if not isinstance(asked.requests[0], Generation)]
    asking = _Asking(model, mode, context, seed, tags, finished, load.tell, after=len(generations))
    of_generations = replace(asking, before=len(likelihoods), after=0)
    if tokenizer_of(model) is None:
        yield from _of_texts(model, asking, likelihoods, generations)
        return
    yield from _likelihoods(asking, likelihoods)
    yield from _generations(of_generations, generations)


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
        tell = replace(asking, before=len(likelihoods), after=0).report
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
