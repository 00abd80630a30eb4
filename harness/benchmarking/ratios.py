"""Models and precisions against the first of them, in lockstep: ratios of times with intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.gate.arms.arm import ArmChoice
from harness.gate.arms.model_choice import ModelChoice
from harness.gate.arms.model_part import ModelWork, Part
from harness.gate.lockstep.begun import Begun, begin
from harness.gate.lockstep.lockstep import Limits
from harness.gate.lockstep.question import Question
from harness.limits import MOST_LAUNCHES
from harness.number import duration
from harness.results.fingerprint import fingerprint
from harness.statistics.intervals import Interval
from harness.whole_file import write_whole

if TYPE_CHECKING:
    import pandas as pd

LAUNCHES = 6
"""The fewest that give an interval of 95 %: each is a process of both, and every second one measures the base against
itself, too."""
PARTS: Mapping[str, Part] = {"ttft": "prefill", "tpot": "decode"}
"""What is compared, by the metric that it is the ratio of."""
FOLDER = "lockstep"
"""Below a run: a folder for each comparison."""
FILE = f"{FOLDER}/ratios.csv"
"""Below a run: the ratios as a table."""


@dataclass(frozen=True)
class Variant:
    """A model at a precision."""

    name: str
    entry: Mapping[str, Any]
    precision: str

    def __str__(self) -> str:
        return f"{self.name} {self.precision}"


@dataclass(frozen=True)
class Ratio:
    """How much time `head` takes of what `base` takes."""

    base: Variant
    head: Variant
    metric: str
    batch: int
    ratio: Interval | None
    """Of times: below 1 the head is faster. None where they could not be compared."""
    scatter: float | None
    """Standard deviation of the logarithm of the ratio of the base to itself: what a difference must exceed."""
    why_not: str = ""
    """Why there is none."""
    folder: str = ""
    """Every turn that was measured."""


def variants(models: Mapping[str, Mapping[str, Any]], precision: Sequence[str]) -> list[Variant]:
    """Models by precisions, in their order. models: entries of a suite, none of a model in memory."""
    return [Variant(name, entry, one) for (name, entry), one in product(models.items(), precision or ("fp32",))]


def check_launches(launches: int) -> None:
    """Raises UserError for a number of launches that can't be: before anything is measured."""
    if not 1 <= launches <= MOST_LAUNCHES:
        raise UserError(f"is a number from 1 to {MOST_LAUNCHES:,} (it is {launches})", place="--launches")


def how_many(models: int, batch: Sequence[int]) -> int:
    """Comparisons of so many models at these batches."""
    return max(models - 1, 0) * len(PARTS) * len(batch)


def ratios(
    compared: Sequence[Variant],
    *,
    batch: Sequence[int],
    prompt: int,
    new: int,
    run: Path,
    launches: int = LAUNCHES,
    threads: int | None = None,
    device: str = "auto",
    trust_remote_code: bool = False,
    tell: Callable[[str], None] = lambda said: None,
) -> list[Ratio]:
    """Each model against the first, for each batch: the prefill, and the decode steps. What can't be compared says why.

    prompt, new: tokens. run: the run folder; every turn is written below it. launches: of each comparison, no more and
    no fewer, so that the interval does not depend on what was seen. tell: is told what goes on and about how long it
    will take. Raises UserError for settings that can't be."""
    check_launches(launches)
    if device == "auto":
        device = "cuda" if fingerprint().gpus else "cpu"
    wanted = list(product(compared[1:], batch, PARTS))
    pace = _Pace(len(wanted) * launches, tell)
    found = []
    for head, rows, metric in wanted:
        about = f"{head} against {compared[0]}, {metric}, batch {rows}"
        work = ModelWork(PARTS[metric], prompt, new, rows)
        question = Question(
            a=_arm(compared[0], device),
            b=_arm(head, device),
            limits=Limits(launches, minutes=24 * 60),
            clock="wall",
            threads=threads,
            work=work,
            quality_margin=None,
            trust_remote_code=trust_remote_code,
            out=run / FOLDER,
        )
        found.append(_ratio(compared[0], head, metric, rows, question, launches, partial(pace, about)))
    if found:
        (run / FOLDER).mkdir(exist_ok=True)
        write_whole(run / FILE, frame(found).to_csv(index=False))
    return found


def frame(found: Sequence[Ratio]) -> pd.DataFrame:
    """A row for each comparison: base, head, metric, batch, ratio (of times), low, high, launches, scatter, why_not,
    folder."""
    import pandas as pd

    rows = [
        {
            **{"base": str(one.base), "head": str(one.head), "metric": one.metric, "batch": one.batch},
            **(Interval(None, None, None, 0) if one.ratio is None else one.ratio)._asdict(),  # type: ignore[arg-type]
            **{"scatter": one.scatter, "why_not": one.why_not, "folder": one.folder},
        }
        for one in found
    ]
    columns = ["base", "head", "metric", "batch", *Interval._fields, "scatter", "why_not", "folder"]
    return pd.DataFrame(rows, columns=columns).rename(columns={"value": "ratio", "n": "launches"})


def _arm(variant: Variant, device: str) -> ArmChoice:
    entry = {key: value for key, value in variant.entry.items() if key != "matrix"}
    return ArmChoice(model=ModelChoice(entry=entry, precision=variant.precision, device=device))


def _ratio(
    base: Variant,
    head: Variant,
    metric: str,
    batch: int,
    question: Question,
    launches: int,
    going: Callable[[int], None],
) -> Ratio:
    begun: Begun | None = None
    try:
        begun = begin(question)
        for number in range(launches):
            going(number)
            begun.lockstep.go_on(1)
        outcome = begun.concluded().outcome
    except UserError as error:
        return Ratio(base, head, metric, batch, None, None, error.message, "" if begun is None else str(begun.folder))
    return Ratio(base, head, metric, batch, outcome.wall_ratio, outcome.scatter, "", str(begun.folder))


class _Pace:
    """Tells what is measured, and how long the rest takes by what came before."""

    def __init__(self, launches: int, tell: Callable[[str], None]) -> None:
        self._launches, self._tell = launches, tell
        self._began = time.monotonic()
        self._done = 0

    def __call__(self, about: str, launch: int) -> None:
        spent = time.monotonic() - self._began
        left = (self._launches - self._done) * spent / self._done if self._done else None
        rest = "" if left is None else f", about {duration(left)} left"
        self._tell(f"{about}: launch {launch + 1} ({self._done + 1} of {self._launches} in all{rest})")
        self._done += 1
