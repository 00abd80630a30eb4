"""What is wrong in the suite of a one-liner, in the words of who wrote none: options in place of keys."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.suite.load import IN_MEMORY

MODEL = "MODEL"
"""What models are called on a command line."""


def in_options(sentence: str, options: Mapping[str, str]) -> str:
    """Sentences on such a suite, each with its option as the place. options: what a setting of its measures, or an
    axis, is called on the command line; under `train.KEY`, one of a model's training."""

    def line(text: str) -> str:
        found = re.match(rf"{IN_MEMORY}: (?:models\.(.*?)|(?:measures\.\d+\.\w+|matrix)\.?(\w*)[.\d]*): ", text)
        if found is None:
            return text
        place = options.get(found[2], found[2])
        if found[1] is not None:
            place = options.get(f"train.{found[1].rpartition('.')[2]}", MODEL)
        said = text[found.end() :]
        said = re.sub(r"`(\w+): (\w+)`", lambda word: _option(word[0], word[1], word[2], options), said)
        said = re.sub(r"`(\w+)`", lambda word: f"`{options.get(word[1], word[1])}`", said)
        return f"{place}: {said}" if place else said

    return "\n".join(dict.fromkeys(map(line, sentence.splitlines())))


def _option(whole: str, key: str, value: str, options: Mapping[str, str]) -> str:
    """`key: value` of a suite as words of a command line; as it is where no option has the key."""
    if key not in options:
        return whole
    return f"`{options[key]}`" if value == "true" else f"`{options[key]} {value}`"
