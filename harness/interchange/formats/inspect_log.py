"""inspect_ai: its log, as `.json` or as `.eval` (a zip archive), of format 2.

A sample is a document; its epochs are answers to it, which a reducer makes one score of. A score's metrics are numbers
of the cell, its name (with the reducer, where there are several) is their part.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from harness import strict_json
from harness.comparison.definition import default_settings
from harness.errors import UserError, printable
from harness.interchange.content import Benchmark, Content, Format
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, as_float, place_in, read_as
from harness.interchange.inspect_archive import Archive
from harness.interchange.names import storable, text_of, utc
from harness.measures.task.samples.document import Document, Request
from harness.measures.task.samples.rows import write
from harness.results.record import Direction, Measurement, Metric, Read, Status

NAME = "inspect"
VERSION = 2
LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
"""Scores that are words, as inspect's `value_to_float` takes them."""
_MEANS = ("accuracy", "mean")
_UP_TO_ONE = "accuracy"


class Number(Foreign):
    """`results.scores[].metrics{}`."""

    name: str
    value: float


class Score(Foreign):
    """`results.scores[]`."""

    name: str
    scorer: str = ""
    reducer: str | None = None
    scored_samples: int | None = None
    metrics: dict[str, Number] = Field(default={})


class Results(Foreign):
    """`results`."""

    total_samples: int = 0
    completed_samples: int = 0
    scores: list[Score] = Field(default=[])


class Spec(Foreign):
    """`eval`."""

    task: str
    task_version: Any = 0
    task_args: dict[str, Any] = Field(default={})
    created: str | None = None
    model: str
    config: dict[str, Any] = Field(default={})
    dataset: dict[str, Any] = Field(default={})
    revision: dict[str, Any] | None = None
    packages: dict[str, Any] = Field(default={})


class Log(Foreign):
    """The log without its samples."""

    version: Any = None
    status: str = "started"
    eval: Spec
    results: Results | None = None
    stats: dict[str, Any] = Field(default={})
    error: dict[str, Any] | None = None


class Sample(Foreign):
    """`samples[]`."""

    id: int | str
    epoch: int = 1
    input: Any = None
    choices: list[str] | None = None
    target: Any = None
    scores: dict[str, dict[str, Any]] | None = None
    output: dict[str, Any] = Field(default={})
    error: dict[str, Any] | None = None


def is_mine(file: ForeignFile) -> bool:
    """Whether it is a log, in either form."""
    if file.is_archive:
        return Archive(file).is_log
    found = file.json
    return isinstance(found, dict) and {"eval", "status"} <= found.keys() and isinstance(found["eval"], dict)


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each log. Raises UserError."""
    return [_content(file) for file in files]


def _content(file: ForeignFile) -> Content:
    header, samples = _parts(file)
    version = header.get("version") if isinstance(header, dict) else None
    if version != VERSION or isinstance(version, bool):
        raise UserError(f"inspect's log format {text_of(version, 40)} is not read, only {VERSION}", place=file.name)
    log = read_as(Log, header, file.name, tool=NAME)
    spec, results = log.eval, log.results or Results()
    created = log.stats.get("started_at") or spec.created
    packages = {name: value for name, value in spec.packages.items() if isinstance(value, str)}
    version_of = packages.get("inspect_ai")
    return Content(
        f"{NAME} {text_of(version_of, 40)}" if version_of else NAME,
        (file,),
        [_benchmark(log, results, [_sample(one, place) for one, place in samples], file.name)],
        utc(created) if isinstance(created, str) else None,
        {"packages": packages},
        _git(spec.revision or {}),
        {text_of(spec.model): {"kind": NAME}},
    )


def _parts(file: ForeignFile) -> tuple[Any, Iterator[tuple[Any, str]]]:
    """The log without samples, and every sample with its place."""
    if file.is_archive:
        archive = Archive(file)
        return archive.header(), archive.samples()
    found = file.json
    given = found.get("samples") if isinstance(found, dict) else None
    listed = given if isinstance(given, list) else []
    return found, ((one, place_in(file.name, ("samples", at))) for at, one in enumerate(listed))


def _sample(given: Any, place: str) -> tuple[Sample, str]:
    return read_as(Sample, given, place), place


def _git(revision: Mapping[str, Any]) -> dict[str, Any]:
    commit, dirty = revision.get("commit"), revision.get("dirty")
    if not isinstance(commit, str) or not commit:
        return {}
    return {"commit": text_of(commit, 100), "dirty": dirty if isinstance(dirty, bool) else None}


def _benchmark(log: Log, results: Results, samples: Sequence[tuple[Sample, str]], file: str) -> Benchmark:
    spec = log.eval
    task = text_of(spec.task)
    named: dict[str, Any] = {
        "measure": "task",
        "model": text_of(spec.model),
        "place": place_in(file, ("eval",)),
        "settings": {**default_settings("task"), "task": task, **_settings(spec)},
        "read": [Read(kind="task", name=f"{task} (inspect)", digest=f"version {text_of(spec.task_version, 60)}")],
    }
    if log.status != "success" or not results.scores:
        why = log.error.get("message") if log.error else None
        told = f"the evaluation's status is {text_of(log.status, 40)}" if log.status != "success" else "it has no score"
        return Benchmark(**named, status=Status.FAILED, reason=f"{told}: {text_of(why, 300)}" if why else told)
    parts = _part_names(results.scores)
    found = list(_documents(task, samples, results.scores, parts, spec))
    errors = sum(sample.error is not None for sample, _ in samples)
    notes = [f"{errors} of {len(samples)} answers ended with an error"] if errors else []
    if not samples:
        notes.append("the log has no samples: nothing pairs its documents")
    return Benchmark(
        **named,
        measurements=[*_numbers(results, parts, found, file)],
        samples=[write(document) for document in found],
        notes=notes,
    )


def _settings(spec: Spec) -> dict[str, Any]:
    told: dict[str, Any] = {"mode": "inspect"}
    if type(spec.config.get("limit")) is int:
        told["documents"] = spec.config["limit"]
    if type(spec.config.get("epochs")) is int and spec.config["epochs"] > 1:
        told["samples"] = spec.config["epochs"]
    return told | {f"args.{name}": value for name, value in spec.task_args.items() if value is not None}


def _part_names(scores: Sequence[Score]) -> list[str]:
    """A name for each score: its own, with its reducer where several have it. Raises UserError for two alike."""
    names = [one.name for one in scores]
    found = [
        text_of(f"{one.name}/{one.reducer}" if names.count(one.name) > 1 and one.reducer else one.name)
        for one in scores
    ]
    if len(set(found)) < len(found):
        raise UserError("two scores have one name and one reducer", place="results.scores")
    return found


def _numbers(results: Results, parts: Sequence[str], documents: Sequence[Document], file: str) -> Iterator[Measurement]:
    for at, (score, part) in enumerate(zip(results.scores, parts, strict=True)):
        error = next((one.value for name, one in score.metrics.items() if name.startswith("stderr")), None)
        means = [name for name in score.metrics if _plain_name(name) in _MEANS]
        n = score.scored_samples or len(documents) or results.completed_samples or 1
        for name, number in score.metrics.items():
            if name.startswith("stderr"):
                continue
            metric = _declared(_plain_name(name))
            place = place_in(file, ("results", "scores", at, "metrics", name))
            if metric.unit == "share" and not 0 <= number.value <= 1:
                raise UserError(f"an accuracy of {number.value}", place=place)
            own = error if name in means and error is not None and error >= 0 else None
            yield Measurement(
                metric=metric,
                value=number.value,
                low=None if own is None else number.value - 1.96 * own,
                high=None if own is None else number.value + 1.96 * own,
                interval="none: inspect gives no standard error of it"
                if own is None
                else "1.96 of inspect's standard errors",
                n=max(n, 1),
                n_unit="documents",
                part=part,
            )


def _plain_name(name: str) -> str:
    return text_of(name.rpartition("/")[2], 100)


def _declared(name: str) -> Metric:
    up_to_one = name == _UP_TO_ONE
    return Metric(
        name=name,
        unit="share" if up_to_one else "score",
        direction=Direction.HIGHER if name in _MEANS else Direction.NONE,
        definition=f"inspect_ai's metric {name} over samples, of the score that its part names.",
    )


def _documents(
    task: str, samples: Sequence[tuple[Sample, str]], scores: Sequence[Score], parts: Sequence[str], spec: Spec
) -> Iterator[Document]:
    grouped: dict[str, list[tuple[Sample, str]]] = {}
    for one in samples:
        grouped.setdefault(repr(one[0].id), []).append(one)
    numbers = _places(grouped, spec)
    told = {
        "task": task,
        "file": "",
        "mode": "inspect",
        "metrics": {name: {"aggregation": "mean", "direction": "higher", "listed": True} for name in _MEANS},
        "pipelines": list(parts),
        "builtin": False,
    }
    for identity, mine in grouped.items():
        epochs = [sample.epoch for sample, _ in mine]
        if len(set(epochs)) < len(epochs):
            raise UserError(f"sample {text_of(mine[0][0].id, 60)!r} stands there twice in one epoch", place=mine[-1][1])
        yield _document(task, numbers[identity], mine, scores, parts, told)


def _places(grouped: Mapping[str, Sequence[tuple[Sample, str]]], spec: Spec) -> dict[str, int]:
    """The number of each document: its id where all are numbers, else its place in the data set."""
    ids = {identity: mine[0][0].id for identity, mine in grouped.items()}
    if all(type(one) is int and 0 <= one < 1 << 53 for one in ids.values()):
        return {identity: int(one) for identity, one in ids.items()}
    listed = spec.dataset.get("sample_ids")
    order = [repr(one) for one in listed] if isinstance(listed, list) else []
    places = {identity: at for at, identity in enumerate(order)}
    if all(identity in places for identity in ids):
        return {identity: places[identity] for identity in ids}
    return {identity: at for at, identity in enumerate(sorted(ids))}


def _document(
    task: str,
    number: int,
    mine: Sequence[tuple[Sample, str]],
    scores: Sequence[Score],
    parts: Sequence[str],
    spec: Mapping[str, Any],
) -> Document:
    first = mine[0][0]
    items: dict[str, Any] = {}
    for score, part in zip(scores, parts, strict=True):
        values = [value for sample, place in mine if (value := _value(sample, score, place)) is not None]
        if len(values) == len(mine):
            reduced = _reduced(values, score.reducer)
            if reduced is not None:
                items |= {
                    f"{_plain_name(name)}/{part}": reduced for name in score.metrics if _plain_name(name) in _MEANS
                }
    prompt = _input_text(first.input)
    target = tuple(printable(str(one)) for one in (first.target if isinstance(first.target, list) else [first.target]))
    choices = tuple(printable(one) for one in first.choices or ())
    question = [prompt, choices, target]
    digest = hashlib.sha256(strict_json.dumps(question, default=str).encode()).hexdigest()[:16]
    broken = next((text_of(sample.error.get("message"), 300) for sample, _ in mine if sample.error), None)
    if broken is not None or not items:
        return Document(task, number, broken or "it has no score", spec=spec)
    return Document(
        task=task,
        number=number,
        broken=None,
        target=target,
        choices=choices,
        text_digest=digest,
        question_digest=digest,
        prompts=(prompt,),
        requests=tuple(
            Request((), 0, (), (), printable(str(sample.output.get("completion", ""))), None, finish="")
            for sample, _ in mine
        ),
        items=items,
        row=storable({"id": first.id, "input": prompt, "target": list(target)}),
        shown_target=", ".join(target),
        spec=spec,
    )


def _input_text(given: Any) -> str:
    """What was asked: a text, or the messages as JSON without what differs from run to run."""
    if isinstance(given, str):
        return printable(given)
    if isinstance(given, list):
        told = [{"role": one.get("role"), "content": one.get("content")} for one in given if isinstance(one, dict)]
        return strict_json.dumps(told, default=str)
    return ""


def _value(sample: Sample, score: Score, place: str) -> float | None:
    """A sample's score as a number; None where it has none, or one that is no number."""
    given = (sample.scores or {}).get(score.scorer or score.name) or (sample.scores or {}).get(score.name)
    if given is None:
        return None
    value = given.get("value")
    if isinstance(value, dict):  # of a score with several values, that which has the score's name
        value = value.get(score.name)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        told = as_float(value)
        if told is None or math.isinf(told):
            raise UserError(f"a score of {text_of(value, 40)}", place=place)
        return None if math.isnan(told) else told
    if isinstance(value, str):
        if value in LETTERS or value.lower() in LETTERS:
            return LETTERS.get(value, LETTERS.get(value.lower()))
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def _reduced(values: Sequence[float], reducer: str | None) -> float | None:
    """One score of all epochs; None for a reducer that is not known here."""
    if len(values) == 1 or reducer in (None, "mean"):
        return math.fsum(values) / len(values)
    if reducer == "max":
        return max(values)
    if reducer == "median":
        ordered = sorted(values)
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    if reducer == "mode":
        return max(dict.fromkeys(values), key=values.count)
    if reducer.startswith("at_least_"):
        wanted = reducer.removeprefix("at_least_")
        return (
            float(sum(value >= 1 for value in values) >= int(wanted)) if wanted.isascii() and wanted.isdigit() else None
        )
    return None


INSPECT = Format(NAME, "the log, .json or .eval", is_mine, read)
