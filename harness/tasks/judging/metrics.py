"""Scores of one document: what was asked and what came back become items, which `aggregate` sums up.

An item is plain data (a number, or a short list of them or of texts), so that it can be stored and summed up again.
Its key is the metric's name, and `metric/pipeline` where a filter pipeline with a name made the answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.ask import Answer, Asked, ChoiceAnswer, GenerationAnswer, Rolling
from harness.tasks.code.judging import done, plain
from harness.tasks.config import FilterPipeline, Function, LoadFunction, MetricConfig, TaskConfig
from harness.tasks.judging import filter_check, filters
from harness.tasks.judging.choice_scores import score_choices
from harness.tasks.judging.filters import Extracted
from harness.tasks.judging.generation_scores import (
    COMPARED,
    pair,
    passed_through,
    score_by_function,
    score_by_rule,
    score_programs,
    score_text,
    targets,
    wrong_by_space,
)
from harness.tasks.judging.metric_check import names_of
from harness.tasks.judging.normal_form import NOTHING, Ignored
from harness.tasks.judging.rules.table import RULES
from harness.tasks.judging.specification import default_aggregation, in_passing, key_of, listed_metrics

Item = Any
"""A number, text, None, or a list or mapping of these."""


@dataclass(frozen=True)
class Scores:
    """What one document adds to the task's metrics."""

    items: dict[str, Item]
    """By key."""
    extracted: dict[str, Extracted] = field(default_factory=dict)
    """Of generated answers: by pipeline, what was judged."""
    predictions: dict[str, int] = field(default_factory=dict)
    """Of multiple choice: by rule (acc, acc_norm …), the choice that it takes."""
    programs: dict[str, list[str]] = field(default_factory=dict)
    """Of code: by pipeline, how each program ended."""
    wrong_by_space: bool | None = None
    """Of written answers in mode lm-eval: whether white space at the ends alone makes one wrong."""


def needs_unconditional(config: TaskConfig) -> bool:
    """Whether each choice is also asked without context: `acc_mutual_info` is listed."""
    return any(listed.metric == "acc_mutual_info" for listed in config.metric_list or ())


def score(
    config: TaskConfig,
    asked: Asked,
    answer: Answer,
    *,
    mode: Mode = "right",
    function: LoadFunction,
    allow_code_execution: bool = False,
) -> Scores:
    """The items of one document.

    function: `Task.function`, for what the task file brings itself. In mode right everything that one pass gives is
    scored, in mode lm-eval what `metric_list` names. Raises UserError that names file, key and document where the
    document can't be judged.
    """
    pipelines = config.filter_list or (filter_check.DEFAULT,)
    if isinstance(answer, GenerationAnswer):
        return _score_generation(config, asked, answer, pipelines, mode, function, allow_code_execution)
    predictions: dict[str, int] = {}
    if config.process_results is not None:
        items = _by_process_results(config, asked, _as_lm_eval(asked, answer), function)
    elif config.output_type == "multiple_choice":
        scored = score_choices(asked, answer, mode, str(config.file))
        items, predictions = scored.items, scored.predictions
        own = {listed.metric for listed in listed_metrics(config) if isinstance(listed.aggregation, Function)}
        items |= {name: found for name, found in scored.pairs.items() if mode == "lm-eval" or name in own}
    else:
        items = _likelihood_items(asked, answer[0], str(config.file))
    if config.process_results is None:
        names = names_of(config)
        wanted = names if mode == "lm-eval" else {*names, *in_passing(config)}
        items = {name: item for name, item in items.items() if name in wanted}
        items |= {"bypass": None} if "bypass" in names and mode == "lm-eval" else {}
    return Scores({key_of(name, p.name): item for p in pipelines for name, item in items.items()}, {}, predictions)


def _score_generation(
    config: TaskConfig,
    asked: Asked,
    answer: GenerationAnswer,
    pipelines: Sequence[FilterPipeline],
    mode: Mode,
    function: LoadFunction,
    allow_code_execution: bool,
) -> Scores:
    scores = Scores({})
    ignored = ignored_by(config)
    spaced = False
    for pipeline in pipelines:
        extracted = filters.apply(
            pipeline,
            answer.texts,
            row=asked.row,
            choices=asked.choices,
            mode=mode,
            ignored=ignored,
            function=function,
            place=str(config.file),
            answered=answer.answered,
        )
        scores.extracted[pipeline.name] = extracted
        if config.process_results is not None:
            results = [extracted.value]
            if config.construct_requests is not None and answer.right is not None:
                results.append((answer.right.log_prob, answer.right.greedy))
            items = _by_process_results(config, asked, results, function)
        else:
            items = {}
            for listed in listed_metrics(config):
                items |= _metric_items(
                    listed, config, asked, extracted, mode, function, allow_code_execution, scores, pipeline
                )
                if mode == "lm-eval" and listed.metric in COMPARED and not passed_through(listed):
                    spaced |= wrong_by_space(extracted, targets(asked, str(config.file)), listed.options)
        if mode == "right" and extracted.may_fail:
            items |= {"extraction_failure": extracted.failed, "sample_extraction_failure": extracted.samples_failed}
        scores.items.update({key_of(name, pipeline.name): item for name, item in items.items()})
    if answer.right is not None and asked.right is not None and config.construct_requests is None:
        scores.items.update(_right_items(asked.right.continuation, answer.right))
    return replace(scores, wrong_by_space=spaced if mode == "lm-eval" else None)


def ignored_by(config: TaskConfig) -> Ignored:
    """What the task's comparison of written answers ignores: the options of the first metric that compares texts."""
    compared = (*COMPARED, "edit_similarity")
    if config.process_results is not None:
        return NOTHING
    return next((listed.options for listed in listed_metrics(config) if listed.metric in compared), NOTHING)


def _metric_items(
    listed: MetricConfig,
    config: TaskConfig,
    asked: Asked,
    extracted: Extracted,
    mode: Mode,
    function: LoadFunction,
    allow_code_execution: bool,
    scores: Scores,
    pipeline: FilterPipeline,
) -> dict[str, Item]:
    place = f"{config.file}:metric_list"
    metric = listed.metric
    if isinstance(metric, Function):
        loaded = function(metric, "metric_list")
        try:
            found = score_by_function(
                loaded,
                metric.name,
                extracted.value,
                asked,
                listed.options,
                mode,
                place,
                listed.higher_is_better is False,
            )
        except UserError:
            raise
        except Exception as error:
            raise _failed(metric, asked, error) from error
        return {name: plain(item) for name, item in found.items()}
    if metric == "bypass":
        return {"bypass": None} if mode == "lm-eval" else {}
    wanted = targets(asked, str(config.file))
    if metric == "pass@k":
        items, scores.programs[pipeline.name] = score_programs(
            extracted.value, wanted, listed.options, allow_code_execution, place, _given(listed, pipeline, asked, place)
        )
        return items
    if metric in RULES:
        return {metric: score_by_rule(metric, extracted, wanted, f"document {asked.document}", place)}
    if passed_through(listed):
        return {metric: plain(pair(extracted, wanted, isinstance(asked.target, tuple), mode))}
    aggregation = (
        listed.aggregation if isinstance(listed.aggregation, str) else default_aggregation(metric, config, mode)
    )
    return {metric: plain(score_text(metric, extracted, wanted, listed.options, aggregation, mode))}


def _likelihood_items(asked: Asked, answer: ChoiceAnswer, place: str) -> dict[str, Item]:
    if math.isnan(answer.log_prob):
        raise UserError(
            f"document {asked.document}: its log-probability is no number (the model's logits overflowed?)", place=place
        )
    request = asked.requests[0]
    if isinstance(request, Rolling):
        length = len(request.text.encode("utf-8", "surrogatepass"))
        words = len(re.split(r"\s+", request.text))
        return {
            "word_perplexity": [answer.log_prob, words],
            "byte_perplexity": [answer.log_prob, length],
            "bits_per_byte": [answer.log_prob, length],
        }
    continuation = getattr(request, "continuation", "")
    return {
        "perplexity": answer.log_prob,
        "acc": int(answer.greedy),
        **_right_items(continuation, answer),
    }


def _right_items(continuation: str, answer: ChoiceAnswer) -> dict[str, Item]:
    """How near the model is to a text that is right, whatever it would write itself."""
    length = len(continuation.encode("utf-8", "surrogatepass"))
    items: dict[str, Item] = {"gold_bits_per_byte": [answer.log_prob, length]}
    return items if answer.tokens is None else items | {"token_accuracy": answer.hits / answer.tokens}


def _as_lm_eval(asked: Asked, answers: Sequence[ChoiceAnswer]) -> list[Any]:
    """The `results` of lm-eval's `process_results`: (log-probability, greedy) each; of rolling the log-probability."""
    if isinstance(asked.requests[0], Rolling):
        return [answers[0].log_prob]
    return [(answer.log_prob, answer.greedy) for answer in answers]


def _by_process_results(
    config: TaskConfig, asked: Asked, results: list[Any], function: LoadFunction
) -> dict[str, Item]:
    assert config.process_results is not None
    run = function(config.process_results, "process_results")
    try:
        found: dict[str, Item] = done(run, "results", asked.row, results)
        return found
    except UserError:
        raise
    except Exception as error:
        raise _failed(config.process_results, asked, error) from error


def _failed(function: Function, asked: Asked, error: Exception) -> UserError:
    reason = f"{type(error).__name__}: {error}"
    return UserError(f"document {asked.document}: `{function.name}` failed with {reason}", place=str(function.file))


def _given(listed: MetricConfig, pipeline: FilterPipeline, asked: Asked, place: str) -> str:
    """The task's own beginning of a program: the column `given`, or what the pipeline puts before it."""
    column = listed.options.get("given")
    if column is None:
        return filters.prepended(pipeline, asked.row)
    if column not in asked.row:
        raise UserError(f"`given` of `pass@k`: document {asked.document} has no column `{column}`", place=place)
    return str(asked.row[column])
