"""What measures of pairs are told alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from harness.limits import MOST_DOCUMENTS
from harness.measures.evenly_spaced import evenly_spaced
from harness.measures.measure import Settings

if TYPE_CHECKING:
    from harness.corpora.alignment_rows import Preference


class PairSettings(Settings):
    """Settings of measures of pairs."""

    pairs: str = Field(min_length=1)
    """Pairs of responses: `microworld/test`, a file or folder in a known format (`prompt`, `chosen`, `rejected` as TRL
    has them, hh-rlhf's …), `data:NAME` or `hub:OWNER/NAME`; `#SPLIT` behind it names one of several splits."""
    count: int | None = Field(default=None, ge=1, le=MOST_DOCUMENTS)
    """How many pairs, evenly spaced; left out, all."""

    @property
    def text(self) -> str:
        """How the pairs are named as a text."""
        return f"preferences:{self.pairs}"


@dataclass(frozen=True)
class Pairs:
    """Pairs that are asked for."""

    rows: list[Preference]
    left_out: int
    """Rows of the data that are none, such as those with an empty response."""
    told: list[str]
    """Why, a sentence each."""

    @property
    def asked(self) -> int:
        """How many there were."""
        return len(self.rows) + self.left_out


def pairs_of(settings: PairSettings) -> Pairs:
    """The pairs. Raises UserError."""
    from harness.corpora.alignment_rows import preferences

    rows, excluded = preferences(settings.pairs)
    return Pairs(
        evenly_spaced(rows, settings.count), sum(one.count for one in excluded), [str(one) for one in excluded]
    )
