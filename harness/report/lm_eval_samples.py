"""The lines of lm-eval's `samples_*.jsonl`: a document under a filter, with what was asked, answered and scored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness import strict_json
from harness.tasks.judging.specification import name_of
from harness.tasks.judging.text_scores import CORPUS_SCORES

Line = dict[str, Any]


def sample_lines(rows: Sequence[Mapping[str, Any]], told: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Line]:
    """A line for every filter and document, filter after filter, as lm-eval has them.

    rows: samples of one task. told: what `measures/task/told.py` kept of it. spec: how it is summed up. Documents that
    could not be asked or judged have no line there.
    """
    for pipeline in spec["pipelines"]:
        for row in rows:
            if row["broken"] is None or row["broken"] != row["broken"]:
                yield _line(row, told, spec, pipeline)


def hashed(text: str) -> str:
    """As lm-eval hashes documents, prompts and targets."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _line(row: Mapping[str, Any], told: Mapping[str, Any], spec: Mapping[str, Any], pipeline: str) -> Line:
    arguments, responses = _asked(row, told)
    document = strict_json.loads(row["doc"])
    items = strict_json.loads(row["items"])
    mine = {name: _item(name, items[key]) for key in items for name, of in [name_of(key, spec)] if of == pipeline}
    return {
        "doc_id": int(row["document"]),
        "doc": document,
        "target": row["shown_target"],
        "arguments": {
            f"gen_args_{number}": {f"arg_{place}": one for place, one in enumerate(each)}
            for number, each in enumerate(arguments)
        },
        "resps": [[_texts(one) for one in each] for each in responses],
        "filtered_resps": _filtered(row, responses, pipeline),
        "filter": pipeline,
        "metrics": list(mine),
        "doc_hash": hashed(strict_json.dumps(document, indent=2, ensure_ascii=False)),
        "prompt_hash": hashed(str(arguments[0][0])),
        "target_hash": hashed(row["shown_target"]),
        **mine,
    }


def _item(name: str, item: Any) -> Any:
    """As lm-eval writes what one document adds: a single reference of a corpus score stands by itself."""
    if name in CORPUS_SCORES and isinstance(item, list) and isinstance(item[0], list) and len(item[0]) == 1:
        return [item[0][0], *item[1:]]
    return item


def _asked(row: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[list[list[Any]], list[list[Any]]]:
    """Of every request its arguments, and its answers."""
    prompts, continuations = list(row["prompts"]), list(row["continuations"])
    if _has(row, "finish"):
        asked, answers = [[prompts[0], told["generation"]]], [continuations]
        if _has(row, "right"):  # a log-likelihood beside the written answer
            log_probs = row["right_log_probs"]
            asked.append([prompts[0], row["right"]])
            answers.append([[float(sum(log_probs)), int(row["right_hits"]) == len(log_probs)]])
        return asked, answers
    sums = [float(sum(each)) for each in row["log_probs"]]
    if not continuations:  # a whole text, read in windows
        return [[prompts[0]]], [[sum(sums)]]
    contexts = [prompts[place] for place in row["context_of"]]
    pairs = [[log_prob, bool(greedy)] for log_prob, greedy in zip(sums, row["greedy"], strict=True)]
    return [list(pair) for pair in zip(contexts, continuations, strict=True)], [[pair] for pair in pairs]


def _filtered(row: Mapping[str, Any], responses: Sequence[Sequence[Any]], pipeline: str) -> list[Any]:
    """What the filter left of each request's answers."""
    first = [_texts(each[0]) for each in responses]
    if not _has(row, "finish"):
        return first
    return [_texts(strict_json.loads(row["extracted"])[pipeline]), *first[1:]]


def _texts(value: Any) -> Any:
    """Every part of an answer as text: lm-eval writes them so."""
    return [_texts(one) for one in value] if isinstance(value, list) else str(value)


def _has(row: Mapping[str, Any], column: str) -> bool:
    value = row.get(column)
    return value is not None and not (isinstance(value, float) and value != value)
