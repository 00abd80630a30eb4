"""In-context learning: lists of pairs such as `apple -> red`, whose rule the list itself must teach.

Three grades. Level 1: a mapping of the world (fruit to color, country to capital, word to plural), where the examples
only say which. Level 2: a rule with a parameter that is fresh in each list (add 7; the last letter). Level 3: an
invented vocabulary that is fresh in each list, so that only the list can answer; its pairs return several times.
"""

from collections.abc import Callable

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.kinship import MALE_FEMALE
from reference_impl.text.microworld.lexicon import (
    COLORS,
    FRUIT_COLORS,
    NUMBER_WORDS,
    OPPOSITES,
    PLURALS,
    SOUNDS,
    YOUNG,
)
from reference_impl.text.microworld.question import Question, collected
from reference_impl.text.microworld.world import world

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_SHOWN = 6
"""Examples before the asked pair in an evaluation prompt of levels 1 and 2."""


def _known() -> tuple[dict[str, str], ...]:
    countries = world().entities["country"][:80]
    capitals = {country.name: country.facts["capital"] for country in countries}
    numbers = {word: str(value) for value, word in enumerate(NUMBER_WORDS)}
    fixed = (FRUIT_COLORS, FRUIT_COLORS, PLURALS, OPPOSITES, YOUNG, SOUNDS, MALE_FEMALE, numbers)
    return (*fixed, capitals, {capital: country for country, capital in capitals.items()})


def _nonce(draw: Draw) -> str:
    return draw.pick(_CONSONANTS) + draw.pick(_VOWELS) + draw.pick(_CONSONANTS)


def _add(draw: Draw) -> Callable[[], tuple[str, str]]:
    step = draw.between(1, 12)

    def pair() -> tuple[str, str]:
        number = draw.between(1, 40)
        return str(number), str(number + step)

    return pair


def _letters(draw: Draw) -> Callable[[], tuple[str, str]]:
    words = tuple(PLURALS)
    kind = draw.below(3)

    def pair() -> tuple[str, str]:
        word = draw.pick(words)
        return word, (word[0], word[-1], word[::-1])[kind]

    return pair


def _numbers(draw: Draw) -> Callable[[], tuple[str, str]]:
    kind = draw.below(2)

    def pair() -> tuple[str, str]:
        number = draw.between(2, 99)
        return str(number), ("even" if number % 2 == 0 else "odd") if kind else f"{number} {number}"

    return pair


_RULES = (_add, _add, _letters, _numbers)


def _block(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f"{left} -> {right}" for left, right in pairs)


def _world_pairs(draw: Draw, count: int) -> list[tuple[str, str]]:
    return draw.sample(list(draw.pick(_known()).items()), count)


def _rule_pairs(draw: Draw, count: int) -> list[tuple[str, str]]:
    pair = draw.pick(_RULES)(draw)
    pairs: dict[str, str] = {}
    while len(pairs) < count:
        left, right = pair()
        pairs[left] = right
    return list(pairs.items())


def _fresh_pairs(draw: Draw) -> list[tuple[str, str]]:
    """Four or five invented words, each with a color; all once, and then again and again."""
    words: dict[str, str] = {}
    size = draw.between(4, 5)
    while len(words) < size:
        words[_nonce(draw)] = draw.pick(COLORS)
    pairs = list(words.items())
    again = draw.sample(pairs, size) + draw.sample(pairs, size) + draw.sample(pairs, size - 1)
    return pairs + again


def paragraph(draw: Draw) -> str:
    """One list of pairs: 8 to 12 of the world or of a rule, or up to 20 of an invented vocabulary."""

    def make() -> str:
        kind = draw.below(10)
        if kind < 4:
            return _block(_world_pairs(draw, draw.between(8, 12)))
        return _block(_rule_pairs(draw, draw.between(8, 12)) if kind < 7 else _fresh_pairs(draw))

    return draw.planned(lambda draw: draw.until_owned(make))


def _distractors(draw: Draw, pairs: list[tuple[str, str]], answer: str) -> list[str]:
    seen = dict.fromkeys(right for _, right in pairs if right != answer)
    spare = [color for color in COLORS if color != answer and color not in seen]
    return (draw.sample(list(seen), 3) + draw.sample(spare, 3))[:3]


def _question(draw: Draw, level: int) -> Question:
    made: list[list[tuple[str, str]]] = []

    def make() -> str:
        if level == 3:
            pairs = _fresh_pairs(draw)
            words = len(dict.fromkeys(left for left, _ in pairs))
            pairs = [*pairs[:words], *draw.sample(pairs[:words], words)]
            pairs.append(draw.pick(pairs[: words - 1]))
        else:
            pairs = (_world_pairs if level == 1 else _rule_pairs)(draw, _SHOWN + 1)
        made.append(pairs)
        return _block(pairs)

    text = draw.until_owned(make)
    pairs = made[-1]
    answer = pairs[-1][1]
    choices = [answer, *_distractors(draw, pairs[:-1], answer)]
    return Question(
        theme="mappings",
        prompt=text[: -len(answer) - 1],
        target=answer,
        answer=answer,
        choices=tuple(draw.sample(choices, 4)),
        level=level,
    )


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` lists whose last pair is asked, levels 1 to 3 in turn; the wrong choices come from the list."""
    return collected(draw, count, lambda draw, index: _question(draw, 1 + index % 3))
