"""Direct answers and chain of thought as two ways to ask one task, and several samples of an answer.

A task file says under `reasoning:` what differs: `direct`, `cot`, and `cot_zero_shot` for cot without worked examples.
A task that generates its answers and says nothing is asked in the way of Kojima et al. 2022 (arXiv:2205.11916): the
answer begins with "Let's think step by step.", and is found in what follows by a strict and by a flexible rule.
"""

from __future__ import annotations

from typing import Any

from harness.errors import UserError
from harness.tasks.config import FilterPipeline, FilterStep, Reasoning, TaskConfig

TRIGGER = "Let's think step by step."
ROOM = 512
"""Tokens for the steps, where the task file says nothing of them."""
STRICT = r"(?:answer is|answer:|####)\s*\$?(-?[0-9][0-9.,]*|\([A-Z]\)|[A-Z]\b)"
FLEXIBLE = r"(-?[$0-9.,]{2,})|(-?[0-9]+)"


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
                "it says how to reason without worked examples only: ask with `shots: 0`, or give it "
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
            "its worked examples have no steps: ask with `shots: 0`, or say under `reasoning: cot:` in its file what "
            "they look like",
            place=f"{config.file}:reasoning",
        )
    return config.model_copy(update=_zero_shot(config))


def _zero_shot(config: TaskConfig) -> dict[str, Any]:
    given = dict(config.generation_kwargs or {})
    until = [stop for stop in _listed(given.get("until", [config.fewshot_delimiter])) if stop.strip()]
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
        "generation_kwargs": {**given, "until": until, "max_gen_toks": ROOM},
        "filter_list": pipelines,
    }


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
    given = dict(config.generation_kwargs or {"until": [config.fewshot_delimiter]})
    if temperature is not None:
        given |= {"temperature": temperature, "do_sample": temperature > 0}
    if top_p is not None:
        given["top_p"] = top_p
    k = config.repeats if samples is None else samples
    if k > 1 and not (given.get("do_sample") or float(given.get("temperature") or 0) > 0):
        raise UserError(
            f"{k} samples of a greedy answer would all be the same: give a `temperature` above 0",
            place=str(config.file),
        )
    changes: dict[str, Any] = {"generation_kwargs": given, "repeats": k}
    if k > 1 and config.filter_list is not None and not _judges_programs(config):
        changes["filter_list"] = (*config.filter_list, *_majorities(config.filter_list, k))
    return config.model_copy(update=changes)


def _majorities(pipelines: tuple[FilterPipeline, ...], k: int) -> list[FilterPipeline]:
    found = []
    for pipeline in pipelines:
        names = [step.function for step in pipeline.steps]
        if names[-1:] != ["take_first"] or "majority_vote" in names:
            continue
        vote = (*pipeline.steps[:-1], FilterStep(function="majority_vote"), FilterStep(function="take_first"))
        found.append(FilterPipeline(name=f"{pipeline.name}-maj@{k}", steps=vote))
    return found


def _judges_programs(config: TaskConfig) -> bool:
    return any(listed.metric == "pass@k" for listed in config.metric_list or ())


def _listed(until: Any) -> list[str]:
    return [until] if isinstance(until, str) else [str(stop) for stop in until or []]
