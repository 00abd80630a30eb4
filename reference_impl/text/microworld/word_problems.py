"""Word problems of one to four steps, answered at once or with the steps written out (chain of thought).

Somebody has some things; things come and go; how many are there in the end? Numbers stay below 100, so that what
is hard is to keep the count through the story, not the sums. A sum in the working belongs to the split, too.
"""

# ruff: noqa: SIM905 (word lists read best as words)

from dataclasses import dataclass

from reference_impl.text.microworld.arithmetic import owns_sum
from reference_impl.text.microworld.draw import Draw, UnsayableError
from reference_impl.text.microworld.lexicon import NAMES, is_female
from reference_impl.text.microworld.question import Question, Reasoning, collected

STEPS = (1, 2, 3, 4)
_THINGS = (
    "apples pears coins books stamps eggs marbles cards shells nuts candles plums buttons stones tickets flowers "
    "sweets pencils keys toys"
).split()
_START = (
    "{p} has {n} {t}", "{p} starts with {n} {t}", "in a basket {p} has {n} {t}",
    "there are {n} {t} on the desk of {p}",
    "{p} owns {n} {t}", "at first {p} has {n} {t}",
)  # fmt: skip
_GAIN = (
    "{p} buys {n} more", "{q} gives {him} {n} more", "{p} finds {n} more {t}", "{he} gets {n} {t} from {q}",
    "then {q} brings {him} {n} {t}", "{he} collects another {n} {t}", "a box with {n} {t} comes from {q}",
)  # fmt: skip
_LOSS = (
    "{p} gives {n} to {q}", "{he} loses {n} of the {t}", "{q} takes {n} {t} away", "then {p} sells {n} {t}",
    "{he} sends {n} {t} to {q}", "{n} of the {t} are lost", "{q} borrows {n} of the {t}",
)  # fmt: skip
_DOUBLE = (
    "{q} doubles the number of {t}", "then {q} brings as many {t} again",
    "{he} gets the same number of {t} from {q}",
    "{p} wins as many {t} as {he} has", "with the help of {q} the {t} become twice as many",
)  # fmt: skip
_HALVE = (
    "{p} gives half of the {t} to {q}", "{q} takes half of the {t}",
    "then {he} sells every second one of the {t}",
    "half of the {t} go to {q}", "{he} shares the {t} equally with {q}",
)  # fmt: skip
_QUESTION = (
    "how many {t} does {p} have {w}", "how many {t} are left for {p} {w}",
    "what number of {t} does {p} have {w}",
    "how many {t} can {p} count {w}", "what is the number of {t} that {p} has {w}",
    "how many {t} belong to {p} {w}",
)  # fmt: skip
_WHEN = ("now", "in the end", "after that", "at last", "then", "altogether", "in all", "finally")
_ASK = ("", "", "tell me, ", "so ", "and ", "now ")
_CONCLUSION = (
    "so {p} has {n} {t}", "so the answer is {n}", "that leaves {n} {t}", "which makes {n} {t} for {p}",
    "hence {p} has {n}", "so in the end there are {n} {t}",
)  # fmt: skip


@dataclass(frozen=True)
class _Problem:
    story: str
    question: str
    workings: tuple[str, ...]
    """One equation for each step."""
    answer: int
    person: str
    things: str


def _step(draw: Draw, count: int, slots: dict[str, str]) -> tuple[str, str, int]:
    """What happens next: the sentence, the equation, and the new count."""
    roll = draw.random()
    if roll < 0.1 and count <= 40:
        return draw.say(_DOUBLE, **slots), f"2 * {count} = {2 * count}", 2 * count
    if roll < 0.2 and count % 2 == 0:
        return draw.say(_HALVE, **slots), f"{count} / 2 = {count // 2}", count // 2
    if (roll < 0.6 and count <= 80) or count < 4:
        n = next((n for n in draw.sample(range(2, 13), 11) if owns_sum(draw, count, n)), None)
        if n is None:
            raise UnsayableError
        return draw.say(_GAIN, n=n, **slots), f"{count} + {n} = {count + n}", count + n
    n = draw.between(2, min(count - 1, 12))
    return draw.say(_LOSS, n=n, **slots), f"{count} - {n} = {count - n}", count - n


def _problem(draw: Draw, steps: int) -> _Problem:
    person = draw.pick(NAMES)
    he, him = ("she", "her") if is_female(person) else ("he", "him")
    others = draw.sample(NAMES, 2)
    things = draw.pick(_THINGS)
    count = draw.between(4, 30)
    sentences = [draw.say(_START, p=person, n=count, t=things)]
    workings = []
    for _ in range(steps):
        other = next(name for name in draw.sample(others, 2) if name != person)
        sentence, equation, count = _step(draw, count, {"p": person, "q": other, "t": things, "he": he, "him": him})
        sentences.append(sentence)
        workings.append(equation)
    question = draw.say(_QUESTION, _ASK, mark="?", p=person, t=things, w=draw.pick(_WHEN))
    return _Problem(" ".join(sentences), question, tuple(workings), count, person, things)


def _asked(problem: _Problem, reasoning: Reasoning) -> str:
    hint = " Step by step." if reasoning == "steps" else ""
    return f"Q: {problem.story} {problem.question}{hint}\nA:"


def _target(draw: Draw, problem: _Problem, reasoning: Reasoning) -> str:
    """The answer; with steps, the equations in one sentence that ends with the number."""
    if reasoning == "direct":
        return f"{problem.answer}."
    slots = {"p": problem.person, "t": problem.things, "n": problem.answer}
    working = "; ".join(problem.workings)
    return draw.until_owned(lambda: f"{working}; {draw.pick(_CONCLUSION).format_map(slots)}.")


def _told(draw: Draw, steps: int, reasoning: Reasoning) -> str:
    problem = _problem(draw, steps)
    return f"{_asked(problem, reasoning)} {_target(draw, problem, reasoning)}"


def paragraph(draw: Draw) -> str:
    """Two or three problems with as many steps each, all answered directly or all with steps."""
    steps = draw.between(1, 4)
    reasoning: Reasoning = "steps" if draw.chance(0.65) else "direct"
    return "\n".join(draw.planned(lambda draw: _told(draw, steps, reasoning)) for _ in range(draw.between(2, 3)))


def _question(draw: Draw, steps: int, reasoning: Reasoning) -> Question:
    problem = _problem(draw, steps)
    target = _target(draw, problem, reasoning)
    return Question(
        "word_problems", _asked(problem, reasoning), target, str(problem.answer), level=steps, reasoning=reasoning
    )


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` problems to answer freely: levels 1 to 4 steps, each directly and with the steps."""
    reasonings: tuple[Reasoning, Reasoning] = ("direct", "steps")
    return collected(draw, count, lambda draw, index: _question(draw, 1 + index // 2 % 4, reasonings[index % 2]))
