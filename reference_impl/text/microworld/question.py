"""One question of an evaluation set, by choice among continuations or by free generation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from reference_impl.text.microworld.draw import Draw

Reasoning = Literal["direct", "steps"]


@dataclass(frozen=True)
class Question:
    """A prompt, what should follow it, and how the answer is judged.

    The full text is `prompt + joint + target`, which is also one worked example for a few-shot prompt.
    With `choices` a model answers by giving the right one the highest likelihood; without, by generating
    until `until`, and its answer is the last number (or the whole text) that it wrote.
    """

    theme: str
    prompt: str
    """Ends without white space."""
    target: str
    """The whole right continuation: the right choice, or the answer with its working."""
    answer: str
    """What must be found: equal to `target` except where the target shows its working."""
    choices: tuple[str, ...] = ()
    """The continuations to choose from, `target` among them; empty when the answer is generated."""
    level: int = 1
    """How hard, in the unit of the theme: digits, steps, distractors, hops."""
    reasoning: Reasoning = "direct"
    """Whether the target is the bare answer or shows the working first."""
    joint: str = " "
    """What stands between the prompt and its continuation: a space, or a line break in code."""
    until: str = "\n"
    """Generation stops before this text."""

    def __post_init__(self) -> None:
        if self.choices and (self.target not in self.choices or len(set(self.choices)) != len(self.choices)):
            raise ValueError(f"the choices of a question must differ and hold its target: {self}")

    @property
    def text(self) -> str:
        """Prompt and target joined, as a worked example."""
        return self.prompt + self.joint + self.target

    @property
    def gold(self) -> int:
        """Index of the right choice; ValueError for a question without choices."""
        return self.choices.index(self.target)

    @property
    def chance(self) -> float:
        """Expected accuracy of a uniform guess: 1 / number of choices, 0 for generated answers."""
        return 1 / len(self.choices) if self.choices else 0.0


@dataclass(frozen=True)
class Preference:
    """An instruction with a good answer and a bad one, and what is wrong with the bad one."""

    prompt: str
    chosen: str
    rejected: str
    fault: str


Asked = TypeVar("Asked", Question, Preference)


def collected(draw: Draw, count: int, make: Callable[[Draw, int], Asked]) -> list[Asked]:
    """`count` questions or preferences with different prompts; `make` is told how many there are already.

    Raises ValueError when a thousand in a row had all been asked before.
    """
    asked: dict[str, Asked] = {}
    repeated = 0

    def another(draw: Draw) -> Asked:
        return make(draw, len(asked))

    while len(asked) < count:
        before = len(asked)
        one = draw.planned(another)
        asked.setdefault(one.prompt, one)
        repeated = 0 if len(asked) > before else repeated + 1
        if repeated == 1000:
            raise ValueError(f"there are hardly more than {before} different prompts here, {count} were wanted")
    return list(asked.values())
