"""Scores of one generated answer: what the filters left of it against the document's targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.errors import UserError
from harness.mode import Mode
from harness.statistics.pass_at_k import pass_at_k
from harness.tasks.ask import Asked
from harness.tasks.code.judging import done
from harness.tasks.config import Function, MetricConfig
from harness.tasks.judging import code_execution
from harness.tasks.judging.filters import Extracted
from harness.tasks.judging.metric_table import BUILT_IN
from harness.tasks.judging.normal_form import normal_form
from harness.tasks.judging.rules.table import RULES
from harness.tasks.judging.text_scores import CORPUS_SCORES, edit_similarity, is_match, is_match_but_for_space, word_f1

COMPARED = ("exact_match", "acc", "accuracy")
"""Metrics of written answers that say whether one is a target."""
_NOT_PASSED_THROUGH = ("exact_match", "accuracy", "edit_similarity", "bypass", "pass@k")


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


def passed_through(listed: MetricConfig) -> bool:
    """Whether a metric of written answers is the pair (target, answer), which a function of the file sums up.

    Such are lm-eval's metrics that return what they get, under any of its names (`f1`, `acc`, `bleu` …).
    """
    return (
        isinstance(listed.aggregation, Function)
        and listed.metric in BUILT_IN
        and listed.metric not in _NOT_PASSED_THROUGH
    )


def pair(extracted: Extracted, wanted: Sequence[str], several: bool, mode: Mode) -> Any:
    """(target, answer) for a function of the file.

    Of several targets the one that shares most words with the answer; all of them where the answer is itself a list (of
    tags). In mode lm-eval of several targets 1: it takes any pair for a hit.
    """
    value = extracted.value
    if not several:
        return [wanted[0], value]
    if mode == "lm-eval":
        return 1.0
    return [max(wanted, key=lambda target: word_f1(value, [target])) if isinstance(value, str) else list(wanted), value]


def score_text(
    name: str,
    extracted: Extracted,
    wanted: Sequence[str],
    options: Mapping[str, Any],
    aggregation: str,
    mode: Mode,
) -> Any:
    """One built-in metric of one answer; of several answers that no filter chose from, the mean over them.

    In mode right the mark of an answer that was not found (`[invalid]`) is no answer.
    """
    answers = answers_of(extracted, mode)
    if name in CORPUS_SCORES:
        texts = [*wanted, _text(answers[0] if answers else None)]
        *references, answer = texts if mode == "lm-eval" else map(normal_form, texts)
        return [references, answer]
    if name == "f1" and aggregation != "mean":
        return [wanted[0], extracted.value]
    if not answers:
        return 0.0
    if name == "f1":
        return sum(0.0 if answer is None else word_f1(_text(answer), wanted) for answer in answers) / len(answers)
    rule = edit_similarity if name == "edit_similarity" else is_match
    return sum(rule(answer, wanted, options, mode) for answer in answers) / len(answers)


def score_by_rule(name: str, extracted: Extracted, wanted: Sequence[str], which: str, place: str) -> float:
    """What a rule says of an answer; of several, the mean over them. An answer that was not found is an empty one.

    which: the document, for errors. Raises UserError where the target isn't what the rule reads.
    """
    answers = answers_of(extracted, "right") or [None]
    try:
        return sum(RULES[name](_text(answer), wanted) for answer in answers) / len(answers)
    except ValueError as error:
        raise UserError(f"{which}: {error}", place=place) from None


def answers_of(extracted: Extracted, mode: Mode) -> list[Any]:
    """What is judged, one by one; in mode right None for an answer that was not found."""
    values = extracted.value if isinstance(extracted.value, list) else [extracted.value]
    if mode == "lm-eval" or len(extracted.lost) != len(values):
        return values
    return [None if lost else value for value, lost in zip(values, extracted.lost, strict=True)]


def wrong_by_space(extracted: Extracted, wanted: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether in mode lm-eval an answer is wrong by the white space around it, or around the target, alone."""
    return any(is_match_but_for_space(answer, wanted, options) for answer in answers_of(extracted, "lm-eval"))


def score_programs(
    value: Any, tests: Sequence[str], options: Mapping[str, Any], allowed: bool, place: str, given: str = ""
) -> tuple[dict[str, float], list[str]]:
    """pass@k for each k of the options, and how each program ended.

    value: programs (filters put what belongs before a completion: see `prepend`); tests: code that raises where a
    program is wrong, of a list every one; given: what a filter put before each, whose functions are the task's also for
    the tests. Raises UserError unless code may run, or for a k above the number of
    programs.
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
        [code_execution.Program(program, "\n".join(tests), given) for program in programs],
        limits=limits,
        allow_code_execution=allowed,
    )
    passed = sum(outcome.passed for outcome in outcomes)
    return {f"pass@{k}": pass_at_k(len(programs), passed, k) for k in counts}, [str(outcome) for outcome in outcomes]


def score_by_function(
    metric: Callable[..., Any],
    name: str,
    value: Any,
    asked: Asked,
    options: Mapping[str, Any],
    mode: Mode,
    place: str,
    lower_is_better: bool = False,
) -> dict[str, Any]:
    """A metric that the task file brings: metric -> item.

    lm-eval's interface: `fn(references=[gold], predictions=[answer], **options)`, else `fn([gold, answer])`; the
    result is an item, or a mapping of several. Of several targets: in mode lm-eval 1 if any result isn't zero, in mode
    right the best result.
    """
    wanted = targets(asked, place)
    if not isinstance(asked.target, tuple):
        return _named(name, done(metric, "metric", wanted[0], value, options, mode == "lm-eval"))
    results = [done(metric, "metric", target, value, options, mode == "lm-eval") for target in wanted]
    numbers = [result[name] if isinstance(result, Mapping) and name in result else result for result in results]
    if mode == "lm-eval":
        return {name: float(any(numbers))}
    best = min if lower_is_better else max
    if all(isinstance(result, Mapping) for result in numbers):
        return {key: best(result[key] for result in numbers) for key in numbers[0]}
    return {name: best(numbers)}


def _named(name: str, result: Any) -> dict[str, Any]:
    return {str(key): value for key, value in result.items()} if isinstance(result, Mapping) else {name: result}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
