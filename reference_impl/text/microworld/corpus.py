"""The corpus: themes mixed into documents, documents into splits, and an evaluation set for each theme."""

import hashlib
from collections.abc import Callable, Iterator

from reference_impl.text.microworld import (
    agreement,
    arithmetic,
    code,
    colors,
    facts,
    instructions,
    kinship,
    mappings,
    pronouns,
    stories,
    word_problems,
)
from reference_impl.text.microworld.draw import SPLITS, Draw, Split
from reference_impl.text.microworld.question import Preference, Question

VERSION = "1"
"""Changes whenever a byte of any split or evaluation set changes."""
SEPARATOR = "\n\n\n"
"""Between documents, when a split is written as one text; two line breaks separate paragraphs."""
BYTES: dict[Split, int] = {"train": 9_000_000, "validation": 350_000, "test": 350_000}
"""A split ends with the document that brings its UTF-8 bytes, without separators, to this size."""

_THEMES: tuple[tuple[Callable[[Draw], str], int], ...] = (
    (facts.paragraph, 30), (stories.paragraph, 18), (kinship.paragraph, 9), (pronouns.paragraph, 7),
    (agreement.paragraph, 8), (colors.paragraph, 7), (mappings.paragraph, 9), (arithmetic.paragraph, 8),
    (word_problems.paragraph, 10), (code.paragraph, 9), (instructions.paragraph, 9),
)  # fmt: skip
_WEIGHTED = tuple(paragraph for paragraph, weight in _THEMES for _ in range(weight))

_QUESTIONS: dict[str, Callable[[Draw, int], list[Question]]] = {
    "facts": facts.questions,
    "analogies": kinship.analogy_questions,
    "kinship": kinship.questions,
    "pronouns": pronouns.questions,
    "agreement": agreement.questions,
    "colours": colors.questions,
    "mappings": mappings.questions,
    "addition": arithmetic.questions,
    "word_problems": word_problems.questions,
    "code": code.questions,
    "instructions": instructions.questions,
    "stories": stories.questions,
}
THEMES = tuple(_QUESTIONS)
"""Names of the evaluation sets."""
_COUNT = 400


def _checked(split: str) -> Split:
    for known in SPLITS:
        if split == known:
            return known
    raise ValueError(f"microworld has no split '{split}'; the splits are {', '.join(SPLITS)}")


def _document(draw: Draw) -> str:
    """Paragraphs of one theme (in six documents of ten) or of mixed themes, up to a length of 0.4 to 1.4 kB."""
    enough = draw.between(400, 1400)
    single = draw.pick(_WEIGHTED) if draw.chance(0.6) else None
    parts: list[str] = []
    while sum(map(len, parts)) < enough:
        parts.append((single or draw.pick(_WEIGHTED))(draw))
    return "\n\n".join(parts)


def stream(split: str, seed: int = 0) -> Iterator[str]:
    """The documents of a split, one after the other; each depends on split, seed and its index alone.

    Raises ValueError for an unknown split.
    """
    known = _checked(split)
    written = 0
    index = 0
    while written < BYTES[known]:
        document = _document(Draw(f"microworld/{VERSION}/{seed}/{known}/{index}", known))
        written += len(document)  # the text is ASCII: a test holds it so
        index += 1
        yield document


def documents(split: str, seed: int = 0) -> list[str]:
    """All documents of a split (about 9 MB for `train`, 350 kB for the others); ValueError for an unknown split."""
    return list(stream(split, seed))


def digest(split: str, seed: int = 0) -> str:
    """sha256 (hex) of a split: the UTF-8 bytes of its documents joined by SEPARATOR."""
    return hashlib.sha256(SEPARATOR.join(stream(split, seed)).encode()).hexdigest()


def evaluation_sets(split: str = "test", seed: int = 0) -> dict[str, list[Question]]:
    """An evaluation set for each theme: 400 questions whose sentences belong to this split.

    `evaluation_sets("train")` asks what was read word for word, for few-shot examples and as a control.
    Raises ValueError for an unknown split.
    """
    known = _checked(split)
    key = f"microworld/{VERSION}/{seed}/{known}/questions"
    return {theme: make(Draw(f"{key}/{theme}", known), _COUNT) for theme, make in _QUESTIONS.items()}


def preferences(split: str = "train", seed: int = 0, count: int = 2000) -> list[Preference]:
    """`count` instructions with a good and a bad answer each, for training from preferences.

    Raises ValueError for an unknown split.
    """
    known = _checked(split)
    return instructions.preferences(Draw(f"microworld/{VERSION}/{seed}/{known}/preferences", known), count)
