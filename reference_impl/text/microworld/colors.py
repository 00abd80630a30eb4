"""Colors of fruit and of other things: said outright, compared, listed and asked."""

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.lexicon import COLORS, FRUIT_COLORS, THING_COLORS, plural, with_article
from reference_impl.text.microworld.question import Question, collected

OPENERS = (
    "", "", "", "as everyone can see, ", "look: ", "in the market, ", "the painter knows that ", "of course, ",
    "children learn that ", "when it is ripe, ",
)  # fmt: skip
_THING_OPENERS = OPENERS[:-1]
_FRUIT = (
    "{a_n} is {c}", "the colour of {a_n} is {c}", "{ns} are {c}", "a ripe {n} is {c}",
    "to paint {a_n}, take {c}",
    "if you peel {a_n}, you throw away something {c}", "the basket with the {ns} looks {c}",
    "among the fruit, {ns} are {c}",
    "a {c} fruit is the {n}", "one of the {c} fruits is the {n}",
)  # fmt: skip
_THING = (
    "{n} is {c}", "the colour of {n} is {c}", "to paint {n}, take {c}", "something {c} is {n}",
    "fresh {n} looks {c}",
    "a spot of {n} on a shirt is {c}", "nobody has seen {n} that was not {c}",
)  # fmt: skip
_SAME = (
    "{ns} have the same colour as {ms}: {c}", "{ns} and {ms} are both {c}", "like {a_m}, {a_n} is {c}",
    "beside {ms}, {ns} cannot be seen, because both are {c}",
    "from afar {a_n} looks like {a_m}, for both are {c}",
)  # fmt: skip
_OTHER = (
    "{ns} are {c}, but {ms} are {d}", "{a_n} is {c} and {a_m} is {d}",
    "unlike {ms}, which are {d}, {ns} are {c}",
    "put the {c} {n} beside the {d} {m}", "swap the {d} {m} for the {c} {n}",
)  # fmt: skip
_LIST = (
    "{c} fruits are {items}", "the fruits that are {c} are {items}", "in the {c} basket lie {items}",
    "for a {c} salad, take {items}", "he painted everything {c}: {items}",
    "she sorted by colour and put together {items}",
)  # fmt: skip
_ODD = (
    "of {items}, only the {n} is {c}", "among {items}, the {n} does not belong, for it is {c}",
    "one of {items} is {c}: the {n}", "take {items}; the {c} one is the {n}",
)  # fmt: skip
_ASKED = tuple(frame for frame in _FRUIT if frame.endswith("{c}"))
_THING_ASKED = tuple(frame for frame in _THING if frame.endswith("{c}"))
_FRUITS = tuple(FRUIT_COLORS)
_THINGS = tuple(THING_COLORS)


def _slots(fruit: str) -> dict[str, str]:
    return {"n": fruit, "ns": plural(fruit), "a_n": with_article(fruit), "c": FRUIT_COLORS[fruit]}


def _single(draw: Draw) -> str:
    if draw.chance(0.3):
        name = draw.skewed(_THINGS)
        return draw.say(_THING, _THING_OPENERS, n=name, c=THING_COLORS[name])
    return draw.say(_FRUIT, OPENERS, **_slots(draw.skewed(_FRUITS)))


def _two(draw: Draw) -> str:
    n, m = draw.skewed(_FRUITS), draw.skewed(_FRUITS)
    while m == n:
        m = draw.skewed(_FRUITS)
    same = FRUIT_COLORS[n] == FRUIT_COLORS[m]
    slots = _slots(n) | {"m": m, "ms": plural(m), "a_m": with_article(m), "d": FRUIT_COLORS[m]}
    return draw.say(_SAME if same else _OTHER, _THING_OPENERS, **slots)


def _joined(items: list[str]) -> str:
    return ", ".join(items[:-1]) + " and " + items[-1]


def _many(draw: Draw) -> str:
    color = draw.pick(COLORS)
    fruits = draw.sample([fruit for fruit in _FRUITS if FRUIT_COLORS[fruit] == color], 4)
    if len(fruits) < 3:
        return _two(draw)
    if draw.chance(0.5):
        return draw.say(_LIST, _THING_OPENERS, c=color, items=_joined([plural(fruit) for fruit in fruits]))
    odd = draw.pick([fruit for fruit in _FRUITS if FRUIT_COLORS[fruit] != color])
    items = _joined([with_article(fruit) for fruit in draw.sample([odd, *fruits[:3]], 4)])
    return draw.say(_ODD, _THING_OPENERS, items=items, n=odd, c=FRUIT_COLORS[odd])


def paragraph(draw: Draw) -> str:
    """Five to eight sentences on the colors of one, two or several things."""
    kinds = (_single, _single, _two, _many)
    return " ".join(draw.planned(draw.pick(kinds)) for _ in range(draw.between(5, 8)))


def _question(draw: Draw) -> Question:
    if draw.chance(0.25):
        name = draw.pick(_THINGS)
        color = THING_COLORS[name]
        text = draw.say(_THING_ASKED, _THING_OPENERS, n=name, c=color)
    else:
        slots = _slots(draw.pick(_FRUITS))
        color = slots["c"]
        text = draw.say(_ASKED, OPENERS, **slots)
    choices = [*draw.sample([other for other in COLORS if other != color], 3), color]
    return Question(
        theme="colours",
        prompt=text[: -len(color) - 2],
        target=color + ".",
        answer=color + ".",
        choices=tuple(choice + "." for choice in draw.sample(choices, 4)),
    )


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` things whose color is asked, four choices each."""
    return collected(draw, count, lambda draw, _: _question(draw))
