"""Trained models as points of a scaling law: sizes, tokens, compute and losses, checked before anything is fitted.

What makes published laws disagree is mostly in here: which parameters N counts (Kaplan et al.'s and Hoffmann et al.'s
exponents differ by that alone), whether C is 6ND or what the hardware did, and units. So each is said, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.analysis.scaling.laws.law import Floats
from harness.errors import UserError, shown
from harness.spelling import nearest

if TYPE_CHECKING:
    import pandas as pd

ParameterCount = Literal["all", "non_embedding", "unstated"]
ComputeCount = Literal["6ND", "given"]

FLOPS_PER_TOKEN = 6.0
"""Training FLOPs per parameter and token: 2 for the forward pass, 4 for the backward (Kaplan et al. 2020, 2.1)."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "parameters": ("parameters", "N", "params", "Model Size", "model_size", "n_params", "num_params"),
    "tokens": ("tokens", "D", "training_tokens", "trained_tokens", "n_tokens", "num_tokens"),
    "compute": ("compute", "C", "flops", "FLOPs", "Training FLOP", "training_flops", "six_nd_flops"),
    "loss": ("loss", "L", "validation_loss", "val_loss", "test_loss"),
    "unique_tokens": ("unique_tokens", "U"),
    "error": (),  # to be named: a column of that name is as often a standard error
    "group": ("group", "run", "cluster", "model"),
}
"""Column -> names under which it is found without being told."""


@dataclass(frozen=True)
class Runs:
    """One entry per trained model (or per checkpoint of one)."""

    parameters: Floats
    """(n,) N."""
    tokens: Floats
    """(n,) D, repeated ones as often as they were read."""
    loss: Floats
    """(n,) nats per token, or whatever the fitted number is."""
    compute: Floats
    """(n,) training FLOPs C."""
    unique_tokens: Floats | None = None
    """(n,) tokens of the text, each once; None where no token was read twice."""
    error: Floats | None = None
    """(n,) error of a downstream task, 1 - accuracy; None where none was measured."""
    groups: tuple[str, ...] | None = None
    """(n,) what belongs together when runs are drawn again: checkpoints of one training, runs of one size."""
    counted: ParameterCount = "unstated"
    """Which parameters N counts."""
    converted: str = ""
    """By which relation N was made of the data's N; empty where it is the data's own."""
    compute_is: ComputeCount = "6ND"
    """Whether C was computed as 6ND or came with the data."""
    flags: tuple[str, ...] = ()
    """What is odd about the data but no reason to refuse it."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Which column of the data became which."""

    def __len__(self) -> int:
        return len(self.loss)

    def column(self, name: str) -> Floats:
        """A column by the name that laws use for it. Raises UserError where the runs have no errors."""
        if name == "unique_tokens" and self.unique_tokens is None:
            return self.tokens
        if name == "error" and self.error is None:
            raise UserError("the runs have no error of a task: name its column (--columns error=COLUMN)")
        values = getattr(self, name)
        assert isinstance(values, np.ndarray)
        return values

    def inputs(self, names: tuple[str, ...]) -> Floats:
        """Several columns: (names, n)."""
        return np.stack([self.column(name) for name in names])

    def only(self, chosen: np.ndarray) -> Runs:
        """The runs that a mask or a list of rows selects."""
        rows = np.arange(len(self))[chosen]
        return replace(
            self,
            parameters=self.parameters[rows],
            tokens=self.tokens[rows],
            loss=self.loss[rows],
            compute=self.compute[rows],
            unique_tokens=None if self.unique_tokens is None else self.unique_tokens[rows],
            error=None if self.error is None else self.error[rows],
            groups=None if self.groups is None else tuple(self.groups[row] for row in rows),
        )


IN_MEMORY = "the data"
"""The place of a table that came from no file."""
NAMED_AS_OPTIONS = "--columns loss=COLUMN,parameters=COLUMN,tokens=COLUMN"
NAMED_IN_PYTHON = "columns={'loss': COLUMN, 'parameters': COLUMN, 'tokens': COLUMN}"


def six_nd(parameters: Floats, tokens: Floats) -> Floats:
    """C = 6ND, with the N that was given."""
    return FLOPS_PER_TOKEN * parameters * tokens


def parameter_count(word: str | None) -> ParameterCount:
    """What a user says of N. Raises UserError for another word."""
    match word:
        case None | "unstated":
            return "unstated"
        case "all":
            return "all"
        case "non_embedding" | "non-embedding":
            return "non_embedding"
    raise UserError(f"'{word}' is neither all nor non_embedding", place="--counted")


def runs_from_frame(
    frame: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, float] | None = None,
    counted: ParameterCount = "unstated",
    place: str = IN_MEMORY,
) -> Runs:
    """Runs of a table with a column each for parameters, tokens (or compute) and loss.

    columns: role -> column where the names are others than `SYNONYMS`. units: role -> factor, such as
    {"parameters": 1e6} for a column in millions. Two of parameters, tokens and compute give the third by C = 6ND.
    Raises UserError with the row (counted from 1, the header not) or the column of what can't be right.
    """
    found = _columns(list(map(str, frame.columns)), columns or {}, place)
    factors = dict(units or {})
    for role in factors:
        if role not in SYNONYMS:
            raise UserError(f"units for '{role}'{nearest(role, SYNONYMS)}: no such column", place=place)
    values = {
        role: _numbers(frame, name, place) * factors.get(role, 1.0) for role, name in found.items() if role != "group"
    }
    _finite(values, found, place)
    given = [role for role in ("parameters", "tokens", "compute") if role in values]
    if len(given) < 2 or "loss" not in values:
        have = ", ".join(f"{name} ({role})" for role, name in found.items()) or "nothing of it"
        raise UserError(
            "a scaling law needs the loss and two of parameters, tokens and compute; found: "
            f"{have}. Name the columns ({NAMED_IN_PYTHON if place == IN_MEMORY else NAMED_AS_OPTIONS}); there are: "
            + (", ".join(map(str, frame.columns)) or "none"),
            place=place,
        )
    compute_is: ComputeCount = "given" if "compute" in values else "6ND"
    if "compute" not in values:
        values["compute"] = six_nd(values["parameters"], values["tokens"])
    elif "tokens" not in values:
        values["tokens"], compute_is = values["compute"] / FLOPS_PER_TOKEN / values["parameters"], "6ND"
    elif "parameters" not in values:
        values["parameters"], compute_is = values["compute"] / FLOPS_PER_TOKEN / values["tokens"], "6ND"
    _units(values, found, factors, place)
    if "group" in found and len(missing := np.flatnonzero(frame[found["group"]].isna())):
        raise UserError(
            f"column '{found['group']}' (group) is missing; what belongs together can't be drawn together",
            place=f"{place}: row {missing[0] + 1}",
        )
    runs = Runs(
        parameters=values["parameters"],
        tokens=values["tokens"],
        loss=values["loss"],
        compute=values["compute"],
        unique_tokens=values.get("unique_tokens"),
        error=values.get("error"),
        groups=tuple(map(str, frame[found["group"]])) if "group" in found else None,
        counted=counted,
        compute_is=compute_is,
        columns=found,
    )
    return replace(runs, flags=_flags(runs))


def _columns(there: list[str], named: Mapping[str, str], place: str) -> dict[str, str]:
    for role, name in named.items():
        if role not in SYNONYMS:
            raise UserError(
                f"no column is for '{role}'{nearest(role, SYNONYMS)}; there are {', '.join(SYNONYMS)}", place=place
            )
        if name not in there:
            raise UserError(f"no column '{name}'{nearest(name, there)}; there are: {', '.join(there)}", place=place)
    found = dict(named)
    for role, names in SYNONYMS.items():
        matches = [name for name in names if name in there and name not in named.values()]
        if role in found or not matches:
            continue
        if len(matches) > 1 and role != "group":
            raise UserError(
                f"columns '{matches[0]}' and '{matches[1]}' could both be the {role}: say which (--columns "
                f"{role}={matches[0]})",
                place=place,
            )
        found[role] = matches[0]
    for role, name in found.items():
        others = [other for other in found if found[other] == name and other != role]
        if others:
            raise UserError(f"column '{name}' can't be both {role} and {others[0]}", place=place)
    return found


def _numbers(frame: pd.DataFrame, name: str, place: str) -> Floats:
    import pandas as pd

    column = frame[name]
    if getattr(column, "ndim", 1) != 1:
        raise UserError(f"two columns are called '{name}'; keep one", place=place)
    if column.dtype.kind in "bcmM" or isinstance(column.dtype, pd.PeriodDtype):  # pandas would make numbers of them
        raise UserError(f"column '{name}' has no numbers but {column.dtype} values", place=place)
    if column.dtype == object:
        column = column.map(lambda value: str(value) if isinstance(value, bool | int) else value)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(np.isnan(values) & column.notna().to_numpy())
    if len(wrong):
        raise UserError(
            f"column '{name}' has no number but {shown(repr(column.iloc[wrong[0]]))}",
            place=f"{place}: row {wrong[0] + 1}",
        )
    return values


def _finite(values: Mapping[str, Floats], found: Mapping[str, str], place: str) -> None:
    if any(len(array) == 0 for array in values.values()):
        raise UserError("it has no rows", place=place)
    for role, array in values.items():
        low = array < 0 if role == "error" else array < 1 / LARGEST  # a task may be solved without an error
        bad = np.flatnonzero(~np.isfinite(array) | low | (array > LARGEST))
        if len(bad):
            what = "is missing" if np.isnan(array[bad[0]]) else f"is {array[bad[0]]:g}"
            more = f" (and {len(bad) - 1} more rows)" if len(bad) > 1 else ""
            raise UserError(
                f"column '{found[role]}' ({role}) {what}{more}; a scaling law needs finite numbers above 0 (up to "
                f"{LARGEST:g}): remove or fix the rows",
                place=f"{place}: row {bad[0] + 1}",
            )


LARGEST = 1e30
"""Beyond it, and below its inverse, products are no numbers any more."""
SMALLEST_PARAMETERS, SMALLEST_TOKENS = 1e3, 1e4
"""No language model is smaller, and none learns of less; a column in millions or billions is meant."""


def _units(values: Mapping[str, Floats], found: Mapping[str, str], factors: Mapping[str, float], place: str) -> None:
    """Refuse columns in millions or billions, and compute that isn't in FLOPs."""
    for role, least in (("parameters", SMALLEST_PARAMETERS), ("tokens", SMALLEST_TOKENS)):
        smallest = float(values[role].min())
        if role in found and smallest < least:
            raise UserError(
                f"column '{found[role]}' ({role}) is {smallest:g} at least: it seems to be in millions or billions; "
                f"say so with --units {role}=1e6 (or 1e9)",
                place=place,
            )
    if "error" in found and (largest := float(values["error"].max())) > 1:
        raise UserError(
            f"column '{found['error']}' (error) is {largest:g} at most, and an error is 1 - accuracy; of percents say "
            "--units error=0.01",
            place=place,
        )
    if all(role in found for role in ("parameters", "tokens", "compute")):
        ratio = values["compute"] / six_nd(values["parameters"], values["tokens"])
        middle = float(np.median(ratio))
        if not 0.1 < middle < 10:
            raise UserError(
                f"column '{found['compute']}' (compute) is {middle:.3g} times 6ND: one of the three columns is in "
                "another unit (petaflop/s-days are 8.64e19 FLOPs); say so with --units ROLE=FACTOR",
                place=place,
            )


def _flags(runs: Runs) -> tuple[str, ...]:
    flags = []
    points = np.stack([runs.parameters, runs.tokens, runs.column("unique_tokens"), runs.loss], axis=1)
    twice = len(runs) - len(np.unique(points, axis=0))
    if twice:
        flags.append(
            f"{twice} rows stand twice, with all numbers equal: they count twice, and intervals by drawing runs are "
            "too narrow; remove them unless they are runs of their own"
        )
    if runs.counted == "unstated":
        flags.append("whether N counts embeddings is not said; sizes below a billion parameters depend on it")
    if len(runs) > 1:
        ratio = runs.compute / six_nd(runs.parameters, runs.tokens)
        if runs.compute_is == "given" and (np.abs(np.log(ratio)) > math.log(1.5)).any():
            flags.append(
                f"the given C is {ratio.min():.2f} to {ratio.max():.2f} times 6ND: what is fitted over C is not what "
                "is fitted over N and D"
            )
    if runs.unique_tokens is not None and (runs.tokens > runs.unique_tokens * 1.0001).any():
        flags.append(f"tokens are repeated up to {(runs.tokens / runs.unique_tokens).max():.1f} times")
    return tuple(flags)
