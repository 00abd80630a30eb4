"""Direct answers and chain of thought as two ways to ask one task, and several samples of an answer.

A task file says under `reasoning:` what differs: `direct`, `cot`, and `cot_zero_shot` for cot without examples.
A task that generates its answers and says nothing is asked in the way of Kojima et al. 2022 (arXiv:2205.11916): the
answer begins with "Let's think step by step.", and is found in what follows by a strict and by a flexible rule. The
flexible one knows numbers and letters of choices; answers in words need keys of their own.
"""

from __future__ import annotations

from typing import Any

from harness.errors import UserError
from harness.tasks.config import FilterPipeline, FilterStep, Reasoning, TaskConfig
from harness.tasks.judging.filter_check import DEFAULT
from harness.tasks.judging.specification import judges_programs
from harness.tasks.prompts.generation_kwargs import generation

TRIGGER = "Let's think step by step."
ROOM = 512
"""Tokens for the steps, where the task file says nothing of them."""
_NUMBER = r"(?<![0-9A-Za-z])[-−–]?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?"
_WORDS = r"[^\n*]+?(?=\**\.?[ \t]*(?:\n|\Z|(?<=\.)[ \t]))"
STRICT = rf"(?i:answer is|answer:|####):?[ \t*$]*(?:({_NUMBER})|(\([A-Z]\))|({_WORDS}))"
"""After "the answer is" or "####": a number, a letter in brackets, or else the words up to the end of the sentence."""
FLEXIBLE = rf"({_NUMBER})|(\([A-Z]\))"
"""The last number, or letter in brackets."""


def with_reasoning(config: TaskConfig, reasoning: Reasoning, shots: int) -> TaskConfig:
    """The task as it is asked under a way of reasoning. Raises UserError for a task that has no such way."""
    declared = config.reasoning
    if reasoning == "direct":
        return config.model_copy(update=declared.get("direct", {}))
    if "cot" in declared or "cot_zero_shot" in declared:
        changes = dict(declared.get("cot", {}))
        if shots == 0:
            changes |= declared.get("cot_zero_shot", {})
        elif "cot" not in declared:
            raise UserError(
                "it says how to reason without few-shot examples only: ask with `shots: 0`, or give it "
                "`reasoning: {cot: ...}`",
                place=f"{config.file}:reasoning",
            )
        return config.model_copy(update=changes)
    if config.output_type != "generate_until":
        raise UserError(
            f"a {config.output_type} task has no steps to write: `reasoning: cot` needs keys under `reasoning: cot:` "
            "in its file",
            place=f"{config.file}:reasoning",
        )
    if shots > 0:
        raise UserError(
            "its few-shot examples have no steps: ask with `shots: 0`, or say under `reasoning: cot:` in its file what "
            "they look like",
            place=f"{config.file}:reasoning",
        )
    return config.model_copy(update=_zero_shot(config))


def _zero_shot(config: TaskConfig) -> dict[str, Any]:
    given = dict(config.generation_kwargs or {})
    until = [stop for stop in _listed(given.get("until", [config.fewshot_delimiter])) if stop.strip()]
    until += [stop for stop in _beginning_of_a_question(config) if stop not in until]
    room = max(ROOM, generation(config, "").max_new)
    pipelines = tuple(
        FilterPipeline(
            name=name,
            steps=(
                FilterStep(function="regex", options={"regex_pattern": pattern, "group_select": -1}),
                FilterStep(function="take_first"),
            ),
        )
        for name, pattern in (("strict-match", STRICT), ("flexible-extract", FLEXIBLE))
    )
    return {
        "gen_prefix": TRIGGER,
        "generation_kwargs": {**given, "until": until, "max_gen_toks": room},
        "filter_list": pipelines,
    }


def _beginning_of_a_question(config: TaskConfig) -> list[str]:
    """`Q:` of `Q: {{question}}`: where a model that has no line breaks to stop at would go on with a next question."""
    if not isinstance(config.doc_to_text, str):
        return []
    begins = config.doc_to_text.split("{")[0].strip()
    return [begins] if begins.endswith(":") and "{" in config.doc_to_text and "\n" not in begins else []


def with_samples(config: TaskConfig, samples: int | None, temperature: float | None, top_p: float | None) -> TaskConfig:
    """The task with so many drawn answers a document.

    With several, every pipeline that takes the first answer gets another beside it, `maj@k`, that takes what most of
    the k say (self-consistency, Wang et al. 2022, arXiv:2203.11171). Raises UserError for a task that writes nothing.
    """
    if samples is None and temperature is None and top_p is None:
        return config
    if config.output_type != "generate_until":
        raise UserError(
            f"a {config.output_type} task writes no answers: leave out `samples`, `temperature` and `top_p`",
            place=str(config.file),
        )
    until = {} if config.construct_requests is not None else {"until": [config.fewshot_delimiter]}
    given: dict[str, Any] = dict(config.generation_kwargs or until)
    if temperature is not None:
        given |= {"temperature": temperature, "do_sample": temperature > 0}
    if top_p is not None:
        given["top_p"] = top_p
    k = config.repeats if samples is None else samples
    changes: dict[str, Any] = {"generation_kwargs": given, "repeats": k}
    greedy = generation(config.model_copy(update=changes), "").temperature == 0
    if samples is not None and k > 1 and greedy:
        raise UserError(
            f"{k} samples of a greedy answer would all be the same: give a `temperature` above 0",
            place=str(config.file),
        )
    if k > 1 and not judges_programs(config):
        pipelines = config.filter_list or (DEFAULT,)
        changes["filter_list"] = (*pipelines, *_majorities(pipelines, k))
    return config.model_copy(update=changes)


def _majorities(pipelines: tuple[FilterPipeline, ...], k: int) -> list[FilterPipeline]:
    found = []
    for pipeline in pipelines:
        names = [step.function for step in pipeline.steps]
        if names[-1:] != ["take_first"] or "majority_vote" in names:
            continue
        vote = (*pipeline.steps[:-1], FilterStep(function="majority_vote"), FilterStep(function="take_first"))
        name = f"maj@{k}" if pipeline.name == DEFAULT.name else f"{pipeline.name}-maj@{k}"
        found.append(FilterPipeline(name=name, steps=vote))
    return found


def _listed(until: Any) -> list[str]:
    return [until] if isinstance(until, str) else [str(stop) for stop in until or []]
