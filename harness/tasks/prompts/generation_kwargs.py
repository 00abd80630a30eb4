"""How a task file says that answers are written: its `generation_kwargs`, with lm-eval's names and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from harness.errors import UserError
from harness.mode import Mode
from harness.spelling import nearest
from harness.tasks.ask import Generation
from harness.tasks.config import TaskConfig

MAX_NEW = 256
"""Tokens of an answer where the task file says nothing."""
MAX_NEW_KEYS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_DECODING_KEYS = ("until", "do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty")
_BEAM_KEYS = ("num_beams", "length_penalty", "early_stopping")
_INSTEAD = {
    "seed": "say `sample_seed` in the suite",
    "max_length": "it counts the prompt too: say `max_gen_toks`, which counts the answer",
    "num_return_sequences": "say `repeats` in the task file, or `samples` in the suite",
}
KEYS = (*MAX_NEW_KEYS, *_DECODING_KEYS, *_BEAM_KEYS)
"""What may be said of how an answer is written."""


def generation(config: TaskConfig, context: str, mode: Mode = "right") -> Generation:
    """How an answer is written: the task's `generation_kwargs`, with lm-eval's names and defaults.

    A temperature that is written as 0 is greedy, whatever `do_sample` says; in mode lm-eval `do_sample: true` needs a
    temperature above 0, as there. Raises UserError for a key that no setting of ours stands for, and for a value that
    is none.
    """
    given = {"until": [config.fewshot_delimiter]} | (config.generation_kwargs or {})
    place = f"{config.file}:generation_kwargs"
    _check_keys(given, place)
    named = next((key for key in MAX_NEW_KEYS if given.get(key) is not None), MAX_NEW_KEYS[0])
    top_k, beams = _count(given, "top_k", 0, place), _count(given, "num_beams", 1, place)
    found = Generation(
        context=context,
        until=_stops(given["until"], place),
        max_new=_count(given, named, MAX_NEW, place),
        temperature=_temperature(given, mode, place),
        top_p=_share(given, "top_p", 1.0, place),
        top_k=top_k or None,
        min_p=_share(given, "min_p", 0.0, place),
        repetition_penalty=_penalty(given, place),
        beams=max(beams, 1),
        length_penalty=_number(given, "length_penalty", 1.0, place, least=-math.inf),
        early_stopping=_early_stopping(given.get("early_stopping"), place),
        samples=config.repeats,
    )
    if found.beams > 1 and (found.temperature > 0 or found.repetition_penalty != 1):
        clash = "draws nothing: leave out `do_sample` and `temperature`"
        if found.temperature == 0:
            clash = "and `repetition_penalty` are not combined here: leave out one of them"
        raise UserError(f"`num_beams: {beams}`: beam search {clash}", place=place)
    return found


def put_over(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of generation over others: one name of the largest number of new tokens replaces all others."""
    if any(key in given for key in MAX_NEW_KEYS):
        own = {key: value for key, value in own.items() if key not in MAX_NEW_KEYS}
    return {**own, **given}


def _check_keys(given: Mapping[str, Any], place: str) -> None:
    for key in given:
        if key in _INSTEAD:
            raise UserError(f"`{key}` is not understood: {_INSTEAD[key]}", place=place)
        if key not in KEYS:
            raise UserError(f"`{key}` is not understood{nearest(key, KEYS)} (there are {', '.join(KEYS)})", place=place)


def _temperature(given: Mapping[str, Any], mode: Mode, place: str) -> float:
    """0 is greedy."""
    temperature, do_sample = _number(given, "temperature", 0.0, place), _do_sample(given, mode, place)
    if do_sample is False:
        return 0.0
    if do_sample and temperature == 0:
        if mode == "lm-eval":
            raise UserError(
                "`do_sample: true` without a temperature above 0 is an error in lm-eval: write one, or "
                "`do_sample: false`",
                place=place,
            )
        if given.get("temperature") is None:
            return 1.0  # what transformers draws with where nothing is said
    return temperature


def _do_sample(given: Mapping[str, Any], mode: Mode, place: str) -> bool | None:
    """In mode lm-eval any value counts as Python takes it: the text "false" draws."""
    value = given.get("do_sample")
    if value is None or mode == "lm-eval":
        return None if value is None else bool(value)
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    said = value.strip().lower() if isinstance(value, str) else None
    if said not in ("true", "false"):
        raise UserError(f"`do_sample: {value}` must be true or false", place=place)
    return said == "true"


def _stops(until: Any, place: str) -> tuple[str, ...]:
    """Stop strings; null is none."""
    stops = [stop for stop in (until if isinstance(until, list | tuple) else [until]) if stop is not None]
    for stop in stops:
        if isinstance(stop, bool | int | float):
            raise UserError(f"`until: {stop}` must be a text: quote it as it is to be found in the answer", place=place)
        if not isinstance(stop, str):
            raise UserError(f"`until: {stop}` must be a text or a list of texts", place=place)
    return tuple(stops)


def _early_stopping(value: Any, place: str) -> bool | Literal["never"]:
    if value is None or isinstance(value, bool):
        return bool(value)
    if value != "never":
        raise UserError(f"`early_stopping: {value}` must be true, false or never", place=place)
    return "never"


def _number(given: Mapping[str, Any], key: str, default: float, place: str, least: float = 0) -> float:
    """A setting that is a number, be it written as a text. Raises UserError."""
    value = given.get(key)
    try:
        number = default if value is None else math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not least <= number < math.inf or number == -math.inf:
        raise UserError(f"`{key}: {value}` must be a number{' of 0 or more' if least == 0 else ''}", place=place)
    return number


def _count(given: Mapping[str, Any], key: str, default: int, place: str) -> int:
    number = _number(given, key, default, place)
    if number != int(number):
        raise UserError(f"`{key}: {given[key]}` must be a whole number", place=place)
    return int(number)


def _share(given: Mapping[str, Any], key: str, default: float, place: str) -> float:
    number = _number(given, key, default, place)
    if number > 1 or (key == "top_p" and number == 0):
        raise UserError(
            f"`{key}: {given[key]}` must be {'above 0 and ' if key == 'top_p' else ''}at most 1", place=place
        )
    return number


def _penalty(given: Mapping[str, Any], place: str) -> float:
    number = _number(given, "repetition_penalty", 1.0, place)
    if number == 0:
        raise UserError("`repetition_penalty: 0` must be above 0; 1 changes nothing", place=place)
    return number
