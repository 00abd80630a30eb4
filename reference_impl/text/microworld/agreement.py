"""Subject-verb agreement across distractors: "The keys to the cabinet of the sailors are rusty."

The verb agrees with the head of the subject, however many nouns of the other number stand between. Every kind of
subject has its own things that can be said of it, so that the end of a sentence is predictable from its beginning.
"""

from dataclasses import dataclass

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.lexicon import plural
from reference_impl.text.microworld.question import Question, collected


@dataclass(frozen=True)
class _Subjects:
    """A kind of noun, what can stand between it and its verb, and what can be said of it."""

    nouns: tuple[str, ...]
    links: tuple[str, ...]
    others: tuple[str, ...]
    verbs: tuple[tuple[str, str], ...]
    """(singular, plural) pairs, each with its complement."""


def _subjects(nouns: str, links: str, others: str, verbs: str) -> _Subjects:
    pairs = []
    for verb in verbs.split("; "):
        forms, complement = verb.split(" ", 1)
        singular, many = forms.split("/")
        pairs.append((f"{singular} {complement}", f"{many} {complement}"))
    return _Subjects(tuple(nouns.split()), tuple(links.split("|")), tuple(others.split()), tuple(pairs))


KINDS = (
    _subjects(
        "key letter book picture map coin lamp clock ring box",
        "to|from|beside|under|behind|next to",
        "cabinet sailor door window teacher chest guest shelf king garden",
        "is/are rusty; is/are old; is/are missing; was/were found; was/were sold; has/have been lost; "
        "lies/lie on the table; belongs/belong to the museum; costs/cost too much",
    ),
    _subjects(
        "teacher farmer guest sailor doctor child woman man judge soldier",
        "with|behind|near|in front of|from", "dog hat village horse flag tower ship basket school",
        "is/are tired; is/are happy; was/were late; has/have left; sings/sing loudly; "
        "waits/wait outside; laughs/laugh at the joke; speaks/speak softly; knows/know the way",
    ),
    _subjects(
        "dog cat horse goat wolf bird fox cow mouse lion",
        "near|behind|in front of|beside", "barn tree farmer fence cart house hunter well",
        "is/are hungry; is/are asleep; was/were frightened; has/have run away; drinks/drink water; "
        "sleeps/sleep in the shade; eats/eat the grass; looks/look for food",
    ),
    _subjects(
        "tower bridge house church mill castle garden road wall",
        "between|behind|near|opposite|along", "river hill field village market tree school",
        "is/are very old; is/are in ruins; was/were built of stone; was/were repaired; "
        "has/have been painted; stands/stand empty; needs/need new paint; attracts/attract visitors",
    ),
)  # fmt: skip
_ADJECTIVES = ("", "", "", "old ", "small ", "young ", "famous ", "grey ", "quiet ", "strange ")
_OPENERS = (
    "", "", "", "today ", "in this town, ", "they say that ", "as always, ", "we heard that ", "since Monday ",
    "no one knows why ", "it is true that ",
)  # fmt: skip


def _between(draw: Draw, kind: _Subjects, distractors: int) -> tuple[str, tuple[str, str], bool]:
    """The subject with its distractors, the verb in both numbers, and whether the subject is plural."""
    many = draw.chance(0.5)
    noun = draw.pick(kind.nouns)
    subject = f"the {draw.pick(_ADJECTIVES)}{plural(noun) if many else noun}"
    for _ in range(distractors):
        other = draw.pick(kind.others)
        opposed = draw.chance(0.65)
        subject += f" {draw.pick(kind.links)} the {plural(other) if opposed != many else other}"
    return subject, draw.pick(kind.verbs), many


def _sentence(draw: Draw, distractors: int) -> tuple[str, str, str]:
    """What stands before the verb, the right rest and the wrong rest of one sentence of this split."""
    kind = draw.pick(KINDS)
    subject, forms, many = _between(draw, kind, distractors)
    right, wrong = (forms[1], forms[0]) if many else forms
    text = draw.say(("{s} {v}",), _OPENERS, s=subject, v=right)
    return text[: -len(right) - 2], right + ".", wrong + "."


def paragraph(draw: Draw) -> str:
    """Five to eight sentences with none to three nouns between subject and verb."""
    parts = []
    for _ in range(draw.between(5, 8)):
        before, right, _ = draw.planned(lambda draw: _sentence(draw, min(draw.below(3), draw.below(4))))
        parts.append(f"{before} {right}")
    return " ".join(parts)


def _question(draw: Draw, distractors: int) -> Question:
    prompt, right, wrong = _sentence(draw, distractors)
    choices = tuple(draw.sample((right, wrong), 2))
    return Question("agreement", prompt, right, right, choices, level=1 + distractors)


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` pairs of right and wrong verb; the level is 1 + the number of nouns in between (0 to 3)."""
    return collected(draw, count, lambda draw, index: _question(draw, index % 4))
