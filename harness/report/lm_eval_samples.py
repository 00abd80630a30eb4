"""The lines of lm-eval's `samples_*.jsonl`: a document under a filter, with what was asked, answered and scored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness import strict_json
from harness.measures.task.samples.cell import ToldTask
from harness.measures.task.samples.document import Document
from harness.tasks.judging.specification import name_of
from harness.tasks.judging.text_scores import CORPUS_SCORES

Line = dict[str, Any]


def sample_lines(documents: Sequence[Document], told: ToldTask, spec: Mapping[str, Any]) -> Iterator[Line]:
    """A line for every filter and document, filter after filter, as lm-eval has them.

    documents: of one task, `told`. spec: how it is summed up. Documents that could not be asked or judged have no line
    there.
    """
    for pipeline in spec["pipelines"]:
        for document in documents:
            if document.broken is None:
                yield _line(document, told, spec, pipeline)


def hashed(text: str) -> str:
    """As lm-eval hashes documents, prompts and targets."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _line(document: Document, told: ToldTask, spec: Mapping[str, Any], pipeline: str) -> Line:
    arguments, responses = _asked(document, told)
    items = document.items
    mine = {name: _item(name, items[key]) for key in items for name, of in [name_of(key, spec)] if of == pipeline}
    target = document.shown_target or ""
    return {
        "doc_id": document.number,
        "doc": document.row,
        "target": target,
        "arguments": {
            f"gen_args_{number}": {f"arg_{place}": one for place, one in enumerate(each)}
            for number, each in enumerate(arguments)
        },
        "resps": [[_texts(one) for one in each] for each in responses],
        "filtered_resps": _filtered(document, responses, pipeline),
        "filter": pipeline,
        "metrics": list(mine),
        "doc_hash": hashed(strict_json.dumps(document.row, indent=2, ensure_ascii=False)),
        "prompt_hash": hashed(str(arguments[0][0])),
        "target_hash": hashed(target),
        **mine,
    }


def _item(name: str, item: Any) -> Any:
    """As lm-eval writes what one document adds: a single reference of a corpus score stands by itself."""
    if name in CORPUS_SCORES and isinstance(item, list) and isinstance(item[0], list) and len(item[0]) == 1:
        return [item[0][0], *item[1:]]
    return item


def _asked(document: Document, told: ToldTask) -> tuple[list[list[Any]], list[list[Any]]]:
    """Of every request its arguments, and its answers."""
    prompts, requests = document.prompts, document.requests
    if document.written:
        asked: list[list[Any]] = [[prompts[0], told.generation]]
        answers: list[list[Any]] = [[request.text for request in requests]]
        right = document.right
        if right is not None and right.text is not None:  # a log-likelihood beside the written answer
            asked.append([prompts[0], right.text])
            answers.append([[float(sum(right.log_probs)), right.hits == len(right.log_probs)]])
        return asked, answers
    if all(request.text is None for request in requests):  # a whole text, read in windows
        return [[prompts[0]]], [[sum(request.log_prob for request in requests)]]
    pairs = [[prompts[request.context or 0], request.text] for request in requests]
    return pairs, [[[float(request.log_prob), request.greedy]] for request in requests]


def _filtered(document: Document, responses: Sequence[Sequence[Any]], pipeline: str) -> list[Any]:
    """What the filter left of each request's answers."""
    first = [_texts(each[0]) for each in responses]
    return [_texts(document.extracted[pipeline]), *first[1:]] if document.written else first


def _texts(value: Any) -> Any:
    """Every part of an answer as text: lm-eval writes them so."""
    return [_texts(one) for one in value] if isinstance(value, list) else str(value)
