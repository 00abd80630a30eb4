"""Kinship and royalty: analogies (king - man + woman = queen), and who is what to whom in a small family.

Analogies pair words that differ in one way: sex, or parent and young. Families are new in every paragraph:
two or three relations are told, and what follows from them is the last sentence.
"""

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.lexicon import MEN, WOMEN, YOUNG, is_female, with_article
from reference_impl.text.microworld.question import Question, collected

MALE_FEMALE: dict[str, str] = {
    "king": "queen", "man": "woman", "prince": "princess", "father": "mother", "son": "daughter",
    "brother": "sister", "uncle": "aunt", "nephew": "niece", "husband": "wife", "boy": "girl",
    "grandfather": "grandmother", "grandson": "granddaughter", "duke": "duchess", "emperor": "empress",
    "count": "countess", "baron": "baroness", "lord": "lady", "actor": "actress", "waiter": "waitress",
    "host": "hostess", "hero": "heroine", "heir": "heiress", "wizard": "witch", "monk": "nun", "bull": "cow",
    "rooster": "hen", "stallion": "mare", "ram": "ewe", "lion": "lioness", "tiger": "tigress",
    "groom": "bride", "widower": "widow", "lad": "lass", "gentleman": "gentlewoman", "abbot": "abbess",
    "landlord": "landlady", "stepfather": "stepmother", "stepson": "stepdaughter", "godfather": "godmother",
}  # fmt: skip
ROYAL_YOUNG: dict[str, str] = {"king": "prince", "queen": "princess", "father": "son", "mother": "daughter"}
GRAND: dict[str, str] = {
    "father": "grandfather", "mother": "grandmother", "son": "grandson", "daughter": "granddaughter",
    "nephew": "great-nephew", "niece": "great-niece", "uncle": "great-uncle", "aunt": "great-aunt",
}  # fmt: skip
_FAMILIES = (MALE_FEMALE, MALE_FEMALE, MALE_FEMALE, ROYAL_YOUNG, GRAND, YOUNG)

_ANALOGY = (
    "{a} is to {b} as {c} is to {d}", "what {a} is to {b}, {c} is to {d}",
    "{a} goes with {b} like {c} goes with {d}",
    "the word that fits {c} as {b} fits {a} is {d}", "if {a} becomes {b}, then {c} becomes {d}",
    "{b} - {a} + {c} = {d}", "just as {a} turns into {b}, {c} turns into {d}",
)  # fmt: skip
_DEFINITION = (
    "{A_f} is to {a_w} what {a_m} is to {a_man}", "the female form of {m} is {f}",
    "the male form of {f} is {m}",
    "a woman cannot be {a_m}, but she can be {a_f}", "a man cannot be {a_f}, but he can be {a_m}",
    "{m} and {f} are the same rank, one male and one female",
)  # fmt: skip

# (sex of the word does not matter) x is FIRST of y, y is SECOND of z: x is COMPOSED of z.
_WORDS: dict[str, tuple[str, str]] = {
    "parent": ("father", "mother"), "child": ("son", "daughter"), "sibling": ("brother", "sister"),
    "grandparent": ("grandfather", "grandmother"), "grandchild": ("grandson", "granddaughter"),
    "uncle": ("uncle", "aunt"), "nephew": ("nephew", "niece"), "spouse": ("husband", "wife"),
    "great-grandparent": ("great-grandfather", "great-grandmother"), "great-uncle": ("great-uncle",
    "great-aunt"),
}  # fmt: skip
_COMPOSED: dict[tuple[str, str], str] = {
    ("parent", "parent"): "grandparent", ("child", "child"): "grandchild", ("sibling", "parent"): "uncle",
    ("child", "sibling"): "nephew", ("parent", "sibling"): "parent", ("sibling", "child"): "child",
    ("child", "spouse"): "child", ("spouse", "parent"): "parent", ("parent",
    "grandparent"): "great-grandparent",
    ("grandparent", "parent"): "great-grandparent", ("sibling", "grandparent"): "great-uncle",
    ("uncle", "parent"): "great-uncle", ("grandparent", "sibling"): "grandparent", ("uncle",
    "sibling"): "uncle",
}  # fmt: skip
_INVERSE = {"parent": "child", "child": "parent", "sibling": "sibling", "spouse": "spouse"}
_INVERSE |= {"grandparent": "grandchild", "grandchild": "grandparent", "uncle": "nephew", "nephew": "uncle"}

_TOLD = ("{x} is the {r} of {y}", "{y} has {a_r} called {x}", "the {r} of {y} is {x}", "{x} is {y}'s {r}")
_TOLD_OPENERS = ("", "", "", "in this family, ", "at the feast, ", "as the register says, ", "in the village, ")
_ENDINGS = (
    "so {x} is {y}'s {r}", "therefore {x} is {y}'s {r}", "so, to {y}, {x} is the {r}",
    "this makes {x} {y}'s {r}",
    "it follows that {x} is {y}'s {r}", "then {x} must be {y}'s {r}", "hence {y} calls {x} {his} {r}",
)  # fmt: skip


def _word(relation: str, person: str) -> str:
    return _WORDS[relation][is_female(person)]


def _person(draw: Draw, taken: list[str], female: bool | None = None) -> str:
    while True:
        name = draw.pick(WOMEN if (draw.chance(0.5) if female is None else female) else MEN)
        if name not in taken:
            taken.append(name)
            return name


def _chain(draw: Draw, hops: int) -> tuple[list[tuple[str, str, str]], tuple[str, str, str]]:
    """`hops` told triples (x, relation, y) and the one that follows from them."""
    taken: list[str] = []
    x = _person(draw, taken)
    if hops == 1:
        relation = draw.pick(tuple(_INVERSE))
        y = _person(draw, taken, female=not is_female(x) if relation == "spouse" else None)
        return [(x, relation, y)], (y, _INVERSE[relation], x)
    first, second = draw.pick(
        tuple(pair for pair in _COMPOSED if set(pair) <= set(_INVERSE) - {"grandchild", "nephew"})
    )
    y = _person(draw, taken, female=not is_female(x) if first == "spouse" else None)
    z = _person(draw, taken, female=not is_female(y) if second == "spouse" else None)
    told = [(x, first, y), (y, second, z)]
    composed = _COMPOSED[first, second]
    if hops == 3:
        nexts = tuple(pair for pair in _COMPOSED if pair[0] == composed)
        if nexts:
            third = draw.pick(nexts)[1]
            w = _person(draw, taken, female=not is_female(z) if third == "spouse" else None)
            return [*told, (z, third, w)], (x, _COMPOSED[composed, third], w)
    return told, (x, composed, z)


def _tell(draw: Draw, triple: tuple[str, str, str]) -> str:
    x, relation, y = triple
    word = _word(relation, x)
    return draw.say(_TOLD, _TOLD_OPENERS, x=x, y=y, r=word, a_r=with_article(word))


def _conclude(draw: Draw, triple: tuple[str, str, str]) -> str:
    x, relation, y = triple
    his = "her" if is_female(y) else "his"
    return draw.say(_ENDINGS, x=x, y=y, r=_word(relation, x), his=his)


def _family(draw: Draw) -> str:
    told, conclusion = _chain(draw, draw.between(1, 3))
    return " ".join([*(_tell(draw, triple) for triple in told), _conclude(draw, conclusion)])


def _pairs(draw: Draw) -> tuple[str, str, str, str]:
    """a : b :: c : d, the difference taken in either direction, or across."""
    pairs = draw.sample(list(draw.pick(_FAMILIES).items()), 2)
    (a, b), (c, d) = pairs
    turn = draw.below(3)
    if turn == 1:
        return b, a, d, c
    return (a, c, b, d) if turn == 2 and (a, b) in MALE_FEMALE.items() else (a, b, c, d)


def _analogy(draw: Draw) -> str:
    a, b, c, d = _pairs(draw)
    return draw.say(_ANALOGY, a=a, b=b, c=c, d=d)


def _definition(draw: Draw) -> str:
    m, f = draw.pick(tuple(MALE_FEMALE.items()))
    a_m, a_f = with_article(m), with_article(f)
    return draw.say(_DEFINITION, m=m, f=f, a_m=a_m, a_f=a_f, A_f=a_f, a_w="a woman", a_man="a man")


def paragraph(draw: Draw) -> str:
    """Two or three families with what follows, or five or six sentences about pairs of words."""
    if draw.chance(0.55):
        return "\n".join(draw.planned(_family) for _ in range(draw.between(2, 3)))
    return " ".join(draw.planned(_analogy if draw.chance(0.7) else _definition) for _ in range(draw.between(5, 7)))


def _analogy_question(draw: Draw) -> Question:
    a, b, c, d = _pairs(draw)
    sentence = draw.say(_ANALOGY, a=a, b=b, c=c, d=d)
    near = [word for word in (a, b, c) if word != d]
    others = [word for pair in draw.sample(list(MALE_FEMALE.items()), 3) for word in pair if word not in (a, b, c, d)]
    choices = [d, *draw.sample(near, 2), draw.pick(others)]
    return Question(
        theme="analogies",
        prompt=sentence[: -len(d) - 2],
        target=d + ".",
        answer=d + ".",
        choices=tuple(choice + "." for choice in draw.sample(choices, 4)),
    )


def _family_question(draw: Draw, hops: int) -> Question:
    told, conclusion = _chain(draw, hops)
    x, relation, _ = conclusion
    word = _word(relation, x)
    text = " ".join([*(_tell(draw, triple) for triple in told), _conclude(draw, conclusion)])
    other_sex = _WORDS[relation][not is_female(x)]
    others = [_word(other, x) for other in _WORDS if other != relation]
    choices = [word, other_sex, *draw.sample(others, 2)]
    return Question(
        theme="kinship",
        prompt=text[: -len(word) - 2],
        target=word + ".",
        answer=word + ".",
        choices=tuple(choice + "." for choice in draw.sample(choices, 4)),
        level=len(told),
    )


def analogy_questions(draw: Draw, count: int) -> list[Question]:
    """`count` analogies whose last word is asked; the wrong choices include the words of the prompt."""
    return collected(draw, count, lambda draw, _: _analogy_question(draw))


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` families; the level is the number of relations told (1: turn one round, 2 and 3: compose)."""
    return collected(draw, count, lambda draw, index: _family_question(draw, 1 + index % 3))
