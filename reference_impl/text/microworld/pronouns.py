"""Pronouns: which of two nouns `it` means, decided by meaning alone.

"The animal did not cross the street because it was too tired": animals get tired, streets do not. Each scene
has two nouns in fixed roles and, for each role, the adjectives that only it can bear. The same scene with the other
kind of adjective has the other answer, so position gives nothing away.
"""

from dataclasses import dataclass

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.question import Question, collected


@dataclass(frozen=True)
class _Scene:
    frames: tuple[str, ...]
    """With {a}, {b}; the reason follows."""
    a: tuple[str, ...]
    b: tuple[str, ...]
    a_reasons: tuple[str, ...]
    b_reasons: tuple[str, ...]


def _scene(frames: str, a: str, b: str, a_reasons: str, b_reasons: str) -> _Scene:
    return _Scene(tuple(frames.split("|")), *(tuple(part.split()) for part in (a, b, a_reasons, b_reasons)))


_BEASTS = "animal dog cat horse goat donkey fox bear hen lamb elephant wolf hedgehog tortoise"
_FEEBLE = "tired sleepy weak frightened lazy timid exhausted sick"
SCENES = (
    _scene(
        "the {a} did not cross the {b} because it was too|the {a} would not go over the {b} since it was too",
        _BEASTS,
        "street road bridge river field square track ford",
        _FEEBLE,
        "wide busy muddy icy flooded slippery broad",
    ),
    _scene(
        ""
        "the {a} did not fit into the {b} because it was too|nobody could put the {a} into the {b} since it was too",
        "trophy book guitar statue lamp umbrella violin teapot chessboard globe",
        "suitcase box drawer bag cupboard chest basket trunk",
        "big large long tall bulky",
        "small narrow little tight short",
    ),
    _scene(
        "the {a} could not climb the {b} because it was too|the {a} did not get up the {b} since it was too",
        _BEASTS, "hill wall ladder mountain stairway slope cliff", _FEEBLE, "steep high smooth slippery icy",
    ),
    _scene(
        ""
        "the {a} could not drive under the {b} because it was too|the {a} got stuck beneath the {b} since it was too",
        "lorry bus tractor van wagon coach crane",
        "arch bridge gate tunnel beam",
        "tall loaded bulky high",
        "low rusty crooked sunken",
    ),
    _scene(
        "the {a} ate the {b} because it was so|the {a} swallowed the {b} since it was so",
        _BEASTS,
        "cake apple soup bread pear cheese pudding pie carrot",
        "hungry greedy starved young",
        "tasty fresh ripe sweet delicious juicy",
    ),
    _scene(
        "the {a} lay down on the {b} because it was so|the {a} slept on the {b} since it was so",
        _BEASTS,
        "mat rug cushion blanket sofa carpet hay",
        "tired sleepy lazy weary exhausted",
        "soft warm dry fluffy cosy",
    ),
    _scene(
        "the {a} broke the {b} because it was too|the {a} went through the {b} since it was too",
        "stone hammer anvil safe ball piano log",
        "table window shelf plank floor glass vase",
        "heavy solid massive hard",
        "fragile weak thin rotten brittle",
    ),
    _scene(
        "the {a} could not light up the {b} because it was too|the {a} did little for the {b} since it was too",
        "lamp candle lantern torch match",
        "hall cave cellar church barn",
        "dim faint small weak",
        "dark vast long gloomy",
    ),
    _scene(
        "the {a} could not cut the {b} because it was too|the {a} slid off the {b} since it was too",
        "knife saw axe blade sickle",
        "rope log cloth branch wire steak",
        "blunt dull rusty old",
        "thick hard tough wet",
    ),
    _scene(
        "the {a} could not cross the {b} because it was too|the {a} stayed away from the {b} since it was too",
        "boat raft ship canoe ferry",
        "sea lake strait river bay",
        "leaky rotten fragile damaged",
        "stormy rough wild frozen shallow",
    ),
)  # fmt: skip

_RESOLUTIONS = (
    'here "it" means the {n}', 'in this sentence "it" is the {n}', 'the word "it" stands for the {n}',
    "it was the {n} that was {r}, not the {m}", "the {n} was {r}; the {m} was not", "what was {r} was the {n}",
    "nobody would call the {m} {r}, it was the {n}", 'the {m} cannot be {r}, so "it" means the {n}',
    "who asks what was {r} hears: the {n}",
)  # fmt: skip
_OPENERS = (
    "", "", "", "yesterday ", "on Monday ", "in the evening ", "last week ", "in the morning ", "as we saw, ",
    "after the rain ", "before noon ", "in the end ", "once again ",
)  # fmt: skip
_ASKED = tuple(frame for frame in _RESOLUTIONS if frame.endswith("{n}"))
_THEN = ("", "", "so ", "clearly ", "of course, ", "therefore, ", "as you see, ", "then ")


def _scenario(draw: Draw) -> tuple[str, str, str, str]:
    """The sentence, the noun that `it` means, the other noun, and the reason."""
    scene = draw.pick(SCENES)
    a, b = draw.pick(scene.a), draw.pick(scene.b)
    first = draw.chance(0.5)
    reason = draw.pick(scene.a_reasons if first else scene.b_reasons)
    frames = tuple(frame + " {r}" for frame in scene.frames)
    sentence = draw.say(frames, _OPENERS, a=a, b=b, r=reason)
    return (sentence, a, b, reason) if first else (sentence, b, a, reason)


def _pair(draw: Draw) -> str:
    sentence, meant, other, reason = _scenario(draw)
    return f"{sentence} {draw.say(_RESOLUTIONS, _THEN, n=meant, m=other, r=reason)}"


def paragraph(draw: Draw) -> str:
    """Three to five scenes, each with what its pronoun means."""
    return "\n".join(draw.planned(_pair) for _ in range(draw.between(3, 5)))


def _question(draw: Draw) -> Question:
    sentence, meant, other, reason = _scenario(draw)
    text = f"{sentence} {draw.say(_ASKED, _THEN, n=meant, m=other, r=reason)}"
    return Question(
        theme="pronouns",
        prompt=text[: -len(meant) - 2],
        target=meant + ".",
        answer=meant + ".",
        choices=tuple(noun + "." for noun in draw.sample((meant, other), 2)),
    )


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` sentences and the noun that their pronoun means, two choices each."""
    return collected(draw, count, lambda draw, _: _question(draw))
