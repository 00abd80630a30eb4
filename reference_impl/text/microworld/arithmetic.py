"""Additions of one to four digits, answered at once or column by column with the carries written out.

A problem, not a sentence, is what a split owns here: `47 + 85` and `85 + 47` belong to one split in every wording,
direct or with steps.
"""

from reference_impl.text.microworld.draw import Draw
from reference_impl.text.microworld.question import Question

DIGITS = (1, 2, 3, 4)
_PLAIN = "{a} + {b} = {c}."
_ASKED = (
    "Q: What is {a} + {b}?\nA: {c}.", "Q: How much is {a} plus {b}?\nA: {c}.", "The sum of {a} and {b} is {c}.",
    "{a} and {b} make {c}.", "Adding {b} to {a} gives {c}.",
)  # fmt: skip
_STEPS = "Q: What is {a} + {b}, step by step?\nA: {w}; so {a} + {b} = {c}."
_SHARES = (1, 2, 2, 2, 3, 3, 4)


def owns_sum(draw: Draw, a: int, b: int) -> bool:
    """Whether the problem a + b, in either order, belongs to the split."""
    return draw.owns(f"{min(a, b)} + {max(a, b)}")


def working(a: int, b: int) -> str:
    """The columns from the right: `7 + 5 = 12, write 2, carry 1; 4 + 8 + 1 = 13, write 13`."""
    columns = []
    carry = 0
    while True:
        left, right = a % 10, b % 10
        total = left + right + carry
        column = f"{left} + {right}" + (" + 1" if carry else "") + f" = {total}"
        a, b = a // 10, b // 10
        if not a and not b:
            columns.append(f"{column}, write {total}")
            return "; ".join(columns)
        carry = total // 10
        columns.append(f"{column}, write {total % 10}" + (", carry 1" if carry else ""))


def _problem(draw: Draw, digits: int) -> tuple[int, int]:
    """Two numbers of this many digits whose sum this split owns."""
    low, high = (0 if digits == 1 else 10 ** (digits - 1)), 10**digits - 1
    while True:
        a, b = draw.between(low, high), draw.between(low, high)
        if owns_sum(draw, a, b):
            return a, b


def paragraph(draw: Draw) -> str:
    """Four to nine additions of one size in one wording."""
    digits = draw.pick(_SHARES)
    if draw.chance(0.5):
        frame, count = _STEPS, draw.between(3, 5)
    else:
        frame, count = draw.pick((_PLAIN, draw.pick(_ASKED))), draw.between(5, 9)
    problems = (_problem(draw, digits) for _ in range(count))
    return "\n".join(frame.format(a=a, b=b, c=a + b, w=working(a, b)) for a, b in problems)


def questions(draw: Draw, count: int) -> list[Question]:
    """`count` additions to answer freely: levels 1 to 4 digits, each directly and with steps.

    There are only 55 sums of two digits, so level 1 has fewer: those that the split owns, in both orders.
    """
    ones = [(a, b) for a in range(10) for b in range(10) if owns_sum(draw, a, b)]
    ones = ones[: count // 8]
    problems = [(1, pair) for pair in ones]
    wanted = (count // 2 - len(ones)) // 3
    for digits in DIGITS[1:]:
        new: dict[tuple[int, int], None] = {}
        while len(new) < wanted:
            new[_problem(draw, digits)] = None
        problems += [(digits, pair) for pair in new]
    made = []
    for digits, (a, b) in problems:
        answer = str(a + b)
        prompt = f"Q: What is {a} + {b}?\nA:"
        made.append(Question("addition", prompt, f"{answer}.", answer, level=digits))
        prompt = f"Q: What is {a} + {b}, step by step?\nA:"
        target = f"{working(a, b)}; so {a} + {b} = {answer}."
        made.append(Question("addition", prompt, target, answer, level=digits, reasoning="steps"))
    return made
