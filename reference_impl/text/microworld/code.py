"""Simple code: a small Python function as an interactive session shows it, and what its calls give.

A function's name says what it does (`add_3`, `last_of`), its body does it, and the outputs follow: three views of one
thing. Outputs are computed by a Python function kept beside the source; a test runs the source and compares.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.lexicon import FRUIT_COLORS, PLURALS
from reference_impl.text.microworld.question import Question, collected

WORDS = (*tuple(PLURALS)[:24], *tuple(FRUIT_COLORS)[:16])


@dataclass(frozen=True)
class Function:
    """A function's name, its body, what it computes, and how to draw an argument."""

    level: int
    name: str
    body: tuple[str, ...]
    compute: Callable[..., object]
    argument: str
    """`int`, `word` or `list`."""


def _arithmetic(k: int) -> tuple[Function, ...]:
    return (
        Function(1, f"add_{k}", (f"return x + {k}",), lambda x: x + k, "int"),
        Function(1, f"subtract_{k}", (f"return x - {k}",), lambda x: x - k, "int"),
        Function(1, f"times_{k}", (f"return x * {k}",), lambda x: x * k, "int"),
        Function(2, f"at_least_{k}", (f"if x < {k}:", f"    return {k}", "return x"), lambda x: max(x, k), "int"),
        Function(2, f"at_most_{k}", (f"if x > {k}:", f"    return {k}", "return x"), lambda x: min(x, k), "int"),
        Function(2, f"is_above_{k}", (f"return x > {k}",), lambda x: x > k, "int"),
        Function(
            3,
            f"sum_plus_{k}",
            (f"total = {k}", "for n in x:", "    total += n", "return total"),
            lambda x: sum(x) + k,
            "list",
        ),
        Function(
            3,
            f"count_above_{k}",
            ("count = 0", "for n in x:", f"    if n > {k}:", "        count += 1", "return count"),
            lambda x: sum(n > k for n in x),
            "list",
        ),
        Function(3, f"add_{k}_to_all", (f"return [n + {k} for n in x]",), lambda x: [n + k for n in x], "list"),
    )


_PLAIN = (
    Function(1, "double", ("return x + x",), lambda x: x + x, "int"),
    Function(1, "first_letter", ("return x[0]",), lambda x: x[0], "word"),
    Function(1, "last_letter", ("return x[-1]",), lambda x: x[-1], "word"),
    Function(1, "length", ("return len(x)",), len, "word"),
    Function(1, "upper_case", ("return x.upper()",), lambda x: x.upper(), "word"),
    Function(1, "twice", ("return x + x",), lambda x: x + x, "word"),
    Function(1, "many", ("return x + 's'",), lambda x: x + "s", "word"),
    Function(2, "first_of", ("return x[0]",), lambda x: x[0], "list"),
    Function(2, "last_of", ("return x[-1]",), lambda x: x[-1], "list"),
    Function(2, "largest", ("return max(x)",), max, "list"),
    Function(2, "smallest", ("return min(x)",), min, "list"),
    Function(2, "in_order", ("return sorted(x)",), sorted, "list"),
    Function(2, "turned_round", ("return x[::-1]",), lambda x: x[::-1], "list"),
    Function(2, "is_even", ("return x % 2 == 0",), lambda x: x % 2 == 0, "int"),
    Function(
        2, "size", ("if x > 9:", "    return 'big'", "return 'small'"), lambda x: "big" if x > 9 else "small", "int"
    ),
    Function(3, "total", ("total = 0", "for n in x:", "    total += n", "return total"), sum, "list"),
    Function(3, "evens", ("return [n for n in x if n % 2 == 0]",), lambda x: [n for n in x if n % 2 == 0], "list"),
    Function(
        3,
        "sum_up_to",
        ("total = 0", "for n in range(x + 1):", "    total += n", "return total"),
        lambda x: x * (x + 1) // 2,
        "int",
    ),
    Function(3, "backwards", ("return x[::-1]",), lambda x: x[::-1], "word"),
    Function(
        3, "count_vowels", ("return sum(c in 'aeiou' for c in x)",), lambda x: sum(c in "aeiou" for c in x), "word"
    ),
)
FUNCTIONS = _PLAIN + tuple(function for k in range(2, 10) for function in _arithmetic(k))


def source(function: Function) -> str:
    """The function as typed into the interactive interpreter."""
    return "\n".join([f">>> def {function.name}(x):", *(f"...     {line}" for line in function.body)])


def _argument(draw: Draw, function: Function) -> object:
    if function.argument == "int":
        return draw.between(1, 20)
    if function.argument == "word":
        return draw.pick(WORDS)
    return [draw.between(1, 12) for _ in range(draw.between(2, 4))]


def _call(draw: Draw, function: Function) -> tuple[str, str]:
    """A call and its output as the interpreter shows them."""
    argument = _argument(draw, function)
    return f">>> {function.name}({argument!r})", repr(function.compute(argument))


def _function(draw: Draw) -> Function:
    return draw.pick(_PLAIN if draw.chance(0.45) else FUNCTIONS)


def _session(draw: Draw, function: Function, calls: int) -> tuple[str, str]:
    """A session without its last output, and that output."""
    lines = [source(function)]
    seen: dict[str, str] = {}
    while len(seen) < calls:
        call, output = _call(draw, function)
        seen[call] = output
    for call, output in seen.items():
        lines += [call, output]
    return "\n".join(lines[:-1]), lines[-1]


def paragraph(draw: Draw) -> str:
    """One function and three to five calls of it."""

    def make() -> str:
        return "\n".join(_session(draw, _function(draw), draw.between(3, 5)))

    return draw.planned(lambda draw: draw.until_owned(make))


def _question(draw: Draw, level: int) -> Question:
    functions = [function for function in FUNCTIONS if function.level == level]
    made: list[tuple[str, str]] = []

    def make() -> str:
        made.append(_session(draw, draw.pick(functions), 3))
        return "\n".join(made[-1])

    draw.until_owned(make)
    prompt, answer = made[-1]
    return Question("code", prompt, answer, answer, level=level, joint="\n")


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` sessions whose last output is to be written; level 1 one operation, 2 a condition or list, 3 a loop."""
    return collected(draw, count, lambda draw, index: _question(draw, 1 + index % 3))
