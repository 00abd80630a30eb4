"""Scores of one multiple-choice document, all from the log-probabilities of one pass.

An accuracy takes the first of equally likely choices, as numpy's argmax does and lm-eval with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.ask import Asked, ChoiceAnswer

OUT_OF_RANGE = -100
"""lm-eval's gold where the task file names a choice that isn't there: no choice equals it."""


@dataclass(frozen=True)
class ChoiceScores:
    """Items of one document by metric, and which choice each rule takes."""

    items: dict[str, Any] = field(default_factory=dict)
    predictions: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, Any] = field(default_factory=dict)
    """What lm-eval hands to an aggregation, where that is more than a number: (right choice, what the model said)."""


def score_choices(asked: Asked, answers: Sequence[ChoiceAnswer], mode: Mode, place: str) -> ChoiceScores:
    """Every score that the answers allow.

    answers: one per choice; then, for `acc_mutual_info`, one per choice without its context.
    place: the task's file, for errors. In mode right, raises UserError for what can't be judged: an empty choice, a
    gold that names no choice, a log-probability that is no number.
    """
    import numpy as np

    count = len(asked.choices)
    if len(answers) not in (count, 2 * count) or count == 0:
        raise UserError(f"document {asked.document}: {len(answers)} answers to {count} choices", place=place)
    conditional = np.array([answer.log_prob for answer in answers[:count]], dtype=np.float64)
    characters = np.array([float(len(choice)) for choice in asked.choices])
    utf8 = np.array([float(len(choice.encode("utf-8", "surrogatepass"))) for choice in asked.choices])
    tokens = [answer.tokens for answer in answers[:count]]
    gold = _gold_as_lm_eval(asked.gold, count) if mode == "lm-eval" else _gold(asked, place)
    if mode == "right":
        _check(asked, conditional, place)
    rules = {"acc": conditional}
    with np.errstate(divide="ignore", invalid="ignore"):
        rules |= {
            "acc_norm": conditional / characters,
            "acc_bytes": conditional / utf8,
        }
        if None not in tokens:
            rules["acc_tokens"] = conditional / np.array(tokens, dtype=np.float64)
    if len(answers) == 2 * count:
        rules["acc_mutual_info"] = conditional - np.array([answer.log_prob for answer in answers[count:]])
    scores = ChoiceScores(predictions={rule: int(np.argmax(values)) for rule, values in rules.items()})
    for rule, prediction in scores.predictions.items():
        scores.items[rule] = float(prediction in gold)
    scores.items["exact_match"] = float(
        any(answers[index].greedy for index in gold if index != OUT_OF_RANGE and -count <= index < count)
    )
    shifted = np.exp(conditional - conditional.max())
    probabilities = shifted / shifted.sum()
    label = scores.predictions["acc"] if scores.predictions["acc"] in gold and mode == "right" else gold[0]
    stored: Any = list(gold) if mode == "lm-eval" and isinstance(asked.gold, tuple) else label
    scores.items["f1"] = scores.items["mcc"] = [stored, scores.predictions["acc"]]
    scores.pairs["brier_score"] = [stored, [float(p) for p in probabilities]]
    scores.pairs["likelihood"] = [stored, [float(log_prob) for log_prob in conditional]]
    if mode == "lm-eval":
        return scores
    right = np.isin(np.arange(count), gold)
    mass = float(probabilities[right].sum())
    # Choices that are all right are one class: which of them the model prefers is no mistake.
    scores.items["brier_score"] = float((1 - mass) ** 2 + (probabilities[~right] ** 2).sum())
    scores.items["likelihood"] = mass
    taken = float(probabilities[scores.predictions["acc"]])
    scores.items["calibration_error"] = [taken, scores.items["acc"]]
    scores.items["overconfidence"] = taken - scores.items["acc"]
    scores.items["stereotype_preference"] = float(scores.predictions["acc"] == 0)
    scores.items["kappa"] = scores.items["mcc"]
    best = max(gold, key=lambda index: conditional[index])
    scores.items["gold_bits_per_byte"] = [float(conditional[best]), float(utf8[best])]
    return scores


def chance(asked: Asked) -> float | None:
    """Accuracy of guessing on this document: right choices over choices; None where there are no choices."""
    if not asked.choices or asked.gold is None:
        return None
    right = len(set(asked.gold)) if isinstance(asked.gold, tuple) else 1
    return right / len(asked.choices)


def _gold(asked: Asked, place: str) -> tuple[int, ...]:
    gold = asked.gold if isinstance(asked.gold, tuple) else () if asked.gold is None else (asked.gold,)
    if not gold:
        raise UserError(
            f"document {asked.document} has no right choice: `doc_to_target` must give its index or its text",
            place=place,
        )
    for index in gold:
        if not 0 <= index < len(asked.choices):
            raise UserError(
                f"document {asked.document}: `doc_to_target` gives choice {index}, but there are {len(asked.choices)} "
                f"(0 to {len(asked.choices) - 1})",
                place=place,
            )
    return gold


def _gold_as_lm_eval(gold: int | tuple[int, ...] | None, count: int) -> tuple[int, ...]:
    given = gold if isinstance(gold, tuple) else (OUT_OF_RANGE,) if gold is None else (gold,)
    return tuple(index if index < count else OUT_OF_RANGE for index in given) or (OUT_OF_RANGE,)


def _check(asked: Asked, log_probs: Any, place: str) -> None:
    import numpy as np

    for index, choice in enumerate(asked.choices):
        if not choice:
            raise UserError(
                f"document {asked.document}: choice {index} is empty, so it has no log-probability per character; "
                "give it a text in `doc_to_choice`, or leave the document out in `process_docs`",
                place=place,
            )
        if np.isnan(log_probs[index]):
            raise UserError(
                f"document {asked.document}: the log-probability of choice {index} is no number (the model's logits "
                "overflowed?)",
                place=place,
            )
