"""Which rows of microworld's evaluation sets a task asks, and what they share.

The sets are questions as the corpus' own generator makes them: `prompt`, `target`, `answer`, `choices`, `level`,
`reasoning` (`direct` or `steps`). Each function takes the rows of a split and gives those of a task.
"""

import re
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]

_OF_A_CAPITAL = re.compile(r"capital|chief city|is governed from$|the parliament of", re.IGNORECASE)
_HINT = " Step by step.\nA:"
_FRAME_WORDS = re.compile(
    r"\b(?:a|an|the|colour|of|is|are|ripe|to|paint|take|if|you|peel|throw|away|something|basket|with|looks|among|fruit|fresh|"
    r"spot|on|shirt|nobody|has|seen|that|was|not|as|everyone|can|see|look|in|market|painter|knows|course|children|learn|when|"
    r"it)\b"
)


def capitals(rows: Iterable[Row]) -> list[Row]:
    """The facts that ask for a capital."""
    return [row for row in rows if _OF_A_CAPITAL.search(row["prompt"])]


def colored(rows: Iterable[Row]) -> list[Row]:
    """Questions about colors, each with the `thing` that it asks about (in the singular): some are asked often."""
    return [{**row, "thing": _thing(row["prompt"])} for row in rows]


def _thing(prompt: str) -> str:
    name = " ".join(re.findall("[a-z]+", _FRAME_WORDS.sub(" ", prompt.lower())))
    for ending, singular in (("ies", "y"), ("ches", "ch"), ("s", "")):
        if name.endswith(ending) and not name.endswith("ss"):
            return name.removesuffix(ending) + singular
    return name


def one_digit(rows: Iterable[Row]) -> list[Row]:
    """Additions of one digit."""
    return _additions(rows, 1)


def two_digits(rows: Iterable[Row]) -> list[Row]:
    """Additions of two digits."""
    return _additions(rows, 2)


def three_digits(rows: Iterable[Row]) -> list[Row]:
    """Additions of three digits."""
    return _additions(rows, 3)


def four_digits(rows: Iterable[Row]) -> list[Row]:
    """Additions of four digits."""
    return _additions(rows, 4)


def additions(rows: Iterable[Row]) -> list[Row]:
    """Additions of one to four digits."""
    chosen = list(rows)
    return [problem for digits in (1, 2, 3, 4) for problem in _additions(chosen, digits)]


def _additions(rows: Iterable[Row], digits: int) -> list[Row]:
    """Each problem once, with `steps_prompt` and `steps_target` beside `prompt` and `target`.

    So the document of a number is the same problem whatever the way of reasoning, and the two can be paired.
    """
    chosen = [row for row in rows if row["level"] == digits]
    steps = {row["prompt"].replace(", step by step?", "?"): row for row in chosen if row["reasoning"] == "steps"}
    return [
        {**row, "steps_prompt": steps[row["prompt"]]["prompt"], "steps_target": steps[row["prompt"]]["target"]}
        for row in chosen
        if row["reasoning"] == "direct"
    ]


def word_problems(rows: Iterable[Row]) -> list[Row]:
    """Every problem, with `steps_prompt` beside `prompt`: it can be asked either way, as its answer is one number."""
    return [_either_way(row) for row in rows]


def worked_word_problems(rows: Iterable[Row]) -> list[Row]:
    """The problems whose working is written out (`steps_target`), which can be examples for both ways."""
    return [{**_either_way(row), "steps_target": row["target"]} for row in rows if row["reasoning"] == "steps"]


def _either_way(row: Row) -> Row:
    question = row["prompt"].removesuffix(_HINT).removesuffix("\nA:")
    return {**row, "prompt": f"{question}\nA:", "steps_prompt": question + _HINT, "target": f"{row['answer']}."}


def pairs_of_the_world(rows: Iterable[Row]) -> list[Row]:
    """The last pair of each list that is a mapping of the world (`apple -> red`); `list` says of which list."""
    return _asked_pairs(rows, 1)


def pairs_of_a_rule(rows: Iterable[Row]) -> list[Row]:
    """The last pair of each list that follows a rule of its own (`15 -> 24`); `list` says of which list."""
    return _asked_pairs(rows, 2)


def invented_pairs(rows: Iterable[Row]) -> list[Row]:
    """The last pair of each list with words of its own (`zav -> purple`); `list` says of which list."""
    return _asked_pairs(rows, 3)


def shown_pairs(rows: Iterable[Row]) -> list[Row]:
    """Every pair that a list shows before its last one, in order."""
    shown = []
    for number, row in enumerate(rows):
        for line in row["prompt"].split("\n")[:-1]:
            left, right = line.split(" -> ")
            shown.append({"list": number, "prompt": f"{left} ->", "choices": [right], "gold": 0})
    return shown


def _asked_pairs(rows: Iterable[Row], level: int) -> list[Row]:
    return [
        {**row, "list": number, "prompt": row["prompt"].split("\n")[-1]}
        for number, row in enumerate(rows)
        if row["level"] == level
    ]
