"""What scores responses without a model, by name. A new one is a function (`scorers.py`) and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.alignment.data.rows import Prompt

Scorer = Callable[["Prompt", str, bool], float]
"""(prompt, what the response says, whether the model ended it) -> its score, a finite number, of any text."""


@dataclass(frozen=True)
class KnownScorer:
    """One that has a name."""

    about: str
    """What it gives, in a clause."""
    function: str
    """`module:function`: imported where it is used."""
    needs_answer: bool = False
    """Whether a prompt has to say what a right response arrives at."""

    def load(self) -> Scorer:
        """The function."""
        module, _, name = self.function.partition(":")
        found: Scorer = getattr(import_module(module), name)
        return found


CONSTANT = "constant"
_MODULE = "reference_impl.alignment.scorers"
SCORERS: Mapping[str, KnownScorer] = {
    "answers": KnownScorer("1 for the right answer that a prompt says", f"{_MODULE}:right_answer", needs_answer=True),
    "gold": KnownScorer(
        "what an answer to a prompt of `assistant` is worth by rules, -3 to 1.5: a control, for no trainer to see",
        "reference_impl.alignment.data.assistant:gold",
    ),
    CONSTANT: KnownScorer("0 for all, a control", f"{_MODULE}:same_for_all"),
}
"""By the name that a suite and the shell call it by."""


def scorers_in_words() -> str:
    """For a help text: `answers` (1 for the right answer that a prompt says) or …"""
    return " or ".join(f"`{name}` ({one.about})" for name, one in SCORERS.items())
