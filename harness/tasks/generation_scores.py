"""Scores of one generated answer: what the filters left of it against the document's targets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.errors import UserError
from harness.statistics.pass_at_k import pass_at_k
from harness.tasks import code_execution
from harness.tasks.ask import Asked
from harness.tasks.config import Mode
from harness.tasks.text_scores import CORPUS_SCORES, edit_similarity, is_match, word_f1


def targets(asked: Asked, place: str) -> tuple[str, ...]:
    """The texts that a right answer equals: the target, or the right choices' texts. Raises UserError without any."""
    if isinstance(asked.target, tuple) and asked.target:
        return tuple(str(target) for target in asked.target)
    if asked.target is not None and not isinstance(asked.target, tuple):
        return (str(asked.target),)
    gold = asked.gold if isinstance(asked.gold, tuple) else () if asked.gold is None else (asked.gold,)
    if asked.choices and gold and all(-len(asked.choices) <= index < len(asked.choices) for index in gold):
        return tuple(asked.choices[index] for index in gold)
    raise UserError(
        f"document {asked.document} has no target that an answer could be compared with: see `doc_to_target`",
        place=place,
    )


def score_text(name: str, value: Any, wanted: Sequence[str], options: Mapping[str, Any], aggregation: str) -> Any:
    """One built-in metric of one answer; of several answers that no filter chose from, the mean over them."""
    if name in CORPUS_SCORES:
        return [list(wanted), _text(value[0] if isinstance(value, list) and value else value)]
    if name == "f1" and aggregation != "mean":
        return [wanted[0], value]
    answers = value if isinstance(value, list) else [value]
    if not answers:
        return 0.0
    if name == "f1":
        return sum(word_f1(_text(answer), wanted) for answer in answers) / len(answers)
    rule = edit_similarity if name == "edit_similarity" else is_match
    return sum(rule(answer, wanted, options) for answer in answers) / len(answers)


def score_programs(
    value: Any, tests: str, options: Mapping[str, Any], allowed: bool, place: str
) -> tuple[dict[str, float], list[str]]:
    """pass@k for each k of the options, and how each program ended.

    value: programs (filters put what belongs before a completion: see `prepend`); tests: code that raises where a
    program is wrong. Raises UserError unless code may run, or for a k above the number of programs.
    """
    programs = [_text(program) for program in (value if isinstance(value, list) else [value])]
    counts = options.get("k", [1])
    counts = [counts] if isinstance(counts, int) else list(counts)
    for k in counts:
        if not 1 <= k <= len(programs):
            raise UserError(
                f"pass@{k} needs at least {k} samples, not {len(programs)}; set `repeats: {k}`", place=place
            )
    limits = code_execution.Limits(
        seconds=float(options.get("timeout", code_execution.Limits().seconds)),
        memory_bytes=int(options.get("memory_mb", code_execution.Limits().memory_bytes >> 20)) << 20,
    )
    outcomes = code_execution.run_programs(
        [f"{program}\n{tests}\n" for program in programs], limits=limits, allow_code_execution=allowed
    )
    passed = sum(outcome.passed for outcome in outcomes)
    return {f"pass@{k}": pass_at_k(len(programs), passed, k) for k in counts}, [str(outcome) for outcome in outcomes]


def score_by_function(
    metric: Callable[..., Any], name: str, value: Any, asked: Asked, options: Mapping[str, Any], mode: Mode, place: str
) -> dict[str, Any]:
    """A metric that the task file brings: metric -> item.

    lm-eval's interface: `fn(references=[gold], predictions=[answer], **options)`, else `fn([gold, answer])`; the
    result is an item, or a mapping of several. Of several targets: in mode lm-eval 1 if any result isn't zero, in mode
    right the highest result.
    """
    wanted = targets(asked, place)
    if not isinstance(asked.target, tuple):
        return _named(name, _call(metric, wanted[0], value, options, mode))
    results = [_call(metric, target, value, options, mode) for target in wanted]
    numbers = [result[name] if isinstance(result, Mapping) and name in result else result for result in results]
    if mode == "lm-eval":
        return {name: float(any(numbers))}
    if all(isinstance(result, Mapping) for result in numbers):
        return {key: max(result[key] for result in numbers) for key in numbers[0]}
    return {name: max(numbers)}


def _named(name: str, result: Any) -> dict[str, Any]:
    return {str(key): value for key, value in result.items()} if isinstance(result, Mapping) else {name: result}


def _call(metric: Callable[..., Any], gold: str, value: Any, options: Mapping[str, Any], mode: Mode) -> Any:
    try:
        inspect.signature(metric).bind(references=[gold], predictions=[value], **options)
    except TypeError:
        return metric([gold, value])
    except ValueError:  # a function without a signature
        pass
    try:
        return metric(references=[gold], predictions=[value], **options)
    except TypeError:
        if mode == "lm-eval":
            return metric([gold, value])
        raise


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
