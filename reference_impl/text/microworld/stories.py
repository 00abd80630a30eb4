"""Little stories that carry state: who holds what, and where everything is in the end.

A story sets people and things in places, announces errands ("Mira wants to bring the lamp to Tom") and tells how they
are done, step by step, from the state that the earlier sentences made. Who goes where and what is taken follows
from the plan; only the plan is free. The end, and the question, depend on sentences far back.
"""

# ruff: noqa: SIM905 (word lists read best as words)

from dataclasses import dataclass, field

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.lexicon import NAMES
from reference_impl.text.microworld.question import Question, collected

PLACES = "kitchen garden cellar attic hall barn library tower stable workshop bakery school chapel mill".split()
THINGS = "lamp key basket letter rope hammer ball book lantern bucket cloak map drum kettle ladder parcel".split()
_ADJECTIVES = "red old small heavy green broken golden wooden blue grey new round".split()

_PERSON_AT = (
    "{p} was in the {l}", "{p} sat in the {l}", "in the {l} there was {p}",
    "{p} had spent the night in the {l}",
    "{p} was at work in the {l}", "{p} rested in the {l}", "one could find {p} in the {l}",
)  # fmt: skip
_THING_AT = (
    "the {t} lay in the {l}", "somebody had left the {t} in the {l}", "in the {l} there was the {t}",
    "the {t} was in the {l}", "the {t} stood in a corner of the {l}", "the {l} was where the {t} was kept",
)  # fmt: skip
_PLAN_GIVE = (
    "{p} wanted to bring the {t} to {q}", "{q} needed the {t} and asked {p} for it",
    "{p} had promised the {t} to {q}",
    "{q} called out to {p} to bring the {t}", "it was time for {p} to hand the {t} to {q}",
    "the plan of {p} was to give the {t} to {q}",
)  # fmt: skip
_PLAN_PUT = (
    "{p} wanted the {t} to be in the {l}", "somebody asked {p} to bring the {t} to the {l}",
    "the {t} had to go to the {l}, and {p} was to carry it", "{p} had promised to bring the {t} to the {l}",
    "the plan of {p} was to move the {t} to the {l}", "it was the task of {p} to get the {t} to the {l}",
)  # fmt: skip
_GO = (
    "{p} went from the {k} to the {l}", "{p} left the {k} and walked to the {l}",
    "out of the {k} came {p}, on the way to the {l}",
    "{p} ran from the {k} over to the {l}", "from the {k}, {p} walked to the {l}",
    "{p} hurried out of the {k} to the {l}",
)  # fmt: skip
_CARRY = (
    "with the {t}, {p} went from the {k} to the {l}", "{p} carried the {t} from the {k} to the {l}",
    "{p} left the {k} and took the {t} along to the {l}", "the {t} travelled with {p} from the {k} to the {l}",
    "holding the {t}, {p} walked out of the {k} to the {l}",
)  # fmt: skip
_TAKE = (
    "in the {k}, {p} took the {t}", "{p} picked up the {t} in the {k}",
    "{p} found the {t} in the {k} and took it",
    "the {t} was still in the {k}, and {p} took it", "{p} reached for the {t} in the {k}",
)  # fmt: skip
_ASK_HOLDER = (
    "{q} had the {t} and gave it to {p}", "{p} asked {q}, who held the {t}, and got it",
    "{q} handed the {t} over to {p}",
    "{p} got the {t} out of the hands of {q}", "from {q}, {p} received the {t}",
)  # fmt: skip
_GIVE = (
    "in the {k}, {p} gave the {t} to {q}", "{p} handed the {t} to {q} in the {k}",
    "{q} was in the {k} and took the {t} from {p}",
    "there in the {k}, {q} got the {t} from {p}", "{p} put the {t} into the hands of {q} in the {k}",
)  # fmt: skip
_PUT = (
    "in the {k}, {p} put down the {t}", "{p} left the {t} in the {k}", "{p} set the {t} down in the {k}",
    "there in the {k}, {p} found a place for the {t}", "{p} dropped the {t} in the {k}",
)  # fmt: skip
_THANKS = (
    "{q} thanked {p} for the {t}", "{q} was glad to have the {t} and smiled at {p}",
    "now {q} could use the {t}, thanks to {p}",
    "with the {t} in hand, {q} said thank you to {p}", "{q} promised {p} to take care of the {t}",
)  # fmt: skip
_END_AT = (
    "the {t} is now in the {l}", "the place where the {t} is now is the {l}",
    "whoever needs the {t} must look in the {l}",
    "since then the {t} has been in the {l}", "the {t} ended up in the {l}", "the {t} can be found in the {l}",
)  # fmt: skip
_END_WITH = (
    "the {t} is now held by {q}", "the one who has the {t} is {q}", "since then the {t} has been with {q}",
    "whoever needs the {t} must ask {q}", "the {t} ended up with {q}", "the {t} can be had from {q}",
)  # fmt: skip
_THEN = ("", "", "then ", "after that ", "soon ", "a little later, ", "so ", "without delay ", "in the afternoon ")
_FIRST = ("", "", "one morning ", "that day ", "early on ", "on a rainy day, ", "at noon ", "once, ", "on Friday ")
_LAST = ("", "", "in the end ", "so ", "at last ", "by nightfall ", "when all was done, ", "finally, ")


@dataclass
class _Scene:
    """Where everybody and everything is at this point of the story."""

    people: dict[str, str]
    things: dict[str, str]
    """The place of each thing that lies somewhere."""
    holders: dict[str, str] = field(default_factory=dict)
    """The holder of each thing that is held."""

    def place_of(self, thing: str) -> str:
        """Where a thing is, held or not."""
        return self.people[self.holders[thing]] if thing in self.holders else self.things[thing]


def _scene(draw: Draw) -> tuple[_Scene, list[str]]:
    people = draw.sample(NAMES, draw.between(2, 3))
    things = [f"{draw.pick(_ADJECTIVES)} {noun}" for noun in draw.sample(THINGS, draw.between(1, 3))]
    places = draw.sample(PLACES, 4)
    scene = _Scene({person: draw.pick(places) for person in people}, {thing: draw.pick(places) for thing in things})
    told = [draw.say(_PERSON_AT, _FIRST, p=person, l=place) for person, place in scene.people.items()]
    told += [draw.say(_THING_AT, _FIRST, t=thing, l=place) for thing, place in scene.things.items()]
    return scene, draw.sample(told, len(told))


def _walk(draw: Draw, scene: _Scene, person: str, to: str, thing: str | None) -> list[str]:
    start = scene.people[person]
    if start == to:
        return []
    scene.people[person] = to
    return [draw.say(_CARRY if thing else _GO, _THEN, p=person, t=thing, k=start, l=to)]


def _errand(draw: Draw, scene: _Scene, thing: str) -> list[str]:
    """Plan and execution of one errand: a person brings a thing to somebody or somewhere."""
    holder = scene.holders.get(thing)
    person = draw.pick(tuple(scene.people))
    told = []
    give = draw.chance(0.5)
    if give:
        receiver = draw.pick([other for other in scene.people if other != person])
        if receiver == holder:
            person, receiver = receiver, person
        to = scene.people[receiver]
        told.append(draw.say(_PLAN_GIVE, _THEN, p=person, t=thing, q=receiver))
    else:
        receiver = ""
        to = draw.pick([place for place in PLACES if place != scene.place_of(thing)])
        told.append(draw.say(_PLAN_PUT, _THEN, p=person, t=thing, l=to))
    if holder != person:
        told += _walk(draw, scene, person, scene.place_of(thing), None)
        frames = _ASK_HOLDER if holder else _TAKE
        told.append(draw.say(frames, _THEN, p=person, t=thing, k=scene.place_of(thing), q=holder))
        scene.things.pop(thing, None)
        scene.holders[thing] = person
    told += _walk(draw, scene, person, to, thing)
    if give:
        told.append(draw.say(_GIVE, _THEN, p=person, t=thing, q=receiver, k=to))
        scene.holders[thing] = receiver
        if draw.chance(0.5):
            told.append(draw.say(_THANKS, ("", "so ", "then "), p=person, t=thing, q=receiver))
    else:
        told.append(draw.say(_PUT, _THEN, p=person, t=thing, k=to))
        del scene.holders[thing]
        scene.things[thing] = to
    return told


def _ending(draw: Draw, scene: _Scene, thing: str) -> tuple[str, str]:
    """The last sentence about a thing, and the word that it ends with."""
    holder = scene.holders.get(thing)
    answer = holder or scene.things[thing]
    return draw.say(_END_WITH if holder else _END_AT, _LAST, t=thing, q=holder, l=answer), answer


def _story(draw: Draw, errands: int) -> tuple[str, _Scene, list[str]]:
    """A story of some errands, its final state, and its things with those that moved first."""
    scene, told = _scene(draw)
    moved: dict[str, None] = {}
    for _ in range(errands):
        thing = draw.pick(tuple(scene.things | scene.holders))
        moved[thing] = None
        told += _errand(draw, scene, thing)
    rest = [thing for thing in scene.things | scene.holders if thing not in moved]
    return " ".join(told), scene, [*reversed(moved), *rest]


def _told(draw: Draw) -> str:
    story, scene, things = _story(draw, draw.pick((1, 1, 1, 2, 2, 3)))
    endings = [_ending(draw, scene, thing)[0] for thing in things]
    return " ".join([story, *draw.sample(endings, len(endings))])


def paragraph(draw: Draw) -> str:
    """One story of one to three errands and where all its things are in the end."""
    return draw.planned(_told)


def _question(draw: Draw, errands: int) -> Question:
    story, scene, things = _story(draw, errands)
    thing = things[0]
    ending, answer = _ending(draw, scene, thing)
    if thing in scene.holders:
        others = [person for person in scene.people if person != answer]
        others += draw.sample([name for name in NAMES if name not in scene.people], 3 - len(others))
    else:
        said = dict.fromkeys([*scene.people.values(), *scene.things.values(), *draw.sample(PLACES, 5)])
        others = [place for place in said if place != answer][:3]
    return Question(
        theme="stories",
        prompt=f"{story} {ending[: -len(answer) - 2]}",
        target=answer + ".",
        answer=answer + ".",
        choices=tuple(choice + "." for choice in draw.sample([answer, *others], 4)),
        level=errands,
    )


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` stories whose last word (who has it, or where it is) is asked; the level is the number of errands."""
    return collected(draw, count, lambda draw, index: _question(draw, 1 + index % 3))
