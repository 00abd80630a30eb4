"""The most that a suite may ask of a measure, in one place: what no model and no machine has, or what would never end.

Each is generous: a number beyond it is a slip of the hand (one 0 too many), or nobody will see its result.
"""

import math
from typing import Annotated

from pydantic import AfterValidator, Field

MOST_TOKENS = 100_000_000
"""Of one sequence: a context, a prompt, a window, an answer."""
MOST_BATCH = 1_000_000
"""Sequences at once."""
MOST_DOCUMENTS = 1_000_000_000
"""More than any text has: documents, and bytes or tokens of one."""
MOST_ITERATIONS = 1_000_000
"""Repetitions within a process."""
MOST_LAUNCHES = 10_000
"""Processes, each of which opens the model again."""
MOST_SAMPLES = 100_000
"""Answers to one document, and few-shot examples before one."""
MOST_SEQUENCES = 10_000_000
"""Made or drawn sequences in all."""
MOST_TOKENS_IN_ALL = 10**13
"""What one cell may read and write: months on the fastest machine."""
MOST_TOKENS_AT_ONCE = 10**9
"""Of all sequences of a batch together."""
LARGEST_SEED = 2**63 - 1
"""What torch takes."""
LARGEST = 1e30
"""Of numbers such as temperatures, losses and budgets: beyond it products are no numbers any more."""


def _computable(value: float) -> float:
    if not 1 / LARGEST <= value <= LARGEST:
        raise ValueError(f"it must be from {1 / LARGEST:g} to {LARGEST:g}, or products of it are no numbers any more")
    return value


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_computable)]
"""A number above 0 that can be computed with."""


def check_at_once(**factors: int) -> None:
    """Raises ValueError where the product of these settings is more tokens than are ever held at once."""
    _check(factors, MOST_TOKENS_AT_ONCE, "tokens at once")


def check_in_all(**factors: int) -> None:
    """Raises ValueError where the product of these settings is more tokens than one cell may read and write."""
    _check(factors, MOST_TOKENS_IN_ALL, "tokens in all")


def _check(factors: dict[str, int], most: int, what: str) -> None:
    product = math.prod(factors.values())
    if product > most:
        written = " · ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in factors.items())
        raise ValueError(f"{written} is {product:,} {what}, and {most:,} is the most; lower one of them")
