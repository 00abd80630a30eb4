"""What a model answers that has no tokens to show: a text's likelihood, or a text, is all that it gives.

The samples of such a model hold no token: prompts and continuations have no ids, each log-probability is that of a
whole text, and metrics that count tokens are not given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from harness.measures.task.evidence import Evidence, Generated, Likelihoods, NoTokens
from harness.measures.task.samples.document import Right
from harness.models.contract import Generates, Prompt, Scores
from harness.scoring.generation import TextRequest, sample_seed
from harness.scoring.stops import cut_at_stops
from harness.scoring.written_answer import WrittenAnswer
from harness.tasks.ask import Asked, Broken, Choice, Rolling

AT_ONCE = 64
"""Documents that the model is given at once: then what it said is kept, and a kill loses no more."""
WRITES_PLAINLY = (
    "this model writes by temperature, top_p and top_k until a stop string that says something: ask it without beams, "
    "min_p and repetition_penalty"
)


class Finished(Protocol):
    """Where finished documents are kept for another try of the cell."""

    known: dict[tuple[str, int], dict[str, Any]]

    def add(self, asked: Asked, found: dict[str, Any]) -> None:
        """Keep one document."""


Report = Callable[[int, int], None]
"""Hears how many documents are answered, and of how many."""


def text_likelihoods(
    model: Scores, documents: Sequence[Asked], finished: Finished, report: Report
) -> Iterator[Evidence]:
    """What the model says to the choices, or to the text, of each document."""
    waiting = []
    for asked in documents:
        if (known := finished.known.get((asked.task, asked.document))) is not None:
            yield _likelihoods(asked, [log_prob for (log_prob,) in known["log_probs"]], known["hits"])
        else:
            waiting.append(asked)
    for first in range(0, len(waiting), AT_ONCE):
        some = waiting[first : first + AT_ONCE]
        pairs = [(one.context, one.continuation) for asked in some for one in asked.requests if isinstance(one, Choice)]
        texts = [one.text for asked in some for one in asked.requests if isinstance(one, Rolling)]
        scores = iter(model.loglikelihood(pairs) if pairs else ())
        rolled = iter(model.loglikelihood_rolling(texts) if texts else ())
        for asked in some:
            if isinstance(asked.requests[0], Rolling):
                log_probs, hits = [next(rolled)], [0]
            else:
                mine = [next(scores) for _ in asked.requests]
                log_probs, hits = [score.log_prob for score in mine], [int(score.greedy) for score in mine]
            finished.add(asked, {"log_probs": [[log_prob] for log_prob in log_probs], "hits": hits})
            yield _likelihoods(asked, log_probs, hits)
        report(first + len(some), len(waiting))


def _likelihoods(asked: Asked, log_probs: Sequence[float], hits: Sequence[int]) -> Likelihoods:
    return Likelihoods(
        asked,
        requests=(NoTokens(),) * len(log_probs),
        cut=(0,) * len(log_probs),
        log_probs=tuple((float(log_prob),) for log_prob in log_probs),
        hits=tuple(hits),
        of_whole_texts=True,
    )


def text_generations(
    model: Generates, documents: Sequence[tuple[Asked, TextRequest]], finished: Finished, report: Report
) -> Iterator[Evidence | Broken]:
    """What the model writes for each document; `Broken` where it is asked to write in a way that it can't."""
    rights = _rights(model, [asked for asked, _ in documents])
    waiting = []
    for asked, request in documents:
        right = rights.get((asked.task, asked.document))
        if (known := finished.known.get((asked.task, asked.document))) is not None:
            samples = tuple(WrittenAnswer(text, (), (), finish) for text, _, _, finish, *_ in known["samples"])
            yield Generated(asked, (), 0, samples, right, of_whole_texts=True)
        elif request.beams > 1 or request.min_p or request.repetition_penalty != 1 or request.until == ("",):
            yield Broken(asked.task, asked.document, WRITES_PLAINLY)
        else:
            waiting.append((asked, request, right))
    for first in range(0, len(waiting), AT_ONCE):
        some = waiting[first : first + AT_ONCE]
        prompts = [prompt for _, request, _ in some for prompt in _prompts(request)]
        written = iter(model.generate_until(prompts))
        for asked, request, right in some:
            answers = []
            for _ in _prompts(request):
                found = next(written)
                text = cut_at_stops(found.text, [stop for stop in request.until if stop])
                finish = found.finish if text == found.text else "stop_string"
                answers.append(WrittenAnswer(text, (), (), finish))
            samples = tuple(answers) * (request.samples // len(answers))  # greedy ones are written once
            finished.add(
                asked, {"prompt": (), "cut": 0, "samples": [list(vars(answer).values()) for answer in samples]}
            )
            yield Generated(asked, (), 0, samples, right, of_whole_texts=True)
        report(first + len(some), len(waiting))


def _prompts(request: TextRequest) -> list[Prompt]:
    """One for each answer; a single one where all would be the same."""
    assert isinstance(request.context, str)
    first = Prompt(
        request.context,
        request.until,
        request.max_new,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
    )
    seeds = (
        sample_seed(request.seed, request.task, request.document, sample)
        for sample in range(1 if request.temperature == 0 else request.samples)
    )
    return [replace(first, seed=seed) for seed in seeds]


def _rights(model: Generates, documents: Sequence[Asked]) -> dict[tuple[str, int], Right]:
    """What the model says to the right answers that are wanted, by task and document."""
    wanted = [(asked, asked.right) for asked in documents if asked.right is not None]
    if not wanted:
        return {}
    assert isinstance(model, Scores)  # a cell that wants them needs it
    scores = model.loglikelihood([(choice.context, choice.continuation) for _, choice in wanted])
    return {
        (asked.task, asked.document): Right((score.log_prob,), int(score.greedy))
        for (asked, _), score in zip(wanted, scores, strict=True)
    }
