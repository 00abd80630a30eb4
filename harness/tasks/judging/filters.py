"""Filter pipelines: what is made of the texts that a model wrote before they are judged.

A pipeline works on all samples of one document. Most steps change each sample; `take_first`, `take_first_k` and
`majority_vote` choose among them. The filters are those of lm-evaluation-harness, with its names and arguments, and
two of ours (`strip`, `prepend`). In mode right a regex gives what it matched, blanks included: programs keep their
indentation, and comparisons strip. Every step also says which samples it could extract nothing from, so that a low
score can be told from an answer that was never found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UserError
from harness.mode import Mode
from harness.spelling import nearest
from harness.tasks.ask import Row
from harness.tasks.code.judging import done
from harness.tasks.config import FilterPipeline, FilterStep, Function, LoadFunction
from harness.tasks.judging.filter_check import INVALID, NO_TAGS, check_step, first_of, in_mode
from harness.tasks.judging.filter_patterns import choice_letter, entity_spans, first_match, part_of_speech_tags
from harness.tasks.judging.normal_form import NOTHING, Ignored, comparable
from harness.tasks.judging.pattern_time import limited

_SEARCHING = {"regex", "multi_choice_regex"}
_MAY_FAIL = {"regex", "regex_pos", "multi_choice_regex", "map"}
_DEFAULT_PATTERN = r"#### (\-?[0-9\.\,]+)"


@dataclass(frozen=True)
class Extracted:
    """What a pipeline made of the samples of one document."""

    value: Any
    """What is judged: one answer, or a list of them where no step chooses one."""
    failed: float
    """Share of what is judged that is a fallback: 0 or 1 for one answer."""
    samples_failed: float
    """Share of all samples that nothing could be extracted from, whatever was chosen afterwards."""
    may_fail: bool
    """Whether a step can fail at all."""
    lost: tuple[bool, ...] = ()
    """Of each value that is judged: whether it only marks that nothing was found (`[invalid]`), and is no answer."""


@dataclass
class _State:
    """The samples on their way. `single`: a step chose one, which is then the only entry of `values`."""

    values: list[Any]
    failed: list[bool]
    single: bool = False
    samples_failed: float = field(default=0.0)


def prepended(pipeline: FilterPipeline, row: Row) -> str:
    """What a pipeline puts before each sample, of this document."""
    columns = [step.options.get("column") for step in pipeline.steps if step.function == "prepend"]
    return "".join(str(row[column]) for column in reversed(columns) if column in row)


def apply(
    pipeline: FilterPipeline,
    samples: Sequence[Any],
    *,
    row: Row,
    choices: Sequence[str] = (),
    mode: Mode = "right",
    ignored: Ignored = NOTHING,
    function: LoadFunction,
    place: str,
    answered: Sequence[bool] | None = None,
) -> Extracted:
    """Run the samples of one document through a pipeline.

    samples: the texts; for tasks of log-likelihoods, whatever stands for one answer.
    row, choices: the document, and the texts of its choices, for filters that need them.
    mode: in `lm-eval`, failed votes count, votes are compared as they stand, a regex strips what it found, and a step
    after `take_first` takes a text for a list of characters.
    ignored: what the task's comparison of answers ignores: votes that are the same answer count together.
    place: the task's file, for errors. answered: of a model that thinks first, whether each sample came to an answer;
    from one that didn't nothing can be extracted. Raises UserError.
    """
    state = _State(list(samples), [False] * len(samples))
    if answered is not None:
        state.failed = [not one for one in answered]
        state.samples_failed = sum(state.failed) / max(len(state.failed), 1)
    for step in pipeline.steps:
        where = f"{place}:filter_list: {pipeline.name}"
        step = in_mode(step, mode)
        check_step(step, where)
        if mode == "lm-eval" and state.single:
            whole = state.values[0]
            state.values = list(whole) if isinstance(whole, Iterable) else [whole]
            state.failed = [False] * len(state.values)
            state.single = False
        _step(state, step, row, choices, mode, ignored, function, where)
    failed = sum(state.failed) / len(state.failed) if state.failed else 0.0
    return Extracted(
        value=state.values[0] if state.single else state.values,
        failed=failed,
        samples_failed=state.samples_failed,
        may_fail=answered is not None
        or any(isinstance(step.function, Function) or step.function in _MAY_FAIL for step in pipeline.steps),
        lost=tuple(bad and _is_marker(value) for value, bad in zip(state.values, state.failed, strict=True)),
    )


def _step(
    state: _State,
    step: FilterStep,
    row: Row,
    choices: Sequence[str],
    mode: Mode,
    ignored: Ignored,
    function: LoadFunction,
    where: str,
) -> None:
    name, options = step.function, step.options
    if isinstance(name, Function) or name == "custom":
        _custom(state, step, row, function, where)
    elif name == "take_first":
        if not state.values:
            raise UserError("there is no sample that `take_first` could take", place=where)
        state.values, state.failed, state.single = state.values[:1], state.failed[:1], True
    elif name == "take_first_k":
        k = first_of(options["k"], len(state.values), where)
        state.values, state.failed = state.values[:k], state.failed[:k]
    elif name == "majority_vote":
        state.values, state.failed = _majority(state.values, state.failed, mode, ignored)
    else:
        change = _change(name, options, row, choices, mode, where)
        with limited("regex_pattern", where) if name in _SEARCHING else nullcontext():
            outcomes = [change(value) for value in state.values]
        if name in _MAY_FAIL:
            state.failed = [failed or before for (_, failed), before in zip(outcomes, state.failed, strict=True)]
            state.samples_failed = sum(state.failed) / max(len(state.failed), 1)
        state.values = [value for value, _ in outcomes]


def _change(
    name: str, options: Mapping[str, Any], row: Row, choices: Sequence[str], mode: Mode, where: str
) -> Callable[[Any], tuple[Any, bool]]:
    """The step that changes one sample: value -> (new value, whether it is a fallback)."""
    if name == "regex":
        pattern = re.compile(options.get("regex_pattern", _DEFAULT_PATTERN))
        fallback = options.get("fallback", INVALID)
        select = options.get("group_select", 0)
        return lambda value: _or_fallback(first_match(pattern, value, select, mode), fallback)
    if name == "multi_choice_regex":
        known = _texts_of_choices(row, choices, mode, where)
        return lambda value: _or_fallback(
            choice_letter(
                value,
                known,
                re.compile(options.get("regex_pattern", _DEFAULT_PATTERN)),
                options.get("group_select", 0),
                options,
                mode,
            ),
            options.get("fallback", INVALID),
        )
    if name == "regex_pos":
        fallback = options.get("fallback") or NO_TAGS
        return lambda value: _or_fallback(part_of_speech_tags(value) or None, fallback)
    if name == "map":
        mapping, default = options.get("mapping_dict") or {}, options.get("default_value")
        alike = {} if mode == "lm-eval" else {comparable(key): key for key in reversed(mapping)}
        return lambda value: _mapped(value, mapping, alike, default)
    if name == "prepend":
        column = options["column"]
        if column not in row:
            raise UserError(
                f"`prepend` names column `{column}`, which the document lacks{nearest(column, row)}", place=where
            )
        return lambda value: (f"{row[column]}{value}", False)
    texts: dict[str, Callable[[str], str]] = {
        "remove_whitespace": str.strip,
        "strip": lambda text: text.strip(options.get("characters")),
        "lowercase": str.lower,
        "uppercase": str.upper,
        "format_span": entity_spans,
    }
    change = texts[name]
    return lambda value: (change(value) if isinstance(value, str) else value, False)


def _is_marker(value: Any) -> bool:
    return value == NO_TAGS or (isinstance(value, str) and value.lower() == INVALID)


def _or_fallback(found: Any, fallback: Any) -> tuple[Any, bool]:
    return (fallback, True) if found is None else (found, False)


def _mapped(value: Any, mapping: Mapping[Any, Any], alike: Mapping[Hashable, Any], default: Any) -> tuple[Any, bool]:
    """alike: keys by their normal form, for a value that is no key as it stands."""
    if isinstance(value, Hashable) and value in mapping:
        return mapping[value], False
    key = comparable(value) if alike else None
    return (mapping[alike[key]], False) if key in alike else (default, True)


def _texts_of_choices(row: Row, choices: Sequence[str], mode: Mode, where: str) -> list[str]:
    """lm-eval takes the document's column `choices`; right: also the choices as the task declares them."""
    column = row.get("choices")
    if mode == "lm-eval" and column is not None:
        return [str(text) for text in column]
    if isinstance(column, Sequence) and not isinstance(column, str) and all(isinstance(text, str) for text in column):
        return list(column)
    if choices:
        return list(choices)
    raise UserError(
        "`multi_choice_regex` needs the choices: a column `choices` with their texts, or `doc_to_choice`", place=where
    )


def _majority(
    values: Sequence[Any], failed: Sequence[bool], mode: Mode, ignored: Ignored
) -> tuple[list[Any], list[bool]]:
    """The commonest answer, as it was first written; among equals the one that was seen first.

    Right: answers that the task judges the same are one, and what failed has no vote, unless all failed.
    """
    voting = list(zip(values, failed, strict=True))
    if mode == "right" and not all(failed):
        voting = [(value, lost) for value, lost in voting if not lost]
    answers = [comparable(value, mode, ignored) if mode == "right" else _hashable(value) for value, _ in voting]
    (winner, _), *_ = Counter(answers).most_common(1)
    value, lost = voting[answers.index(winner)]
    return [value], [lost]


def _hashable(value: Any) -> Any:
    return tuple(_hashable(entry) for entry in value) if isinstance(value, list | tuple) else value


def _custom(state: _State, step: FilterStep, row: Row, function: LoadFunction, where: str) -> None:
    """A function, or a class with `apply`, of the task's folder: over the samples of one document.

    lm-eval hands it the samples of all documents at once; what looks at other documents can't be served here.
    """
    named = step.function if isinstance(step.function, Function) else step.options["filter_fn"]
    given = state.values[0] if state.single else state.values
    try:
        if isinstance(step.function, Function):
            results = done(function(step.function, "filter_list"), "filter", row, given, step.options)
        else:
            run = function(named, "filter_fn") if isinstance(named, Function) else named
            results = done(run, "filter", row, given, None)
    except UserError:
        raise
    except Exception as error:  # whatever code of others raises
        what = getattr(named, "name", named)
        raise UserError(f"the filter `{what}` failed with {type(error).__name__}: {error}", place=where) from error
    if len(results) != 1:
        raise UserError(f"a filter of the task file made {len(results)} results of one document's samples", place=where)
    result = results[0]
    state.single = not isinstance(result, list)
    state.values = [result] if state.single else result
    state.failed = [value == INVALID for value in state.values]
    state.samples_failed = sum(state.failed) / max(len(state.failed), 1)
