"""What is wrong in the suite of a one-liner, in the words of who wrote none: options in place of keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from harness.errors import UserError
from harness.shorthand.options import MODEL, SETTINGS, keyword
from harness.suite.load import IN_MEMORY, is_told_otherwise, told_otherwise


@contextmanager
def told_in_options(options: Mapping[str, str], models: str = MODEL) -> Iterator[None]:
    """In the block what is told of a suite in memory names options: errors, records and warnings. Within another such
    block that one's words stay. options, models: as in `in_options`. Raises the UserError of the block in its words."""
    if is_told_otherwise():
        yield
        return
    words = partial(in_options, options=options, models=models)
    with told_otherwise(words):
        try:
            yield
        except UserError as error:
            told = words(str(error))
            if told == str(error):
                raise
            raise UserError(told) from None


def in_options(sentence: str, options: Mapping[str, str], models: str = MODEL) -> str:
    """Sentences on such a suite, each with its option as the place. options: what a setting of its measures, or an
    axis, is called on the command line; under `train.KEY`, one of a model's training. models: what models are."""

    def line(text: str) -> str:
        found = re.match(
            rf"{IN_MEMORY}: (?:models\.(.*?)|(?:measures\.\d+\.\w+\.?|matrix\.?|(?=name:))(\w*)[.\d]*): ", text
        )
        if found is None:
            return text
        place = options.get(found[2], found[2])
        said = text[found.end() :]
        if found[1] is not None:
            settings = SETTINGS if models == MODEL else keyword(SETTINGS)
            of_entry = settings if said.startswith("unknown key") else models
            place = options.get(f"train.{found[1].rpartition('.')[2]}", of_entry)
        said = re.sub(r"`(\w+): (\w+)`", lambda word: _option(word[0], word[1], word[2], options), said)
        said = re.sub(r"`(\w+)`", lambda word: f"`{options.get(word[1], word[1])}`", said)
        return f"{place}: {said}" if place else said

    return "\n".join(dict.fromkeys(map(line, sentence.splitlines())))


def _option(whole: str, key: str, value: str, options: Mapping[str, str]) -> str:
    """`key: value` of a suite as words of a command line; as it is where no option has the key."""
    if key not in options:
        return whole
    if ", " in options[key]:  # the sum of several, which stand before the sentence
        return value
    if not options[key].startswith("--"):
        literal = {"true": "True", "false": "False"}.get(value) or (value if value.isdecimal() else repr(value))
        return f"`{options[key]}={literal}`"
    return f"`{options[key]}`" if value == "true" else f"`{options[key]} {value}`"
