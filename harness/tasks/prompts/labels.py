"""What the right answer of a multiple-choice document means: which of its choices.

A whole number, and a text of digits that is no choice, is an index; another text is the choice itself. Indexes count
from 0, or from 1 where the labels of the whole split say so: none is 0, and one is the number of choices. A text of
digits that is a choice and, as an index, means another one is ambiguous, and the task is refused.
Where other labels of the split are choices in words (A, B, and 1 where the choices are 1 to 4, as in ARC), the digits
are a choice too: one column has one meaning. Whole numbers of which one is no index but a choice's text may all be
values: that is refused as well. Texts are compared as they stand, then in their normal form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from harness.errors import UserError
from harness.tasks.judging.normal_form import normal_form


class Labels(NamedTuple):
    """What the labels of a split have in common."""

    first: int = 0
    """The label of the first choice: 0 or 1."""
    are_texts: bool = False
    """Whether some are choices in words, so that digits which are a choice mean that choice."""
    ambiguous: str | None = None
    """Why it can't be known what they mean; None where it can."""
    noteworthy: bool = False
    """Whether some label was read as an index that counts from 1."""


FROM_0 = Labels()


def index(label: Any, choices: Sequence[str], labels: Labels = FROM_0) -> Any:
    """The place of the right choice among `choices`, or the label itself where it is none of them.

    Raises UserError, without a place, for a text that is one choice as a text and another one as an index.
    """
    as_text, as_index = _readings(label, choices, labels.first)
    if as_text is not None and as_index is not None and as_text != as_index and not labels.are_texts:
        raise UserError(_ambiguous(label, choices, as_text, as_index))
    found = as_text if as_text is not None else as_index
    return label if found is None else found


def named(text: str, choices: Sequence[str]) -> int | None:
    """The place of the choice that a text names: the same text, else the same in normal form; None for no choice."""
    if text in choices:
        return choices.index(text)
    wanted = normal_form(text)
    return next((place for place, one in enumerate(choices) if wanted and normal_form(one) == wanted), None)


def whole_number(label: Any) -> int | None:
    """The whole number that a label is, or is written as; None for another one, and for true and false."""
    if isinstance(label, bool):
        return None
    if isinstance(label, int):
        return label
    if isinstance(label, float):
        return int(label) if label.is_integer() else None
    if isinstance(label, Decimal):
        return int(label) if label.is_finite() and label == label.to_integral_value() else None
    digits = normal_form(label) if isinstance(label, str) else ""
    return int(digits) if digits.isdecimal() and len(digits) < 10 else None


def common(labeled: Iterable[tuple[str, Any, Sequence[str]]]) -> Labels:
    """What the labels of a split say together. labeled: (`document 3`, its label or list of them, its choices)."""
    numbers: list[tuple[int, int, bool]] = []  # a label, how many choices it has, whether it is one of their texts
    unclear: list[tuple[str, str, Sequence[str]]] = []
    are_texts = False
    for which, target, choices in labeled:
        for label in target if isinstance(target, list) else [target]:
            is_choice = isinstance(label, str) and named(label, choices) is not None
            number = whole_number(label)
            if number is None:
                are_texts = are_texts or is_choice
                continue
            numbers.append((number, len(choices), is_choice))
            is_value = not isinstance(label, str) and str(number) in choices
            if is_choice or is_value:
                unclear.append((which, label, choices))
            if number == 0 and isinstance(label, int) and not is_value:
                return FROM_0  # whole numbers are indexes, and these count from 0
    asked = [(number, size) for number, size, is_choice in numbers if not (are_texts and is_choice)]
    zero = any(number == 0 for number, _ in asked)
    found = Labels(int(not zero and any(number == size for number, size in asked)), are_texts)
    for which, label, choices in unclear:
        try:
            if not isinstance(label, str) and _readings(label, choices, found.first)[1] is None:
                raise UserError(_may_be_value(label, choices))
            index(label, choices, found)
        except UserError as error:
            return found._replace(ambiguous=f"{which}: {error.message}")
    return found._replace(noteworthy=found.first == 1 and not all(is_choice for _, _, is_choice in numbers))


def _readings(label: Any, choices: Sequence[str], first: int) -> tuple[int | None, int | None]:
    """(its place among the choices' texts, its place as an index); None where it has no such meaning."""
    written: list[str] = []
    if isinstance(label, bool):
        written = [str(label), str(label).lower()]
    elif isinstance(label, str | float | Decimal):
        written = [str(label)]
    as_text = next((place for text in written if (place := named(text, choices)) is not None), None)
    number = whole_number(label)
    place = int(label) if isinstance(label, bool) else None if number is None else number - first
    return as_text, place if place is not None and 0 <= place < len(choices) else None


def _ambiguous(label: Any, choices: Sequence[str], as_text: int, as_index: int) -> str:
    return (
        f"the right answer {label!r:.40} is ambiguous: as a text it is choice {as_text}, as an index choice {as_index} "
        f"({choices[as_index]!r:.40}); write which is meant: with COLUMN as the label's column, `{{{{COLUMN|int}}}}` "
        "is the index, and `{{LIST.index(COLUMN)}}` the text's place in the list of choices"
    )


def _may_be_value(label: Any, choices: Sequence[str]) -> str:
    number = whole_number(label)
    return (
        f"the right answer {label!r:.40} is ambiguous: it is no index of {len(choices)} choices, and as a text it is "
        f"choice {choices.index(str(number))}, so the whole numbers of this column may all be values; if so, with "
        "COLUMN as the label's column, `{{LIST.index(COLUMN|string)}}` is the value's place in the list of choices; if "
        "not, fix the row"
    )
