"""A document with what the model answered, as one row of samples: what it saw token by token, and how it was judged."""

from __future__ import annotations

import hashlib
from typing import Any

from harness import strict_json
from harness.measures.measure import Sample
from harness.measures.task.answers import Evidence, Generated, Likelihoods
from harness.tasks.ask import Asked, Broken, Choice, Generation, Rolling
from harness.tasks.judging.metrics import Scores


def broken_row(broken: Broken) -> Sample:
    """A document that could not be asked or judged."""
    return {"task": broken.task, "document": broken.document, "broken": broken.reason}


def row(evidence: Evidence, scores: Scores, chance: float | None) -> Sample:
    """A document that was judged. Columns are told in `docs/tasks.md`."""
    asked = evidence.asked
    shown = _likelihoods(evidence) if isinstance(evidence, Likelihoods) else _generated(evidence, scores)
    return {
        "task": asked.task,
        "document": asked.document,
        "broken": None,
        "cluster": asked.cluster,
        "shots": list(asked.shots),
        "gold": _listed(asked.gold),
        "target": [asked.target] if isinstance(asked.target, str) else list(asked.target or ()),
        "choices": list(asked.choices),
        "chance": chance,
        "text_digest": text_digest(asked),
        "question_digest": question_digest(asked),
        **shown,
        "predictions": strict_json.dumps(scores.predictions),
        "items": strict_json.dumps(scores.items),
        **{key: float(item) for key, item in scores.items.items() if isinstance(item, int | float)},
    }


def document(asked: Asked) -> Sample:
    """The document itself, as it was judged, and what its file takes for right."""
    return {
        "doc": strict_json.dumps(asked.row, default=str, ensure_ascii=False),
        "shown_target": str(asked.shown_target),
    }


def text_digest(asked: Asked) -> str:
    """Hash of what was asked and what is right: equal for two models that were asked the same."""
    told = [[vars(request) for request in asked.requests], asked.choices, asked.gold, asked.target]
    return hashlib.sha256(strict_json.dumps(told, default=str).encode()).hexdigest()[:16]


def question_digest(asked: Asked) -> str:
    """Hash of the document and what is right, however it is asked: equal with and without few-shot examples."""
    told = [asked.row, asked.choices, asked.gold, asked.target]
    return hashlib.sha256(strict_json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()[:16]


def _likelihoods(evidence: Likelihoods) -> Sample:
    prompts: dict[tuple[int, ...], int] = {}
    places, continuations = [], []
    for request in evidence.requests:
        places.append(prompts.setdefault(request.ids[: request.start], len(prompts)))
        continuations.append(list(request.ids[request.start :]))
    texts = _prompts(evidence.asked)
    contexts = [texts.index(r.context) for r in evidence.asked.requests if isinstance(r, Choice)]
    return {
        "prompts": texts,
        "context_of": contexts,
        "prompt_ids": [list(ids) for ids in prompts],
        "prompt_of": places,
        "cut": list(evidence.cut),
        "continuations": [r.continuation for r in evidence.asked.requests if isinstance(r, Choice)],
        "continuation_ids": continuations,
        "log_probs": [list(each) for each in evidence.log_probs],
        "greedy": list(evidence.greedy),
        "hits": list(evidence.hits),
    }


def _generated(evidence: Generated, scores: Scores) -> Sample:
    return {
        "prompts": _prompts(evidence.asked),
        "prompt_ids": [list(evidence.prompt)],
        "prompt_of": [0] * len(evidence.samples),
        "cut": [evidence.cut],
        "continuations": [sample.text for sample in evidence.samples],
        "continuation_ids": [list(sample.tokens) for sample in evidence.samples],
        "log_probs": [list(sample.log_probs) for sample in evidence.samples],
        "finish": [sample.finish for sample in evidence.samples],
        **_thoughts(evidence),
        "extracted": strict_json.dumps({name: found.value for name, found in scores.extracted.items()}, default=str),
        "programs": strict_json.dumps(scores.programs),
        "wrong_by_space": scores.wrong_by_space,
        **_right(evidence),
    }


def _thoughts(evidence: Generated) -> Sample:
    """Of a model that thinks before it answers: what it thought, and whether it came to an answer."""
    if not evidence.thinks:
        return {}
    return {
        "thoughts": [sample.thought or "" for sample in evidence.samples],
        "answered": [sample.answered for sample in evidence.samples],
    }


def _right(evidence: Generated) -> Sample:
    """Of the right answer, where its likelihood was wanted."""
    if evidence.right is None:
        return {}
    beside = {} if evidence.asked.right is None else {"right": evidence.asked.right.continuation}
    return {"right_log_probs": list(evidence.right.log_probs), "right_hits": evidence.right.hits, **beside}


def _prompts(asked: Asked) -> list[str]:
    """The contexts, each once: the choices of a document mostly share theirs."""
    texts = [
        request.context if isinstance(request, Choice | Generation) else request.text
        for request in asked.requests
        if isinstance(request, Choice | Generation | Rolling)
    ]
    return list(dict.fromkeys(texts))


def _listed(gold: Any) -> list[int]:
    return [] if gold is None else list(gold) if isinstance(gold, tuple) else [gold]
