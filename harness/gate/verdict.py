"""What a comparison comes to: one word for all of the gate, the exit code of each, and which counts where there are
several.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from harness.errors import ExitCode


class Verdict(StrEnum):
    """What a comparison comes to. The first of several counts, in this order."""

    FAIL = "fail"
    """Worse by the margin or more, or broken."""
    USAGE = "usage"
    """What was given can't be judged: a damaged run, one that did not finish."""
    BASELINE_MISSING = "baseline missing"
    NOT_COMPARABLE = "not comparable"
    """Two different things were measured: another machine, another text, another definition."""
    INCONCLUSIVE = "inconclusive"
    """There is not enough evidence for any other."""
    ACCEPTED = "accepted"
    """A FAIL that was agreed to, by no more than was allowed."""
    MINOR = "minor"
    """Worse for certain, by less than the margin."""
    PASS = "pass"
    """There is evidence that it is not worse by the margin."""

    @property
    def exit_code(self) -> ExitCode:
        """Of the command."""
        return _EXIT_CODES.get(self, ExitCode.PASS)

    @property
    def word(self) -> str:
        """As it is shown: `NOT COMPARABLE`."""
        return self.upper()


_EXIT_CODES = {
    Verdict.FAIL: ExitCode.UNMET,
    Verdict.USAGE: ExitCode.USAGE,
    Verdict.BASELINE_MISSING: ExitCode.BASELINE_MISSING,
    Verdict.NOT_COMPARABLE: ExitCode.NOT_COMPARABLE,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}


def first_of(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that counts; PASS where there is none."""
    order = list(Verdict)
    return min(verdicts, key=order.index, default=Verdict.PASS)
