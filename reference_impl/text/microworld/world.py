"""The closed world: who and what there is, and what is true of it.

About 60 real countries and 26 real landmarks with true facts, and several hundred invented countries,
landmarks and people. The invented part is drawn once, from a fixed key: it is the same for every seed, so
that a fact is the same everywhere. Names carry hints (a region has its own sounds, a language is named after its
country), as names do; the rest has to be learned by heart.

Every list is ordered by fame; `Draw.skewed` speaks of the first ones far more often.
"""

# ruff: noqa: SIM905 (word lists read best as words)

from dataclasses import dataclass
from functools import cache

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.lexicon import COLORS, FRUIT_COLORS, MEN, WOMEN, plural
from reference_impl.text.microworld.real import COUNTRIES, LANDMARKS

_KEY = "microworld/world/1"
_INVENTED_COUNTRIES = 140
_INVENTED_LANDMARKS = 110
_PEOPLE = 260


@dataclass(frozen=True)
class Entity:
    """Something with a name and, for each relation that it has, the other end of that relation."""

    kind: str
    name: str
    facts: dict[str, str]


@dataclass(frozen=True)
class World:
    """All entities by kind, each list by fame, and all objects that each relation reaches."""

    entities: dict[str, tuple[Entity, ...]]
    objects: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Region:
    """An invented region: its name and the sounds that names there are made of."""

    name: str
    starts: tuple[str, ...]
    middles: tuple[str, ...]
    country_ends: tuple[str, ...]
    city_ends: tuple[str, ...]


def _region(name: str, starts: str, middles: str, country_ends: str, city_ends: str) -> _Region:
    parts = (tuple(part.split()) for part in (starts, middles, country_ends, city_ends))
    return _Region(name, *parts)


_REGIONS = (
    _region("the Amber Coast", "Av Bel Cal Dor El Mar Nal Or", "a e an ar o", "ia ria nia", "mouth port bay"),
    _region("the Northern Isles", "Skar Thor Bryn Hal Ulf Frey Grim", "a e i ar en", "land mark", "vik borg fjord"),
    _region("the Great Plain", "Tash Kur Bal Zar Orm Yal Sam", "a e i u ak", "istan abad", "kent gar abul"),
    _region("the Silver Hills", "Gwyn Cael Pen Tre Llan Mor Dun", "a o wy er in", "wen dor shire", "ford ton ham"),
    _region("the Southern Seas", "Ka Mo Ta Lu Wai No Ha", "ra li ho ka na mu", "ku tonga lani", "ti pau loa"),
    _region("the Old Forest", "Vel Lub Kras Mil Dob Stan Rad", "o i a e", "vonia slavia nava", "grad sk nik"),
    _region("the Red Desert", "Al Has Jal Qas Rub Sah Nad", "a i u am", "ran bia qar", "dah jeh rut"),
    _region("the High Lakes", "Quil Inca Chim Pac Tol Aya Cus", "a u i o", "peru guay mala", "co tec pan"),
)

_CURRENCIES = "crown thaler ducat florin guilder mark penny ruble stater talent groat drachm".split()
_EXPORTS = (
    "salt wool copper amber tea silk timber cheese honey glass paper silver cotton olives rice pepper tin "
    "marble leather coffee sugar iron linen ships clocks carpets porcelain wine cocoa coal"
).split()
_ANIMALS = (
    "eagle bear lion wolf stag falcon bull swan otter tiger owl horse lynx crane boar dolphin raven elephant "
    "hare tortoise"
).split()
_BUILDINGS = "Tower Bridge Palace Temple Lighthouse Museum Castle Library Fountain Gate Theatre Abbey".split()

TRADES: dict[str, tuple[str, str]] = {
    "baker": ("bakery", "an oven"), "doctor": ("hospital", "a stethoscope"), "teacher": ("school", "a blackboard"),
    "farmer": ("farm", "a plough"), "judge": ("court", "a gavel"), "cook": ("kitchen", "a ladle"),
    "sailor": ("ship", "a compass"), "painter": ("studio", "a brush"), "smith": ("forge", "an anvil"),
    "gardener": ("garden", "a spade"), "tailor": ("workshop", "a needle"), "librarian": ("library", "a catalogue"),
    "miller": ("mill", "a millstone"), "pilot": ("airport", "a headset"), "chemist": ("laboratory", "a flask"),
    "butcher": ("shop", "a cleaver"), "singer": ("opera house", "a microphone"), "miner": ("mine", "a pickaxe"),
    "banker": ("bank", "a safe"), "monk": ("monastery", "a prayer book"), "soldier": ("barracks", "a helmet"),
    "barber": ("salon", "a razor"), "fisher": ("harbour", "a net"), "dentist": ("practice", "a drill"),
    "astronomer": ("observatory", "a telescope"), "printer": ("press", "a set of type"),
}  # fmt: skip
_PETS = "cat dog parrot tortoise rabbit goat pony hamster canary ferret goldfish donkey snake hedgehog".split()
_INSTRUMENTS = "violin flute piano drum harp trumpet guitar cello organ oboe banjo tuba lute accordion".split()
_SURNAMES = (
    "Alder Brook Carver Dale Ember Fenn Garrow Holt Ingram Jarvis Kestrel Lark Marsh North Oakes Pike Quill "
    "Rowan Stone Thorne Underhill Vale Wells Yarrow Ash Birch Croft Drake Elm Frost Glover Heath Ivory Juniper"
).split()

_THINGS = """
milk|the fridge;bread|the bread bin;books|the library;coats|the wardrobe;cars|the garage;money|the safe;
hay|the barn;wine|the cellar;ships|the harbour;planes|the hangar;letters|the letter box;soap|the bathroom;
plates|the cupboard;tools|the tool shed;flowers|the vase;medicine|the first-aid kit;paintings|the gallery;
horses|the stable;bees|the beehive;ice cream|the freezer;keys|the key rack;toys|the toy chest;
coal|the coal bunker;fish|the aquarium;bicycles|the bicycle shed;coins|the purse;pencils|the pencil case;
umbrellas|the umbrella stand;trains|the station;patients|the hospital;pupils|the school;judges|the court;
monks|the monastery;lions|the den;eggs|the nest;stars|the sky;pearls|the oyster;candles|the drawer;
maps|the map room;grain|the granary
"""


def _name(draw: Draw, region: _Region, ends: tuple[str, ...], taken: set[str]) -> str:
    while True:
        name = draw.pick(region.starts) + draw.pick(region.middles) + draw.pick(ends)
        if name in taken:
            name = draw.pick(region.starts) + draw.pick(region.middles) + draw.pick(region.middles) + draw.pick(ends)
        if name not in taken:
            taken.add(name)
            return name


def _real_countries() -> list[Entity]:
    rows = (line.split("|") for line in COUNTRIES.split("\n") if line)
    relations = ("capital", "region", "language", "currency")
    return [Entity("country", name, dict(zip(relations, rest, strict=True))) for name, *rest in rows]


def _invented_country(draw: Draw, taken: set[str]) -> Entity:
    region = draw.pick(_REGIONS)
    name = _name(draw, region, region.country_ends, taken)
    stem = name.removesuffix("ia").removesuffix("a")
    woman = draw.chance(0.5)
    flag = draw.sample(COLORS, 2)
    facts = {
        "capital": _name(draw, region, region.city_ends, taken),
        "region": region.name,
        "language": stem + draw.pick(("ian", "ish", "ese")),
        "currency": draw.pick(_CURRENCIES),
        "river": "the " + _name(draw, region, region.middles, taken),
        "export": draw.pick(_EXPORTS),
        "emblem": draw.pick(_ANIMALS),
        "flag": f"{flag[0]} and {flag[1]}",
        "ruler": f"Queen {draw.pick(WOMEN)}" if woman else f"King {draw.pick(MEN)}",
    }
    return Entity("country", name, facts)


def _landmarks(draw: Draw, countries: list[Entity], taken: set[str]) -> list[Entity]:
    invented = [country for country in countries if "ruler" in country.facts]
    rows = (line.split("|") for line in LANDMARKS.split("\n") if line)
    real = [Entity("landmark", name, {"city": city, "country": country}) for name, city, country in rows]
    made = []
    for _ in range(_INVENTED_LANDMARKS):
        country = draw.skewed(invented)
        region = next(region for region in _REGIONS if region.name == country.facts["region"])
        name = f"the {_name(draw, region, region.middles, taken)} {draw.pick(_BUILDINGS)}"
        made.append(Entity("landmark", name, {"city": country.facts["capital"], "country": country.name}))
    return _interleaved(real, made)


def _people(draw: Draw, cities: list[str]) -> list[Entity]:
    names: dict[str, None] = {}  # a set that keeps its order
    while len(names) < _PEOPLE:
        names[f"{draw.pick(WOMEN if draw.chance(0.5) else MEN)} {draw.pick(_SURNAMES)}"] = None
    people = []
    for name in names:
        facts = {
            "home": draw.skewed(cities),
            "trade": draw.pick(tuple(TRADES)),
            "pet": draw.pick(_PETS),
            "instrument": draw.pick(_INSTRUMENTS),
            "fruit": plural(draw.pick(tuple(FRUIT_COLORS))),
            "friend": draw.pick(tuple(names)),
        }
        if facts["friend"] == name:
            del facts["friend"]
        people.append(Entity("person", name, facts))
    return people


def _interleaved(first: list[Entity], second: list[Entity]) -> list[Entity]:
    """One of each in turn, then what is left: real and invented ones are equally famous."""
    shorter = min(len(first), len(second))
    pairs = [entity for pair in zip(first, second, strict=False) for entity in pair]
    return pairs + first[shorter:] + second[shorter:]


@cache
def world() -> World:
    """The world; built once per process (a few milliseconds)."""
    draw = Draw(_KEY, "train")
    taken: set[str] = set()
    made = [_invented_country(draw, taken) for _ in range(_INVENTED_COUNTRIES)]
    countries = _interleaved(_real_countries(), made)
    things = [item.strip().split("|") for item in _THINGS.replace("\n", "").split(";")]
    entities = {
        "country": tuple(countries),
        "landmark": tuple(_landmarks(draw, countries, taken)),
        "person": tuple(_people(draw, [country.facts["capital"] for country in countries])),
        "thing": tuple(Entity("thing", name, {"place": place}) for name, place in things),
    }
    objects: dict[str, dict[str, None]] = {}
    for kind in entities.values():
        for entity in kind:
            for relation, other in entity.facts.items():
                objects.setdefault(relation, {})[other] = None
    return World(entities, {relation: tuple(others) for relation, others in objects.items()})
