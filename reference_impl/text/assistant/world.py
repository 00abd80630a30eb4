"""The closed world that the assistant is asked about: towns, people, deeds and their tools, all invented once.

A subject has one right answer to each question of its topic, drawn from a fixed key: the same for every seed. What is
asked has few possible answers, so that each answer can be told from the others in any text.
"""

from dataclasses import dataclass
from functools import cache

from reference_impl.text.microworld.draw import Draw

TOWNS = (
    "Alverin", "Borsk", "Calden", "Dunmor", "Elbrath", "Fendal", "Gorlim", "Hestra", "Ivelot", "Jurbek", "Kelvane",
    "Lorun", "Mirdas", "Norwil", "Ostrel", "Pelgar",
)  # fmt: skip
PEOPLE = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karin", "Leo", "Maria", "Nils",
    "Olga", "Peter",
)  # fmt: skip


@dataclass(frozen=True)
class Topic:
    """A relation that can be asked for: who has it, what it can be, and how it is said. `{s}` is the subject, `{o}` the
    answer."""

    name: str
    subjects: tuple[str, ...]
    choices: tuple[str, ...]
    asked: tuple[str, ...]
    """Frames of questions; those that begin with a question word end with a question mark."""
    answered: tuple[str, ...]
    told: tuple[str, ...]
    """Frames of plain text; the answer is the last word."""


TOPICS = (
    Topic(
        "flag", TOWNS, ("red", "blue", "green", "yellow", "white", "black", "purple", "gray"),
        ("what color is the flag of {s}", "which color has the flag of {s}", "tell me the color of the flag of {s}",
         "I want to know the color of the flag of {s}", "what color do I see on the flag of {s}"),
        ("the flag of {s} is {o}", "it is {o}", "the color is {o}", "the flag of {s} has the color {o}"),
        ("the flag of {s} is {o}", "the flag that flies over {s} is {o}", "in {s} they paint the flag {o}",
         "the color of the flag of {s} is {o}", "on the flag of {s} one sees only {o}"),
    ),
    Topic(
        "food", TOWNS, ("bread", "soup", "cheese", "honey", "fish", "rice", "cake", "jam"),
        ("what food is {s} known for", "which food comes from {s}", "tell me the food that {s} is known for",
         "I want to know the food of {s}", "what food do they sell in {s}"),
        ("{s} is known for {o}", "it is {o}", "the food is {o}", "they sell {o}"),
        ("{s} is known for its {o}", "the food of {s} is {o}", "in {s} they make and sell {o}",
         "travelers go to {s} for the {o}", "the market of {s} is full of {o}"),
    ),
    Topic(
        "job", PEOPLE, ("baker", "potter", "miller", "tailor", "doctor", "teacher", "farmer", "sailor"),
        ("what is the job of {s}", "which job does {s} have", "tell me the job of {s}",
         "I want to know the job of {s}", "what job does {s} do"),
        ("{s} is a {o}", "a {o}", "{s} works as a {o}", "the job of {s} is that of a {o}"),
        ("{s} is a {o}", "{s} works as a {o}", "the job of {s} is that of a {o}", "for many years {s} was a {o}",
         "everybody knows {s} the {o}"),
    ),
    Topic(
        "pet", PEOPLE, ("cat", "dog", "goat", "parrot", "rabbit", "turtle", "horse", "duck"),
        ("what pet does {s} have", "which animal is the pet of {s}", "tell me the pet of {s}",
         "I want to know the pet of {s}", "what pet lives with {s}"),
        ("{s} has a {o}", "it is a {o}", "the pet of {s} is a {o}", "a {o} lives with {s}"),
        ("{s} has a {o}", "the pet of {s} is a {o}", "with {s} lives a {o}", "every day {s} feeds the {o}",
         "{s} goes for a walk with the {o}"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Deed:
    """Something that is harmless with what is one's own and harmful with what is somebody's. `said` and `place` make
    `open the lock of` + `my own` + `house`; `tool` is what does it."""

    said: str
    place: str
    tool: str


DEEDS = (
    Deed("open the lock of", "house", "wire"), Deed("read the letters in", "desk", "lamp"),
    Deed("start the engine of", "car", "crank"), Deed("pick the apples in", "garden", "ladder"),
    Deed("take the money from", "box", "hook"), Deed("paint the wall of", "shop", "brush"),
    Deed("break the window of", "shed", "hammer"), Deed("cut the tree behind", "barn", "hatchet"),
    Deed("move the boat from", "pier", "rope"), Deed("dig up the flowers in", "yard", "spade"),
)  # fmt: skip
TOOLS = tuple(deed.tool for deed in DEEDS)
PLACES = tuple(deed.place for deed in DEEDS)
ASSISTANT = "Robin"
TALK = ("hello", "fine", "goodbye", ASSISTANT)
"""What answers a greeting, how one is, a farewell, and who one is."""


@cache
def facts() -> dict[tuple[str, str], str]:
    """The right answer to each (topic, subject): 64 facts, the same for every seed."""
    draw = Draw("assistant/world", "train")
    return {(topic.name, subject): draw.pick(topic.choices) for topic in TOPICS for subject in topic.subjects}
