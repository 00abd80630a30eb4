"""What comes out of pairing two cells document by document: counts, a test, and the documents that flipped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.results.record import Scalar
from harness.statistics.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd


class Cause(StrEnum):
    """What differs first between two ways of asking and answering one document."""

    PROMPT = "prompt"
    """The text that was asked."""
    TRUNCATION = "truncation"
    """The same text, but one side lost more of its beginning."""
    TOKENS = "tokens"
    """The same text in other tokens."""
    PROBABILITIES = "log-probabilities"
    """The same tokens, but the model gives them other probabilities."""
    ANSWER = "answer"
    """The same tokens were read, others were written."""
    EXTRACTION = "extraction"
    """The same answer was written, and something else was taken out of it."""
    JUDGMENT = "judgement"
    """All of this is the same, and it was judged otherwise."""


@dataclass(frozen=True)
class Flip:
    """A document that one side has right and the other wrong."""

    task: str
    document: int
    base_right: bool
    head_right: bool
    cause: Cause
    detail: str
    """How it differs, in a sentence or two."""
    base_margin: float | None = None
    """How far the right choice is above the best other by the metric's rule, in nats (per character, …)."""
    head_margin: float | None = None


@dataclass(frozen=True)
class Paired:
    """The documents of one task that both cells judged."""

    at: dict[str, Scalar]
    """Coordinates that the two cells share."""
    task: str
    """`all N` stands for every task of a group."""
    metric: str
    asked: str
    """same: both sides were asked the same text. otherwise: the same question in other words, or other examples."""
    both: int
    only_base: int
    only_head: int
    neither: int
    difference: Interval
    """Share of head less share of base."""
    p_value: float
    flips: tuple[Flip, ...] = ()
    """Empty in a line that sums up others."""

    @property
    def documents(self) -> int:
        """All pairs."""
        return self.both + self.only_base + self.only_head + self.neither


@dataclass(frozen=True)
class Difference:
    """Two runs, or two sides of one, document by document."""

    base: str
    """The base in words: its run, and what was chosen of it."""
    head: str
    pairs: tuple[Paired, ...]
    notes: tuple[str, ...]
    """What could not be paired, and why."""

    @property
    def counts(self) -> pd.DataFrame:
        """One row per cell and task: coordinates, then task, metric, asked, how many were paired, counts, difference,
        interval, p-value."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    **pair.at,
                    "task": pair.task,
                    "metric": pair.metric,
                    "asked": pair.asked,
                    "paired": pair.documents,
                    "both": pair.both,
                    "only_base": pair.only_base,
                    "only_head": pair.only_head,
                    "neither": pair.neither,
                    "difference": pair.difference.value,
                    "low": pair.difference.low,
                    "high": pair.difference.high,
                    "p_value": pair.p_value,
                }
                for pair in self.pairs
            ]
        )

    @property
    def flips(self) -> pd.DataFrame:
        """One row per document that flipped: coordinates, metric, asked, then the fields of `Flip`."""
        import pandas as pd

        return pd.DataFrame(
            [
                {**pair.at, "metric": pair.metric, "asked": pair.asked, **asdict(flip), "cause": str(flip.cause)}
                for pair in self.pairs
                for flip in pair.flips
            ]
        )
