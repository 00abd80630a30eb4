"""Alignment data that need no file: microworld's instructions with good and bad answers, and its sums.

The same split, seed and count give the same rows everywhere. Splits share no sentence and no sum, so what is learned in
`train` can be measured in `test`. `reward` judges answers to sums without a model.
"""

from __future__ import annotations

import re
from decimal import Decimal

from reference_impl.alignment.data.rows import Demonstration, Preference, Prompt
from reference_impl.text import microworld
from reference_impl.text.dialog import asked
from reference_impl.text.microworld.arithmetic import questions
from reference_impl.text.microworld.draw import SPLITS, Draw, Split
from reference_impl.text.microworld.question import Question

MOST_SUMS: dict[str, int] = {"train": 12_000, "validation": 2_000, "test": 2_000}
"""Of a split: there are not many more with two digits."""
_NUMBER = re.compile(r"(?<!\d)-?\d+(?:,\d{3})*(?:\.\d+)?")


def preferences(split: Split = "train", seed: int = 0, count: int = 2000) -> list[Preference]:
    """Instructions with a good answer and one that is wrong, verbose, off the topic, rude, harmful or timid.

    Raises ValueError for an unknown split.
    """
    return [
        Preference(asked(pair.prompt), pair.chosen, pair.rejected, place=f"microworld/{split}/{number}")
        for number, pair in enumerate(microworld.preferences(split, seed, count), start=1)
    ]


def demonstrations(split: Split = "train", seed: int = 0, count: int = 2000) -> list[Demonstration]:
    """The same instructions with their good answers. Raises ValueError for an unknown split."""
    return [Demonstration(pair.prompt, pair.chosen, pair.place) for pair in preferences(split, seed, count)]


def sums(split: Split = "train", seed: int = 0, count: int = 400, *, steps: bool = False) -> list[Prompt]:
    """Additions of one to four digits to answer, the small ones first; `answer` is the sum. The prompts are texts, as
    the corpus has them, so that a model that has read it answers some.

    steps: asked to be answered step by step.
    Raises ValueError for an unknown split, and for more than `MOST_SUMS`.
    """
    return [
        Prompt(question.prompt, question.answer, place=f"microworld/{split}/{number}")
        for number, question in enumerate(_sums(split, seed, count, steps), start=1)
    ]


def shown_sums(split: Split = "train", seed: int = 0, count: int = 400, *, steps: bool = False) -> list[Demonstration]:
    """The same additions with the right response, for SFT. Raises ValueError as `sums`."""
    return [
        Demonstration(question.prompt, question.joint + question.target, place=f"microworld/{split}/{number}")
        for number, question in enumerate(_sums(split, seed, count, steps), start=1)
    ]


def reward(prompt: Prompt, text: str) -> float:
    """1 where the last number in the first line of a response is the last one of the prompt's answer, else 0.

    Raises ValueError for a prompt whose answer has no number.
    """
    right = _last_number(prompt.answer or "")
    if right is None:
        raise ValueError(f"{prompt.place or 'this prompt'}: there is no number in its answer to judge a response by.")
    return float(_last_number(text.strip().split("\n", 1)[0]) == right)


def _last_number(text: str) -> Decimal | None:
    numbers = _NUMBER.findall(text)
    return Decimal(numbers[-1].replace(",", "")) if numbers else None


def _sums(split: str, seed: int, count: int, steps: bool) -> list[Question]:
    if split not in SPLITS:
        raise ValueError(f"microworld has no split '{split}'; the splits are {', '.join(SPLITS)}")
    if not 1 <= count <= MOST_SUMS[split]:
        raise ValueError(f"microworld has 1 to {MOST_SUMS[split]:,} sums for its split '{split}', not {count:,}")
    draw = Draw(f"microworld/{microworld.VERSION}/{seed}/{split}/sums", split)
    wanted = "steps" if steps else "direct"
    return [one for one in questions(draw, 2 * count + 16) if one.reasoning == wanted][:count]
