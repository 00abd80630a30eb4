"""What comes out of records: findings of analyses, and outcomes of expectations."""

from enum import StrEnum

from pydantic import Field

from harness.results.record import Anything, Scalar
from harness.strict_models import Kept


class Finding(Kept):
    """One number (or sentence) that an analysis drew from the records of many cells."""

    analysis: str
    """Name of the analysis, such as `scaling_law`."""
    name: str
    """What it is, such as `exponent`."""
    value: float | None = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    """How the interval was made, and what it leaves out."""
    n: int | None = None
    subject: dict[str, Scalar] = Field(default_factory=dict)
    """What it is about: model, precision …"""
    note: str = ""
    """A sentence for the reader: a warning, or why there is no value."""
    data: Anything = Field(default_factory=dict)
    """Points and curve for a chart."""
    failed: bool = False
    """Whether this says why its analysis has no findings: `note` is the reason."""


class Outcome(StrEnum):
    """How an expectation came out."""

    MET = "met"
    UNMET = "unmet"
    UNDECIDED = "undecided"


class ExpectationOutcome(Kept):
    """One expectation at one cell: the bound, the value with its interval, and the outcome."""

    expectation: str
    """The expectation as a sentence: `perplexity (int8) / perplexity (fp32) at most 1.01`."""
    subject: dict[str, Scalar]
    outcome: Outcome
    value: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    bound: str = ""
    reason: str = ""
