"""What a model answered to a document, and how that was judged, as it is kept."""

from __future__ import annotations

import hashlib

from harness import strict_json
from harness.measures.task.evidence import Evidence, Generated, Likelihoods
from harness.measures.task.samples.document import Document, Request
from harness.tasks.ask import Asked, Broken, Choice, Generation, Rolling
from harness.tasks.judging.metrics import Scores


def broken_document(broken: Broken) -> Document:
    """A document that could not be asked or judged."""
    return Document(broken.task, broken.document, broken.reason)


def document_of(evidence: Evidence, scores: Scores, chance: float | None, judged: Asked | None = None) -> Document:
    """A document that was judged. judged: as it was, with its row and what its file takes for right."""
    asked = evidence.asked
    prompts = _prompts(asked)
    return Document(
        task=asked.task,
        number=asked.document,
        broken=None,
        cluster=asked.cluster,
        shots=asked.shots,
        gold=_listed(asked.gold),
        target=(asked.target,) if isinstance(asked.target, str) else asked.target or (),
        choices=asked.choices,
        chance=chance,
        text_digest=text_digest(asked),
        question_digest=question_digest(asked),
        prompts=tuple(prompts),
        requests=_scored(evidence, prompts) if isinstance(evidence, Likelihoods) else _written(evidence),
        right=evidence.right if isinstance(evidence, Generated) else None,
        extracted={name: found.value for name, found in scores.extracted.items()},
        programs=scores.programs,
        wrong_by_space=scores.wrong_by_space,
        predictions=scores.predictions,
        items=scores.items,
        row=None if judged is None else judged.row,
        shown_target=None if judged is None else str(judged.shown_target),
    )


def text_digest(asked: Asked) -> str:
    """Hash of what was asked and what is right: equal for two models that were asked the same."""
    told = [[vars(request) for request in asked.requests], asked.choices, asked.gold, asked.target]
    return hashlib.sha256(strict_json.dumps(told, default=str).encode()).hexdigest()[:16]


def question_digest(asked: Asked) -> str:
    """Hash of the document and what is right, however it is asked: equal with and without few-shot examples."""
    told = [asked.row, asked.choices, asked.gold, asked.target]
    return hashlib.sha256(strict_json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()[:16]


def _scored(evidence: Likelihoods, prompts: list[str]) -> tuple[Request, ...]:
    continuations = [request for request in evidence.asked.requests if isinstance(request, Choice)]
    texts = [(one.continuation, prompts.index(one.context)) for one in continuations]
    windows = [(None, None)] * len(evidence.requests)
    return tuple(
        Request(
            prompt=tuple(request.ids[: request.start]),
            cut=cut,
            continuation=tuple(request.ids[request.start :]),
            log_probs=log_probs,
            text=text,
            greedy=greedy,
            finish=None,
            hits=hits,
            context=context,
        )
        for request, cut, log_probs, greedy, hits, (text, context) in zip(
            evidence.requests,
            evidence.cut,
            evidence.log_probs,
            evidence.greedy,
            evidence.hits,
            texts or windows,
            strict=True,
        )
    )


def _written(evidence: Generated) -> tuple[Request, ...]:
    return tuple(
        Request(
            prompt=evidence.prompt,
            cut=evidence.cut,
            continuation=sample.tokens,
            log_probs=sample.log_probs,
            text=sample.text,
            greedy=None,
            finish=sample.finish,
            thought=sample.thought or "" if evidence.thinks else None,
            answered=sample.answered,
        )
        for sample in evidence.samples
    )


def _prompts(asked: Asked) -> list[str]:
    """The contexts, each once: the choices of a document mostly share theirs."""
    texts = [
        request.context if isinstance(request, Choice | Generation) else request.text
        for request in asked.requests
        if isinstance(request, Choice | Generation | Rolling)
    ]
    return list(dict.fromkeys(texts))


def _listed(gold: int | tuple[int, ...] | None) -> tuple[int, ...]:
    return () if gold is None else gold if isinstance(gold, tuple) else (gold,)
