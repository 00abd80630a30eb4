"""Where two evaluations of a cell differ, in words: prompts, log-likelihoods, texts, extraction, scores, numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from our_side import Evaluated

from harness.results.record import Measurement

TOLERANCE = 1e-4
"""Of a log-likelihood, in nats."""
BOOTSTRAP = 100_000
"""lm-eval's default number of draws, which ours is in mode lm-eval."""
PERPLEXITY_DIGITS = 1e-5
"""Relative: fp32 determines what is beneath a perplexity no further; lm-eval's own differs so between batch sizes."""

LARGE = 1e6


def differences(theirs: Mapping[str, Any], ours: Evaluated) -> list[str]:
    """One sentence for each thing that is not as lm-eval has it. `theirs`: a line of `peer.py`."""
    found = []
    if list(theirs["documents"]) != list(ours.documents):
        found.append(f"tasks {list(theirs['documents'])} against {list(ours.documents)}")
    for task, documents in theirs["documents"].items():
        mine = ours.documents.get(task, [])
        if len(documents) != len(mine):
            found.append(f"{task}: {len(documents)} documents against {len(mine)}")
        for their, our in zip(documents, mine, strict=False):
            found += [f"{task} document {our['document']}: {what}" for what in _of_document(their, our)]
    found += _of_results(theirs, ours)
    return found


def _of_document(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    if theirs["document"] != ours["document"]:
        yield f"is document {theirs['document']} there"
    contexts = list(dict.fromkeys(request[0] for request in theirs["requests"]))
    if contexts != list(ours["prompts"]):
        yield f"prompt {contexts!r} against {list(ours['prompts'])!r}"
    texts = [answer for request in theirs["answers"] for answer in request if isinstance(answer, str)]
    if texts:
        if texts != list(ours["continuations"]):
            yield f"writes {texts!r} against {list(ours['continuations'])!r}"
        yield from _of_extraction(theirs["filtered"], json.loads(ours["extracted"]))
    else:
        yield from _of_likelihoods(theirs, ours)
    yield from _of_scores(theirs["metrics"], json.loads(ours["items"]))


def _of_likelihoods(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """Pairs have a flag beside their number; a rolling text has the number alone, and windows on our side."""
    answers = [answer[0] for answer in theirs["answers"]]
    exact = [answer[0] for answer in theirs.get("exact", ())]
    sums = [sum(each) for each in ours["log_probs"]]
    if not isinstance(answers[0], list):
        answers, sums, greedy = [[answers[0], None]], [sum(sums)], [None]
    else:
        greedy = list(ours["greedy"])
        said = [request[1] for request in theirs["requests"]]
        if said != list(ours["continuations"]):
            yield f"continuations {said!r} against {list(ours['continuations'])!r}"
    if len(answers) != len(sums):
        yield f"{len(answers)} requests against {len(sums)}"
    for place, ((log_prob, flag), our, mine) in enumerate(zip(answers, sums, greedy, strict=False)):
        truth = None if not exact else exact[place][0] if isinstance(exact[place], list) else exact[place]
        if not _log_probs_alike(log_prob, our, truth):
            yield f"request {place}: log-likelihood {log_prob} against {our}"
        if flag is not None and bool(flag) != bool(mine):
            yield f"request {place}: greedy {flag} against {mine}"
    if len(sums) > 1 and answers and _first_best([a[0] for a in answers]) != _first_best(sums):
        yield f"prefers choice {_first_best([a[0] for a in answers])} against {_first_best(sums)}"


def _log_probs_alike(theirs: float, ours: float, exact: float | None) -> bool:
    """Within the tolerance; or, where lm-eval's fp32 is itself that far from its own fp64, no farther than twice that.

    A model may blow rounding up at some tokens (the first ones of a text, mostly). The sum of a long text has more
    digits than fp32.
    """
    if math.isclose(theirs, ours, abs_tol=TOLERANCE, rel_tol=3e-7):
        return True
    return exact is not None and abs(ours - exact) <= max(TOLERANCE, 2 * abs(theirs - exact))


def _of_extraction(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    for pipeline, filtered in theirs.items():
        value, *_ = filtered  # a written answer stands before the log-likelihood beside it
        if pipeline not in ours or not _equal(value, ours[pipeline], 0):
            yield f"{pipeline} makes {value!r} against {ours.get(pipeline)!r}"


def _of_scores(theirs: Mapping[str, Mapping[str, Any]], ours: Mapping[str, Any]) -> Iterator[str]:
    flat = {
        name if pipeline == "none" else f"{name}/{pipeline}": value
        for pipeline, metrics in theirs.items()
        for name, value in metrics.items()
    }
    if flat.keys() != ours.keys():
        yield f"metrics {sorted(flat)} against {sorted(ours)}"
    for key in flat.keys() & ours.keys():
        if not _equal(flat[key], ours[key], TOLERANCE):
            yield f"{key} is {flat[key]} against {ours[key]}"


def _of_results(theirs: Mapping[str, Any], ours: Evaluated) -> Iterator[str]:
    several = len(theirs["documents"]) > 1
    mine = {(m.part or "", m.metric.name): m for m in ours.measurements}
    for name, results in theirs["results"].items():
        for key, value in results.items():
            metric, _, pipeline = key.partition(",")
            if not pipeline or metric.endswith("_stderr"):
                continue
            of_task = name if several and name in theirs["documents"] else None
            part = "/".join(p for p in (of_task, None if pipeline == "none" else pipeline) if p)
            found = mine.get((part, metric))
            if found is None:
                yield f"{name}: no {key}"
                continue
            if not printed_alike(value, found.value, "perplexity" in metric):
                yield f"{name}: {key} is {value} against {found.value}"
            error = results.get(f"{metric}_stderr,{pipeline}")
            if theirs["cell"]["bootstrap"] == BOOTSTRAP and not _errors_alike(error, found, "perplexity" in metric):
                yield f"{name}: the standard error of {key} is {error} against {_error(found)}"


def printed_alike(theirs: float, ours: float, perplexity: bool) -> bool:
    """Whether both print as the same number of four decimals, as lm-eval's table has it.

    A random model's perplexities print more digits than fp32 has: they are as near as log-likelihoods are to be.
    """
    digits = PERPLEXITY_DIGITS if theirs < LARGE else TOLERANCE
    return f"{theirs:.4f}" == f"{ours:.4f}" or (perplexity and math.isclose(theirs, ours, rel_tol=digits))


def _errors_alike(theirs: Any, ours: Measurement, perplexity: bool) -> bool:
    error = _error(ours)
    if isinstance(theirs, str) or theirs is None or math.isnan(theirs):
        return error is None
    return error is not None and printed_alike(theirs, error, perplexity)


def _error(ours: Measurement) -> float | None:
    """Mode lm-eval gives 1.96 of its errors to either side."""
    return None if ours.high is None or ours.low is None else (ours.high - ours.low) / 2 / 1.96


def _first_best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda place: values[place])


def _equal(theirs: Any, ours: Any, tolerance: float) -> bool:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return theirs.keys() == ours.keys() and all(_equal(theirs[key], ours[key], tolerance) for key in theirs)
    if isinstance(theirs, list | tuple):
        return (
            isinstance(ours, list | tuple)
            and len(theirs) == len(ours)
            and all(_equal(a, b, tolerance) for a, b in zip(theirs, ours, strict=True))
        )
    if isinstance(theirs, str) and isinstance(ours, list):  # a text score's references: one there may be a bare text
        return ours == [theirs]
    if isinstance(theirs, float | int) and isinstance(ours, float | int):
        return math.isclose(theirs, ours, abs_tol=tolerance, rel_tol=3e-7)
    return bool(theirs == ours)
