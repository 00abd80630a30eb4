"""A training's policies in the order of their divergence, with gold and proxy of each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import UserError
from harness.results.record import CellResult, Scalar
from harness.results.run import Run
from harness.statistics.best_of_n import best_of_n, divergence_bound

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
ALIKE = ("prompts", "count", "judge", "proxy", "reference", "max_new")
"""Settings in which the cells of an analysis may not differ: they are read prompt by prompt."""
BEST_OF = "best of n"


@dataclass(frozen=True)
class Curve:
    """Its first policy is the reference, its last the farthest one."""

    name: str
    seed: Scalar | None
    models: tuple[str, ...]
    kl: Floats
    """(policies,) nats per response; of the best of n the upper bound."""
    gold: Floats
    """(prompts, policies) mean over the responses to each."""
    proxy: Floats | None
    accuracy: tuple[float | None, ...]
    """Of the proxy on the samples of each policy."""
    learned: bool = True
    """Whether its policies were trained; else they choose the best of n."""

    @property
    def subject(self) -> dict[str, Scalar]:
        """What findings are about."""
        return subject_of(self.name, self.seed)


def subject_of(curve: str, seed: Scalar | None) -> dict[str, Scalar]:
    """What findings of a curve are about."""
    found: dict[str, Scalar] = {"curve": curve}
    return found if seed is None else found | {"seed": seed}


def readable(cells: Sequence[CellResult]) -> str | None:
    """Why these cells can't stand in one analysis; None where they can."""
    for name in ALIKE:
        values = list(dict.fromkeys(str(cell.settings.get(name)) for cell in cells))
        if len(values) > 1:
            return f"cells differ in `{name}` ({' and '.join(values[:2])}): choose one by `where`"
    for name in sorted({name for cell in cells for name in cell.axes} - {"seed", "model"}):
        values = list(dict.fromkeys(str(cell.axes.get(name)) for cell in cells))
        if len(values) > 1 and name not in ("samples", "measure"):
            return f"cells differ in `{name}` ({' and '.join(values[:2])}): choose one by `where`"
    return None


def policy_curve(run: Run, cells: Sequence[CellResult], name: str, models: Sequence[str], seed: Scalar | None) -> Curve:
    """The policies of a training, with the reference as their start. Raises UserError where too few are there."""
    start = _of(cells, str(cells[0].settings["reference"]))
    there = [(one, cell) for one in dict.fromkeys(models) if (cell := _of(cells, one)) is not None]
    if start is None:
        raise UserError(f"the reference has no cell of `responses`: measure {cells[0].settings['reference']}, too")
    there = [(one, cell) for one, cell in there if cell.model != start.model]
    if not there:
        raise UserError(f"none of its models was measured: {', '.join(models)}")
    order = sorted(_once(there), key=lambda pair: _number(pair[1], "response_kl") or 0.0)
    chosen = [(start.model, start), *order]
    tables = [_by_prompt(run, cell) for _, cell in chosen]
    gold, proxy = (_joined([table[column] for table in tables]) for column in ("score", "proxy"))
    whole = np.isfinite(gold).all(1)
    has_proxy = bool(np.isfinite(proxy).all(1).any())
    if has_proxy:
        whole &= np.isfinite(proxy).all(1)
    if not whole.any():
        raise UserError("no prompt has a score of every model")
    return Curve(
        name,
        seed,
        tuple(one for one, _ in chosen),
        np.array([0.0, *(max(_number(cell, "response_kl") or 0.0, 0.0) for _, cell in order)]),
        gold[whole],
        proxy[whole] if has_proxy else None,
        tuple(_number(cell, "proxy_accuracy") for _, cell in chosen),
    )


def best_of_curve(run: Run, cells: Sequence[CellResult], ns: Sequence[int], seed: Scalar | None) -> Curve | None:
    """The best of n by the proxy, from the samples of the reference; None where it has too few of them."""
    start = _of(cells, str(cells[0].settings["reference"]))
    if start is None or not start.settings.get("proxy"):
        return None
    samples = run.samples_of(start)
    gold, proxy = (
        samples.pivot(index="prompt", columns="sample", values=name).to_numpy(dtype=float)
        for name in ("score", "proxy")
    )
    whole = np.isfinite(gold).all(1) & np.isfinite(proxy).all(1)
    gold, proxy = gold[whole], proxy[whole]
    possible = [1, *sorted({n for n in ns if 1 < n <= gold.shape[1]})]
    if len(possible) < 2 or not len(gold):
        return None
    by = [
        np.array([[best_of_n(own, score, n) for n in possible] for own, score in zip(proxy, scores, strict=True)])
        for scores in (gold, proxy)
    ]
    kl = np.array([divergence_bound(n) for n in possible])
    names = (start.model, *(f"best of {n}" for n in possible[1:]))
    return Curve(BEST_OF, seed, names, kl, by[0], by[1], (None,) * len(names), learned=False)


def _of(cells: Sequence[CellResult], model: str) -> CellResult | None:
    """The cell of a model; of several the one with the most samples."""
    own = [cell for cell in cells if cell.model == model]
    return max(own, key=lambda cell: int(str(cell.settings["samples"])), default=None)


def _once(there: Sequence[tuple[str, CellResult]]) -> list[tuple[str, CellResult]]:
    """Checkpoints of several moments that came at once are one policy: the same divergence to the last digit."""
    found: dict[float | None, tuple[str, CellResult]] = {}
    for model, cell in there:
        found.setdefault(_number(cell, "response_kl"), (model, cell))
    return list(found.values())


def _number(cell: CellResult, metric: str) -> float | None:
    return next((one.value for one in cell.records if one.metric == metric and one.part is None), None)


def _by_prompt(run: Run, cell: CellResult) -> pd.DataFrame:
    """Means over the responses to each prompt; what can't be scored is left out."""
    samples = run.samples_of(cell)
    found = samples[["prompt"]].copy()
    for name in ("score", "proxy"):
        found[name] = samples[name].astype(float) if name in samples else np.nan
    return found.groupby("prompt").mean()


def _joined(columns: Sequence[pd.Series[float]]) -> Floats:
    import pandas as pd

    return np.asarray(pd.concat(list(columns), axis=1).to_numpy(dtype=float))
