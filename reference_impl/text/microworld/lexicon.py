"""Word lists that several themes share: names, colors, fruit, pairs of words."""

# ruff: noqa: SIM905 (word lists read best as words)

WOMEN = (
    "Mira Anna Eve Lena Clara Rosa Nora Ida Vera Julia Emma Sara Ruth Ella Maya Tara Olga Alma Dora Greta "
    "Hanna Iris Jana Kira Lucy Mona Nina Petra Rita Stella Thea Ursula Wanda Zoe Bella Carla Diana Edith "
    "Flora Gina Helen Irma Judith Karin Linda Martha Nelly Olive Paula Selma"
).split()
MEN = (
    "Tom Adam Ben Carl David Erik Felix Georg Hugo Ivan Jack Karl Leo Max Nils Otto Paul Ralf Sam Theo "
    "Victor Walter Anton Boris Conrad Dennis Emil Frank Gustav Henry Igor Jonas Kurt Louis Martin Noah Oscar "
    "Peter Robert Simon Tim Urban Viktor Willy Albert Bruno Colin Daniel Edgar Fred"
).split()

COLORS = "red yellow green blue purple orange white black brown pink".split()

FRUIT_COLORS: dict[str, str] = {
    "apple": "red", "banana": "yellow", "grape": "purple", "cherry": "red", "lemon": "yellow", "lime": "green",
    "plum": "purple", "strawberry": "red", "blueberry": "blue", "orange": "orange", "kiwi": "green",
    "raspberry": "red", "peach": "pink", "mandarin": "orange", "coconut": "brown", "fig": "purple",
    "pineapple": "yellow", "blackberry": "black", "date": "brown", "cranberry": "red", "apricot": "orange",
    "avocado": "green", "lychee": "pink", "elderberry": "black", "bilberry": "blue", "gooseberry": "green",
    "quince": "yellow", "persimmon": "orange", "pomegranate": "red", "currant": "red", "papaya": "orange",
    "guava": "green", "mulberry": "black", "sloe": "blue", "starfruit": "yellow", "redcurrant": "red",
    "damson": "purple", "kumquat": "orange", "tamarind": "brown", "mirabelle": "yellow",
}  # fmt: skip
THING_COLORS: dict[str, str] = {
    "snow": "white", "grass": "green", "coal": "black", "milk": "white", "blood": "red", "chocolate": "brown",
    "salt": "white", "soot": "black", "butter": "yellow", "ink": "blue", "mustard": "yellow", "moss": "green",
    "rust": "orange", "spinach": "green", "cream": "white", "tar": "black", "ketchup": "red", "honey": "yellow",
    "coffee": "brown", "lavender": "purple",
}  # fmt: skip

PLURALS: dict[str, str] = {
    "cat": "cats", "dog": "dogs", "box": "boxes", "fox": "foxes", "baby": "babies", "city": "cities",
    "mouse": "mice", "child": "children", "man": "men", "woman": "women", "tooth": "teeth", "foot": "feet",
    "goose": "geese", "leaf": "leaves", "knife": "knives", "wolf": "wolves", "bus": "buses", "dish": "dishes",
    "key": "keys", "boy": "boys", "lady": "ladies", "story": "stories", "house": "houses", "bird": "birds",
    "book": "books", "tree": "trees", "shelf": "shelves", "glass": "glasses", "berry": "berries", "ox": "oxen",
    "fly": "flies", "lamp": "lamps", "brush": "brushes", "penny": "pennies", "thief": "thieves",
    "wife": "wives", "cup": "cups", "horse": "horses", "church": "churches", "pony": "ponies",
}  # fmt: skip
OPPOSITES: dict[str, str] = {
    "hot": "cold", "big": "small", "tall": "short", "fast": "slow", "old": "young", "rich": "poor",
    "wet": "dry", "hard": "soft", "light": "dark", "full": "empty", "early": "late", "high": "low",
    "loud": "quiet", "happy": "sad", "strong": "weak", "clean": "dirty", "open": "closed", "sweet": "sour",
    "thick": "thin", "wide": "narrow", "deep": "shallow", "near": "far", "left": "right",
    "up": "down", "true": "false", "brave": "timid", "sharp": "blunt", "rough": "smooth", "cheap": "dear",
}  # fmt: skip
YOUNG: dict[str, str] = {
    "dog": "puppy", "cat": "kitten", "cow": "calf", "horse": "foal", "sheep": "lamb", "goat": "kid",
    "lion": "cub", "hen": "chick", "duck": "duckling", "goose": "gosling", "pig": "piglet", "deer": "fawn",
    "swan": "cygnet", "frog": "tadpole", "owl": "owlet", "kangaroo": "joey", "hare": "leveret", "eagle": "eaglet",
}  # fmt: skip
SOUNDS: dict[str, str] = {
    "dog": "bark", "cat": "meow", "cow": "moo", "horse": "neigh", "sheep": "bleat", "lion": "roar",
    "duck": "quack", "pig": "grunt", "owl": "hoot", "frog": "croak", "bee": "buzz", "snake": "hiss",
    "wolf": "howl", "mouse": "squeak", "crow": "caw", "donkey": "bray",
}  # fmt: skip
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()

NAMES = tuple(name for pair in zip(WOMEN, MEN, strict=True) for name in pair)
_FEMALE = frozenset(WOMEN)


def is_female(name: str) -> bool:
    """Whether a first name of the microworld is a woman's."""
    return name in _FEMALE


def with_article(noun: str) -> str:
    """The noun with `a` or `an`."""
    return ("an " if noun[0] in "aeio" or noun[:2] in ("un", "um", "ug") else "a ") + noun


def plural(noun: str) -> str:
    """The plural by the rules of spelling, and by the list for the irregular ones."""
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"
