"""The lines of lm-eval's `samples_*.jsonl` -> documents, in the columns of our own measure `task`.

A document has a line for each filter pipeline. The lines name no task: `task_hashes` in the file of results says whose
they are. Numbers of answers are texts there. Tokens are not in the file.
"""

from __future__ import annotations

import ast
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from harness import strict_json
from harness.errors import UserError, printable
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, as_float, place_in, read_as
from harness.interchange.names import storable
from harness.measures.task.samples.document import Document, Request
from harness.measures.task.samples.of_evidence import question_digest, text_digest
from harness.tasks.ask import Asked, Choice, Rolling
from harness.tasks.judging.specification import key_of

_CHOICE, _GENERATE = "multiple_choice", "generate_until"


class Line(Foreign):
    """One line."""

    doc_id: Annotated[int, Field(ge=0, lt=1 << 53)]
    doc: Any = None
    target: Any = None
    arguments: dict[str, Any] | list[Any] = Field(default=[])
    resps: list[Any] = Field(default=[])
    filtered_resps: list[Any] = Field(default=[])
    filter: str = "none"
    metrics: list[str] | None = None
    doc_hash: str | None = None
    prompt_hash: str | None = None
    target_hash: str | None = None


@dataclass(frozen=True)
class SamplesFile:
    """A file of samples, read."""

    file: ForeignFile
    lines: Sequence[tuple[Line, Mapping[str, Any], str]]
    """Each with itself as it stands there, and its place."""

    @property
    def task_hash(self) -> str | None:
        """What `task_hashes` of the results says of its task; None where a version of lm-eval wrote no hashes."""
        digest = hashlib.sha256()
        for line, _, _ in self.lines:
            if line.doc_hash is None or line.prompt_hash is None or line.target_hash is None:
                return None
            digest.update((line.doc_hash + line.prompt_hash + line.target_hash).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def is_samples(file: ForeignFile) -> bool:
    """Whether a file has such lines."""
    found = file.json
    first = found[0] if file.is_lines and found else found
    return isinstance(first, dict) and {"doc_id", "doc", "resps"} <= first.keys()


def read_samples(file: ForeignFile) -> SamplesFile:
    """Every line. Raises UserError with the line that is none."""
    given = file.json if file.is_lines else [file.json]
    lines = []
    for number, one in enumerate(given, start=1):
        place = f"{file.name}:{number}"
        lines.append((read_as(Line, one, place), one, place))
    return SamplesFile(file, lines)


def documents(
    samples: SamplesFile, task: str, config: Mapping[str, Any], metrics: Sequence[str], spec: Mapping[str, Any]
) -> Iterator[Document]:
    """The documents of a task, each once. config: the task's, as the results have it. metrics: its names where lines
    don't tell them. Raises UserError with the line."""
    found: dict[int, list[tuple[Line, Mapping[str, Any], str]]] = {}
    for told in samples.lines:
        found.setdefault(told[0].doc_id, []).append(told)
    for number in sorted(found):
        yield _document(found[number], task, config, metrics, spec)


def _document(
    lines: Sequence[tuple[Line, Mapping[str, Any], str]],
    task: str,
    config: Mapping[str, Any],
    metrics: Sequence[str],
    spec: Mapping[str, Any],
) -> Document:
    first, _, place = lines[0]
    filters = [line.filter for line, _, _ in lines]
    if len(set(filters)) < len(filters):
        raise UserError(f"document {first.doc_id} stands there twice with one filter", place=lines[-1][2])
    kind = str(config.get("output_type"))
    asked = _asked(first, kind, str(config.get("target_delimiter", " ")), task, place)
    extracted = {line.filter: line.filtered_resps[0] for line, _, _ in lines if line.filtered_resps}
    row = asked.row if isinstance(asked.row, dict) else {"doc": asked.row}
    return Document(
        task=task,
        number=first.doc_id,
        broken=None,
        gold=() if asked.gold is None else asked.gold if isinstance(asked.gold, tuple) else (asked.gold,),
        target=(asked.target,) if isinstance(asked.target, str) else asked.target or (),
        choices=asked.choices,
        text_digest=_digest_of_text(first, asked, kind),
        question_digest=question_digest(asked),
        prompts=tuple(dict.fromkeys(_prompts(first, place))),
        requests=tuple(_requests(first, asked, kind, place)),
        extracted={name: storable(value) for name, value in extracted.items()} if kind == _GENERATE else {},
        items=dict(_items(lines, metrics)),
        row=row,
        shown_target=_text(first.target),
        spec=spec,
    )


def _asked(line: Line, kind: str, delimiter: str, task: str, place: str) -> Asked:
    """The question in our words."""
    pairs = [tuple(one) for one in _arguments(line, place)]
    requests: Any = ()
    choices: tuple[str, ...] = ()
    gold: int | tuple[int, ...] | None = None
    target: str | tuple[str, ...] | None = None
    texts = [(_text(one[0]), _text(one[1]) if len(one) > 1 and not isinstance(one[1], dict) else None) for one in pairs]
    if kind == _CHOICE and all(continuation is not None for _, continuation in texts):
        requests = tuple(Choice(context, continuation or "") for context, continuation in texts)
        asked = texts[: len(texts) // 2] if _twice(texts) else texts
        choices = tuple((text or "").removeprefix(delimiter) for _, text in asked)
        gold = _gold(line.target, choices)
    elif kind == _GENERATE:
        target = _targets(line.target)
    elif kind == "loglikelihood_rolling":
        requests = tuple(Rolling(context) for context, _ in texts)
    elif texts and texts[0][1] is not None:
        requests = tuple(Choice(context, continuation or "") for context, continuation in texts)
        target = _text(line.target)
    row = storable(line.doc)
    return Asked(task, line.doc_id, row, requests, choices, gold, target)


def _twice(texts: Sequence[tuple[str, str | None]]) -> bool:
    """Whether every choice was asked once more without its context (acc_mutual_info)."""
    half, odd = divmod(len(texts), 2)
    return not odd and half > 0 and [one for _, one in texts[:half]] == [one for _, one in texts[half:]]


def _arguments(line: Line, place: str) -> list[list[Any]]:
    """Of each request its arguments: lists of `gen_args_0: {arg_0, arg_1}`, or as earlier versions wrote them."""
    given = list(line.arguments.values()) if isinstance(line.arguments, dict) else line.arguments
    found = []
    for one in given:
        values = list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else None
        if not values:
            raise UserError("`arguments` of a request are empty or no list", place=place)
        found.append(values)
    return found


def _prompts(line: Line, place: str) -> list[str]:
    return [_text(one[0]) for one in _arguments(line, place)]


def _digest_of_text(line: Line, asked: Asked, kind: str) -> str:
    if kind != _GENERATE:
        return text_digest(asked)
    told = [storable(line.arguments), asked.target]
    return hashlib.sha256(strict_json.dumps(told, default=str).encode()).hexdigest()[:16]


def _requests(line: Line, asked: Asked, kind: str, place: str) -> Iterator[Request]:
    contexts = {text: number for number, text in enumerate(dict.fromkeys(_prompts(line, place)))}
    arguments = _arguments(line, place)
    if kind == _GENERATE:
        answers = line.resps[0] if line.resps else []
        for answer in answers if isinstance(answers, list) else [answers]:
            yield Request((), 0, (), (), _text(answer), None, finish="")
        return
    for one, answers in zip(arguments, line.resps, strict=False):
        answer = answers[0] if isinstance(answers, list) and answers else None
        log_prob, greedy = _log_prob(answer, place)
        text = _text(one[1]) if len(one) > 1 and not isinstance(one[1], dict) else None
        context = contexts[_text(one[0])] if text is not None else None
        yield Request((), 0, (), (log_prob,), text, greedy, None, context=context)


def _log_prob(answer: Any, place: str) -> tuple[float, bool]:
    """`["-1.25", "False"]` of a choice, `"-1.25"` of a whole text."""
    value, greedy = (answer[0], answer[1]) if isinstance(answer, list) and len(answer) == 2 else (answer, False)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        found = float(value)
    except (ValueError, OverflowError):
        raise UserError(f"`resps` has {_text(value)[:60]!r} where a log-likelihood belongs", place=place) from None
    if math.isnan(found):
        raise UserError("`resps` has NaN where a log-likelihood belongs", place=place)
    return found, str(greedy) == "True"


def _gold(target: Any, choices: Sequence[str]) -> int | tuple[int, ...] | None:
    """The right choice's place; lm-eval writes the place, or the choice itself, as text."""
    if isinstance(target, bool):
        return None
    text = _text(target)
    if text in choices and not text.lstrip("-").isdigit():
        return list(choices).index(text)
    try:
        value = ast.literal_eval(text) if len(text) < 1000 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if type(value) is int:
        return value if 0 <= value < len(choices) else list(choices).index(text) if text in choices else None
    if isinstance(value, list) and value and all(type(one) is int and 0 <= one < len(choices) for one in value):
        return tuple(value)
    return None


def _targets(target: Any) -> str | tuple[str, ...]:
    """The right answers; lm-eval writes a list of them as Python would print it."""
    text = _text(target)
    if text.startswith("[") and len(text) < 100_000:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return tuple(value)
    return text


def _items(lines: Sequence[tuple[Line, Mapping[str, Any], str]], metrics: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """By metric and filter what the document adds: a number, or a list that is summed up."""
    for line, given, place in lines:
        for name in line.metrics if line.metrics is not None else metrics:
            if name not in given:
                continue
            value = given[name]
            if isinstance(value, bool | int | float):
                value = as_float(float(value) if isinstance(value, bool) else value)
            if value is None or isinstance(value, str):
                raise UserError(f"the metric {_text(name)[:60]} is {_text(value)[:60]!r}, no number", place=place)
            yield _text(key_of(name, line.filter)), storable(value)


def _text(value: Any) -> str:
    return printable(value if isinstance(value, str) else str(value))


def unmatched(samples: SamplesFile) -> UserError:
    """What is said of samples that belong to no results."""
    return UserError(
        "these are samples of lm-eval, and none of the files of results says that they are of one of its tasks: name "
        "the results_*.json that was written with them",
        place=place_in(samples.file.name, ()),
    )
