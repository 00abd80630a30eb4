"""Alignment data that need no file: dialogs of the `assistant` world, with good and bad answers.

Demonstrations are good in seven of ten cases only, pairs have a good answer and one with a fault of any kind. `gold` is
what answers are worth: it measures, and no trainer sees it but a control that is rewarded by it.
"""

from __future__ import annotations

from reference_impl.alignment.data.rows import Demonstration, Preference, Prompt
from reference_impl.text import assistant
from reference_impl.text.assistant.gold import gold as gold_of
from reference_impl.text.dialog import asked
from reference_impl.text.microworld.draw import Split


def preferences(split: Split = "train", seed: int = 0, count: int = 2000) -> list[Preference]:
    """Different prompts with a good answer and one that has a fault. Raises ValueError as `assistant.pairs`."""
    return [
        Preference(asked(pair.posed.prompt), pair.good, pair.bad, place=f"assistant/{split}/{number}")
        for number, pair in enumerate(assistant.pairs(split, seed, count), start=1)
    ]


def demonstrations(split: Split = "train", seed: int = 0, count: int = 2000) -> list[Demonstration]:
    """Different prompts with an answer each, of which three in ten have a fault. Raises ValueError as
    `assistant.demonstrations`."""
    return [
        Demonstration(asked(posed.prompt), response, place=f"assistant/{split}/{number}")
        for number, (posed, response) in enumerate(assistant.demonstrations(split, seed, count), start=1)
    ]


def prompts(split: Split = "train", seed: int = 0, count: int = 2000) -> list[Prompt]:
    """Different prompts; `answer` is what a right response names, where the prompt is not harmful. Raises ValueError as
    `assistant.prompts`."""
    return [
        Prompt(
            asked(posed.prompt),
            None if posed.asked.kind == "harmful" else posed.asked.right,
            place=f"assistant/{split}/{number}",
        )
        for number, posed in enumerate(assistant.prompts(split, seed, count), start=1)
    ]


def gold(prompt: Prompt, text: str, ended: bool = True) -> float:
    """Total of gold (-3 to 1.5) for what a response says. ended: whether the model stopped by itself."""
    question = prompt.prompt if isinstance(prompt.prompt, str) else prompt.prompt[-1].content
    return gold_of(question, text, ended=ended).total
