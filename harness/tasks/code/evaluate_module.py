"""What helper code of task files gets for `import evaluate`: SQuAD's two metrics, and the real library for the others.

The real library fetches a metric's script from the network when it is loaded; these two need neither.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from harness.errors import UserError

Answer = Mapping[str, Any]
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def evaluate_module() -> ModuleType:
    """A module to use in the place of `evaluate`."""
    if importlib.util.find_spec("evaluate") is None:
        module = ModuleType("evaluate")
        vars(module).update(load=_load, __version__="0.4.0")
        return module
    real = importlib.import_module("evaluate")
    module = ModuleType("evaluate")
    vars(module).update(vars(real))

    def load(path: str, *arguments: Any, **options: Any) -> Any:
        return _Metric(METRICS[path]) if path in METRICS else real.load(path, *arguments, **options)

    vars(module).update(load=load)
    return module


class _Metric:
    def __init__(self, compute: Callable[..., dict[str, Any]]) -> None:
        self.compute = compute


def _load(path: str, *arguments: Any, **options: Any) -> _Metric:
    if path not in METRICS:
        raise UserError(f"this task's code loads the metric `{path}` of `evaluate`; pip install evaluate")
    return _Metric(METRICS[path])


def squad(*, predictions: Sequence[Answer], references: Sequence[Answer], **options: Any) -> dict[str, float]:
    """Exact match and F1 of words in percent, the best of a question's answers (Rajpurkar et al. 2016)."""
    pairs = [
        (str(said["prediction_text"]), list(right["answers"]["text"]))
        for said, right in _paired(predictions, references)
    ]
    exact = [max(float(_normal(said) == _normal(answer)) for answer in answers) for said, answers in pairs]
    shared = [max(_shared_words(said, answer) for answer in answers) for said, answers in pairs]
    return {"exact_match": 100.0 * sum(exact) / len(pairs), "f1": 100.0 * sum(shared) / len(pairs)}


def squad_v2(
    *,
    predictions: Sequence[Answer],
    references: Sequence[Answer],
    no_answer_threshold: float = 1.0,
    **options: Any,
) -> dict[str, float]:
    """The scores of SQuAD 2.0's own script in percent (Rajpurkar et al. 2018, arXiv:1806.03822).

    `best_*`: where a question is taken as unanswerable from the best of all thresholds on.
    """
    pairs = _paired(predictions, references)
    texts = [str(said["prediction_text"]) for said, _ in pairs]
    doubts = [float(said["no_answer_probability"]) for said, _ in pairs]
    answerable = [bool(right["answers"]["text"]) for _, right in pairs]
    exact, shared = [], []
    for text, (_, right) in zip(texts, pairs, strict=True):
        answers = [answer for answer in right["answers"]["text"] if _normal(answer)] or [""]
        exact.append(max(float(_normal(text) == _normal(answer)) for answer in answers))
        shared.append(max(_f1(text, answer) for answer in answers))

    def judged(raw: Sequence[float]) -> list[float]:
        return [
            float(not has) if doubt > no_answer_threshold else score
            for score, doubt, has in zip(raw, doubts, answerable, strict=True)
        ]

    scores = {"exact": judged(exact), "f1": judged(shared)}
    found: dict[str, float] = {name: _percent(values) for name, values in scores.items()} | {"total": len(pairs)}
    for prefix, wanted in (("HasAns", True), ("NoAns", False)):
        places = [place for place, has in enumerate(answerable) if has is wanted]
        if places:
            found |= {f"{prefix}_{name}": _percent([values[p] for p in places]) for name, values in scores.items()}
            found[f"{prefix}_total"] = len(places)
    for name, raw in (("exact", exact), ("f1", shared)):
        found[f"best_{name}"], found[f"best_{name}_thresh"] = _best(texts, raw, doubts, answerable)
    return found


METRICS: dict[str, Callable[..., dict[str, Any]]] = {"squad": squad, "squad_v2": squad_v2}
"""Metrics of `evaluate` that are here."""


def _paired(predictions: Sequence[Answer], references: Sequence[Answer]) -> list[tuple[Answer, Answer]]:
    """By place where the ids agree, so that a document that a bootstrap drew twice counts twice; else by id."""
    if [said["id"] for said in predictions] == [right["id"] for right in references]:
        return list(zip(predictions, references, strict=True))
    by_id = {said["id"]: said for said in predictions}
    return [(by_id[right["id"]], right) for right in references if right["id"] in by_id]


def _best(
    texts: Sequence[str], raw: Sequence[float], doubts: Sequence[float], answerable: Sequence[bool]
) -> tuple[float, float]:
    """The best score in percent over all thresholds of no answer, and that threshold."""
    score = best = float(answerable.count(False))
    threshold = 0.0
    for place in sorted(range(len(texts)), key=lambda place: doubts[place]):
        score += raw[place] if answerable[place] else -1.0 if texts[place] else 0.0
        if score > best:
            best, threshold = score, doubts[place]
    return 100.0 * best / len(texts), threshold


def _percent(values: Sequence[float]) -> float:
    return 100.0 * sum(values) / len(values)


def _normal(text: str) -> str:
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", kept).split())


def _f1(said: str, answer: str) -> float:
    one, other = _normal(said).split(), _normal(answer).split()
    return float(one == other) if not one or not other else _shared_words(said, answer)


def _shared_words(said: str, answer: str) -> float:
    one, other = _normal(said).split(), _normal(answer).split()
    shared = (Counter(one) & Counter(other)).total()
    return 0.0 if shared == 0 else 2.0 * shared / (len(one) + len(other))
