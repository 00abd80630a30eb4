"""The record: one number with its identity, and the cell result that carries the records of one cell.

Declared once, here. Parquet files, DataFrames and every printer are derived from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from harness.results.provenance import Provenance
from harness.results.stored_weights import StoredWeights
from harness.strict_json import tagged, untagged
from harness.strict_models import Kept

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA_VERSION = 2
"""Of what a run and the cell cache keep. 1: without checksums; still read from runs, and marked unchecked."""

Scalar = str | int | float | bool | None


def whole_numbers(resolved: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The same with 256 for 256.0: a column of a DataFrame that has gaps makes floats of its integers."""
    plain = {name: int(value) for name, value in resolved.items() if isinstance(value, float) and value.is_integer()}
    return {**resolved, **plain}


Resolved = Annotated[dict[str, Scalar], AfterValidator(whole_numbers)]
"""What a model settled; an earlier version wrote integers of it as floats."""

Anything = Annotated[dict[str, Any], BeforeValidator(untagged), PlainSerializer(tagged, when_used="json")]
"""Plain data of any shape, which is strict JSON in a file and the same floats when it is read."""


AXES = ("precision", "device", "seed", "compute", "threads")
"""What a suite's matrix is made of: columns of a table of records, so that no setting of a measure has these names."""


class Status(StrEnum):
    """How a cell ended."""

    OK = "ok"
    FAILED = "failed"
    OUT_OF_MEMORY = "oom"
    SKIPPED = "skipped"


class Direction(StrEnum):
    """Which way a metric is better."""

    LOWER = "lower"
    HIGHER = "higher"
    NONE = "none"


class Sums(Kept):
    """How a metric is made of columns of its cell's samples: the sum of one, or the mean of one over another.

    Summed are the rows that scored a token (column `tokens` above 0). The value is factor · Σ`of` / Σ`over`, or
    factor · Σ`of` where there is no `over`; with `exponential`, e to the power of that.
    """

    of: str
    """The column that is summed, such as `nll`."""
    over: str | None = None
    """The column whose sum it is divided by, such as `tokens`."""
    factor: float = 1.0
    exponential: bool = False

    def of_means(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """The metric's values where Σ`of` / Σ`over` is each of these."""
        import numpy as np

        scaled = means / (1 / self.factor)  # of a factor 1 / x that is x to the bit, as measures divide by it
        return np.exp(scaled) if self.exponential else scaled


class Metric(Kept):
    """The declaration of one metric: all that the rest of the harness knows of it. Nothing depends on its name."""

    name: str
    version: int = 1
    unit: str
    direction: Direction
    definition: str
    """One or two sentences with the formula, and its source where it has one."""
    detail: bool = False
    """Whether tables leave it out unless it says something: a count that is 0, another rule for the same answers."""
    headline: bool = False
    """Whether a line of progress shows it."""
    depends_on: Literal["time", "memory"] | None = None
    """What of the machine decides its value: two values compare only on one class of machine. None: it is the same on
    every machine but for rounding."""
    times: Literal["prefill", "decode", "training"] | None = None
    """Of a time or a rate: what it is the time of, where two models can do that in lockstep, turn by turn."""
    rounds: str | None = None
    """Of a time or a rate: the column of its cell's samples that has the seconds of each round, or a list of those of
    its steps."""
    counted: bool = False
    """Whether it is counted and never measured: parameters, bytes of weights, tokens of fixed work. Two runs of the
    same work must agree on it to the last digit, on any machine. (`Measurement.interval` says nothing of this: a loss
    that is `exact` is not thereby the same everywhere.)"""
    sums: Sums | None = None
    """Of which columns of the samples it is a mean or a sum. What has a mean is compared document by document; None:
    nothing is known, and only its intervals are compared."""
    per_token: bool = False
    """Whether it is per token of the model's own tokenizer: under another tokenizer it means something else."""
    relative_to: tuple[str, Scalar] | None = None
    """The value of an axis that it compares with in itself, such as `("precision", "fp32")`."""
    right_or_wrong: bool = False
    """Whether it is what a task means by a right answer: where several metrics say right or wrong of a document, flips
    are those of the first such, in the order of their declarations."""
    tradeoff: bool = False
    """Whether it is what one weighs when a model is made smaller or faster: quality kept, speed, memory."""

    @model_validator(mode="after")
    def _counted_on_any_machine(self) -> Self:
        if self.counted and self.depends_on is not None:
            raise ValueError(
                f"the metric {self.name} is declared as counted and as depending on the machine's {self.depends_on}: "
                "what is counted is the same on every machine"
            )
        return self

    @property
    def id(self) -> str:
        """Name with version, such as `tpot@1`: numbers of different versions are not comparable."""
        return f"{self.name}@{self.version}"


class Measurement(Kept):
    """One value of one metric as a measure gives it, before it is tied to a cell."""

    metric: Metric
    value: float
    low: float | None = None
    """Lower end of the interval; None where there is none."""
    high: float | None = None
    interval: str = "exact"
    """How the interval was made, such as `t over documents (ratio estimator)`; `none: ...` with the reason; or `exact`:
    the value is what its definition asks for, no estimate of it. That is not what another run would give: see
    `Metric.counted`."""
    n: int = 1
    n_unit: str = "values"
    """What n counts: documents, iterations, launches."""
    part: str | None = None
    """Of a cell with several values of one metric, which: a task of a group, a way of extracting answers."""

    def fields(self) -> dict[str, Any]:
        """What a record takes from it; whose cell it is comes beside."""
        return {
            "part": self.part,
            "metric": self.metric.name,
            "metric_id": self.metric.id,
            "value": self.value,
            "unit": self.metric.unit,
            "direction": self.metric.direction,
            "low": self.low,
            "high": self.high,
            "interval": self.interval,
            "n": self.n,
            "n_unit": self.n_unit,
        }


class Missing(Kept):
    """A number that was asked for and that a cell can't give, while it gives others: one task of a group, say."""

    reason: str
    """A sentence."""
    part: str | None = None
    """Of the cell, which: see `Measurement.part`."""
    status: Status = Status.FAILED
    """failed: something went wrong, and a retry may succeed. skipped: it was asked for, and there is no such thing."""

    def fields(self) -> dict[str, Any]:
        """What a record takes from it; whose cell it is comes beside."""
        return {"part": self.part, "status": self.status, "reason": self.reason}


class Record(Kept):
    """One number with its identity: one tidy row."""

    schema_version: int = SCHEMA_VERSION
    key: str
    """The key of the cell: a hash of everything that determines the result."""
    model: str
    """The model's name in the suite."""
    measure: str
    axes: dict[str, Scalar] = Field(default_factory=dict)
    """The point of the matrix: precision, device, seed, threads …"""
    settings: dict[str, Scalar] = Field(default_factory=dict)
    """The measure's settings at this point."""
    resolved: Resolved = Field(default_factory=dict)
    """What the model settled where the settings left it open, such as the window of a perplexity: see
    `CellResult.resolved`."""
    part: str | None = None
    """Of a cell with several values of one metric, which one this is: see `Measurement.part`."""
    metric: str | None = None
    """Name without version; None in the one record of a cell that did not end well, and in that of a part that has no
    numbers (`status` and `reason` say why)."""
    metric_id: str | None = None
    value: float | None = None
    unit: str | None = None
    direction: Direction = Direction.NONE
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    interval: str | None = None
    n: int | None = None
    n_unit: str | None = None
    status: Status = Status.OK
    reason: str | None = None
    parameters: int | None = None
    """Parameters of the model, embeddings included."""
    parameters_non_embedding: int | None = None
    model_digest: str | None = None
    fingerprint_class: str | None = None


class Read(Kept):
    """A text or a task that a cell read."""

    kind: Literal["text", "task"]
    name: str
    digest: str
    """Of what it was when the cell was planned; the worker compares."""


class CellResult(Kept):
    """One line of a run folder's `cells.jsonl`: a cell that ended, with its records."""

    model_config = ConfigDict(frozen=False)

    schema_version: int = SCHEMA_VERSION
    run_id: str = ""
    """`Manifest.id` of the run whose line it is; empty in the cell cache, and where an earlier version wrote it."""
    key: str
    model: str
    measure: str
    axes: dict[str, Scalar]
    settings: dict[str, Scalar]
    status: Status
    reason: str | None = None
    records: list[Record]
    conditions: Anything = Field(default_factory=dict)
    """What the machine was doing: load average, involuntary context switches, threads, per launch; `others_share`, the
    largest part of the cores' time that others took during one."""
    measured: str | None = None
    """When it was measured (UTC)."""
    provenance: Provenance | None = None
    """What measured it, also where the result came from the cache; None where an earlier version wrote it."""
    read: tuple[Read, ...] | None = None
    """The texts and tasks that it read; None where an earlier version wrote it."""
    stored: StoredWeights | None = None
    """What the weights of its model were stored as."""
    seconds: float = 0.0
    """Wall time of the cell, start of the process included."""
    source: Literal["measured", "cache"] = "measured"
    samples: str | None = None
    """The file of samples (per-document or per-iteration evidence), relative to the run folder."""
    resolved: Resolved = Field(default_factory=dict)
    """What defines the numbers and is no setting, or one that was left open until the model was opened: the window of a
    perplexity, which is the model's context. Two cells where it differs measured two things."""
    samples_sha256: str | None = None
    """sha256 of that file; None where an earlier version wrote it."""
    samples_bytes: int | None = None
    """Its size, in the cell cache."""
    planned: str | None = None
    """The key that the plan gave it, where another kernel ran than was planned: `key` names what ran."""
    notes: list[str] = Field(default_factory=list)
    """What a reader of the numbers must know: files that were passed over, labels read as 1-based; a sentence each."""

    @property
    def missing(self) -> list[Record]:
        """What a cell that ended well could not give: its records without a number, each with its reason."""
        return [record for record in self.records if self.status is Status.OK and record.status is not Status.OK]

    @property
    def whole(self) -> bool:
        """Whether it ended well, and nothing in it failed."""
        return self.status is Status.OK and all(record.status is not Status.FAILED for record in self.missing)

    @property
    def planned_key(self) -> str:
        """The key under which the run's manifest lists it."""
        return self.planned or self.key

    @property
    def identity(self) -> str:
        """Which cell of its run this is. The key says what determines the result, and two cells may share it: two
        names for one model, or a quality cell at two thread counts."""
        return f"{self.planned_key} {self.model} {sorted(self.axes.items())}"
