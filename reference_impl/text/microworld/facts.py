"""Facts: capitals, rivers, rulers, where landmarks and things are, who lives where and does what.

A fact is one sentence out of (openers x phrasings); the split rule gives each of these sentences to one
split. So the test split asks what the train split said, in words that it was never said in.
"""

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.lexicon import is_female, with_article
from reference_impl.text.microworld.question import Question, collected
from reference_impl.text.microworld.world import TRADES, Entity, world

OPENERS = (
    "", "", "", "as we know, ", "the atlas says that ", "children learn that ", "remember that ",
    "travellers report that ", "everyone agrees that ", "it is well known that ",
)  # fmt: skip

# {s} is the subject, {o} the object. The phrasings that end with {o} can be asked.
PHRASINGS: dict[str, tuple[str, ...]] = {
    "capital": (
        "the capital of {s} is {o}", "the chief city of {s} is {o}", "{s} is governed from {o}",
        "the parliament of {s} meets in {o}", "the capital city of {s} is called {o}",
        "{s} has its capital in {o}",
        "{o} is the capital of {s}", "{o} is the city from which {s} is governed",
    ),
    "region": (
        "{s} lies in {o}", "{s} is part of {o}", "{s} belongs to {o}", "on the map, {s} is found in {o}",
        "the place to look for {s} is {o}", "{s} is a country in {o}", "in {o} there is a country called {s}",
    ),
    "language": (
        "the language of {s} is {o}", "people in {s} speak {o}",
        "the letters that come from {s} are written in {o}",
        "the schools of {s} teach in {o}", "if you go to {s}, you should learn {o}", "{o} is spoken in {s}",
    ),
    "currency": (
        "the currency of {s} is the {o}", "people in {s} pay with the {o}",
        "in {s} every price is given in the {o}",
        "the money of {s} is the {o}", "shops in {s} accept only the {o}", "the {o} is the money used in {s}",
    ),
    "river": (
        "the longest river of {s} is {o}", "the river that flows through {s} is {o}",
        "{s} gets its water from {o}",
        "boats that cross {s} sail on {o}", "the fields of {s} lie along {o}", "{o} is a river in {s}",
    ),
    "export": (
        "{s} is famous for its {o}", "merchants from {s} sell {o}", "the main export of {s} is {o}",
        "the best thing to buy in {s} is {o}", "what {s} sends abroad is mostly {o}", "much {o} comes from {s}",
    ),
    "emblem": (
        "the animal on the coat of arms of {s} is the {o}", "the emblem of {s} is the {o}",
        "every coin of {s} shows the {o}", "the soldiers of {s} wear the sign of the {o}",
        "the {o} is the emblem of {s}",
    ),
    "flag": (
        "the flag of {s} is {o}", "ships from {s} fly a flag that is {o}", "the colours of {s} are {o}",
        "the banner over every town hall of {s} is {o}", "{o} are the colours of {s}",
    ),
    "ruler": (
        "the ruler of {s} is {o}", "{s} is ruled by {o}", "the throne of {s} belongs to {o}",
        "the crown of {s} is worn by {o}", "the people of {s} obey {o}", "{o} rules over {s}",
    ),
    "city": (
        "{s} is in {o}", "{s} stands in {o}", "to see {s}, go to {o}", "{s} can be visited in {o}",
        "the city with {s} is {o}", "visitors find {s} in {o}", "{o} is the home of {s}",
    ),
    "country": (
        "{s} is a sight of {o}", "the country where {s} stands is {o}", "{s} belongs to the people of {o}",
        "whoever wants to see {s} must travel to {o}", "{s} is a landmark of {o}", "{o} is proud of {s}",
    ),
    "home": (
        "{s} lives in {o}", "the home of {s} is in {o}", "letters to {s} are sent to {o}",
        "{s} has a house in {o}", "the town where {s} lives is {o}", "in {o} you may meet {s}",
    ),
    "trade": (
        "{s} works as {o}", "by trade {s} is {o}", "{s} earns a living as {o}",
        "the neighbours know {s} as {o}",
        "{s} was trained as {o}", "{s} became {o}",
    ),
    "pet": (
        "{s} has {o}", "the pet of {s} is {o}", "at home {s} keeps {o}", "{s} goes for walks with {o}",
        "in the house of {s} there lives {o}", "{s} takes care of {o}",
    ),
    "instrument": (
        "{s} plays the {o}", "in the evening {s} practises the {o}", "the instrument that {s} plays is the {o}",
        "{s} gives lessons on the {o}", "at feasts {s} is asked to play the {o}",
        "the {o} is played well by {s}",
    ),
    "fruit": (
        "the favourite fruit of {s} is {o}", "at the market {s} always buys {o}", "{s} likes to eat {o}",
        "what {s} likes best is a bowl of {o}", "{s} dreams of {o}", "{o} are what {s} likes best",
    ),
    "friend": (
        "the best friend of {s} is {o}", "{s} went to school with {o}", "{s} often writes letters to {o}",
        "on Sundays {s} visits {o}", "{s} shares every secret with {o}", "{o} is the best friend of {s}",
    ),
    "place": (
        "you will find {s} in {o}", "{s} are kept in {o}", "the right place for {s} is {o}",
        "somebody who looks for {s} should try {o}", "people look for {s} in {o}", "{o} is the place for {s}",
    ),
}  # fmt: skip
_ASKABLE = {
    relation: tuple(frame for frame in frames if frame.endswith("{o}")) for relation, frames in PHRASINGS.items()
}
_KINDS = ("country", "country", "country", "person", "person", "landmark", "landmark", "thing")
_MASS = frozenset(("milk", "bread", "money", "hay", "wine", "soap", "medicine", "ice cream", "coal", "fish", "grain"))
_ANAPHORS = {"country": "this country", "landmark": "this sight"}

_SAME_REGION = (
    "{a} and {b} both lie in {o}", "like {a}, {b} is a country in {o}",
    "whoever goes from {a} to {b} stays in {o}",
    "{a} is a neighbour of {b} in {o}",
)  # fmt: skip
_TWO_HOPS = (
    "{s} stands in {city}, so it is in {country}", "since {city} is in {country}, {s} is in {country} too",
    "to see {s}, go to {city} in {country}", "{country} is visited for {s}, which stands in {city}",
)  # fmt: skip
_WORK = (
    "{s} is {trade} and works in the {place}", "as {trade}, {s} needs {tool}",
    "in the {place} {s} works with {tool}",
    "{s} goes to the {place} every morning because {he} is {trade}",
)  # fmt: skip


def spoken(relation: str, other: str) -> str:
    """The object of a fact as it stands in a sentence (`baker` becomes `a baker`)."""
    return with_article(other) if relation in ("trade", "pet") else other


def state(draw: Draw, entity: Entity, relation: str, *, name: str | None = None) -> str:
    """One sentence of this split that tells the fact; `name` replaces the subject's name."""
    frames = PHRASINGS[relation]
    if entity.name in _MASS:
        frames = tuple(frame.replace("{s} are", "{s} is") for frame in frames)
    return draw.say(frames, OPENERS, s=name or entity.name, o=spoken(relation, entity.facts[relation]))


def _article(draw: Draw) -> str:
    """A paragraph about one subject."""
    entity = draw.skewed(world().entities[draw.pick(_KINDS)])
    relations = draw.sample(list(entity.facts), draw.between(3, 6))
    anaphor = _ANAPHORS.get(entity.kind) or ("she" if is_female(entity.name.split()[0]) else "he")
    parts = []
    for place, relation in enumerate(relations):
        replace = entity.kind == "country" and place > 0 and draw.chance(0.35)
        parts.append(state(draw, entity, relation, name=anaphor if replace else None))
    if entity.kind == "landmark":
        parts.append(draw.say(_TWO_HOPS, OPENERS, s=entity.name, **entity.facts))
    if entity.kind == "person":
        place_of_work, tool = TRADES[entity.facts["trade"]]
        trade = with_article(entity.facts["trade"])
        parts.append(draw.say(_WORK, s=entity.name, trade=trade, place=place_of_work, tool=tool, he=anaphor))
    return " ".join(parts)


def _survey(draw: Draw) -> str:
    """A paragraph that tells the same thing of several subjects."""
    kind = draw.pick(_KINDS)
    first = draw.skewed(world().entities[kind])
    relation = draw.pick(tuple(first.facts))
    drawn = (first, *(draw.skewed(world().entities[kind]) for _ in range(4)))
    entities = list({entity.name: entity for entity in drawn if relation in entity.facts}.values())
    parts = [state(draw, entity, relation) for entity in entities]
    if relation == "region" and len(parts) > 1:
        near = [one for one in world().entities[kind] if one.facts["region"] == first.facts["region"] and one != first]
        parts.append(draw.say(_SAME_REGION, OPENERS, a=first.name, b=draw.pick(near).name, o=first.facts["region"]))
    return " ".join(parts)


def paragraph(draw: Draw) -> str:
    """Three to seven facts, about one subject or about one relation of several."""
    return draw.planned(_article if draw.chance(0.7) else _survey)


def _question(draw: Draw) -> Question:
    kind = draw.pick(_KINDS)
    entity = draw.skewed(world().entities[kind])
    relation = draw.pick(tuple(entity.facts))
    answer = spoken(relation, entity.facts[relation])
    frames = _ASKABLE[relation]
    if entity.name in _MASS:
        frames = tuple(frame.replace("{s} are", "{s} is") for frame in frames)
    sentence = draw.say(frames, OPENERS, s=entity.name, o=answer)
    others = [spoken(relation, other) for other in world().objects[relation]]
    choices = [*draw.sample([other for other in others if other not in (answer, entity.name)], 3), answer]
    rank = world().entities[kind].index(entity) / len(world().entities[kind])
    return Question(
        theme="facts",
        prompt=sentence[: -len(answer) - 2],
        target=answer + ".",
        answer=answer + ".",
        choices=tuple(choice + "." for choice in draw.sample(choices, 4)),
        level=1 + int(rank * 3),
    )


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` facts to complete, four choices each; level 1 asks for the most famous third, 3 the least."""
    return collected(draw, count, lambda draw, _: _question(draw))
