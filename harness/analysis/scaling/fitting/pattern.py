"""Whether a law has the wrong shape: runs that lie near one another are then missed in the same direction.

A misfit alone doesn't say: noise is not a wrong law. Around the right law the residuals of neighbors have nothing to
do with one another, around a wrong one they have the same sign over whole regions, however well its parameters are
determined. Runs that the bootstrap draws together (one training, one size) may share noise: they are no neighbors.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit
from harness.analysis.scaling.fitting.uncertainty import Unit, drawn_together

NEIGHBORS = 4
FEWEST_RUNS = 20
"""With fewer, chance alone gives such correlations."""
MOST_RUNS = 1500
"""So many are looked at, evenly over the rows."""
WRONG_SHAPE = 0.7
"""From this correlation on half of what the law leaves over (its square) is pattern. (Hoffmann et al.'s points: .57; a
break that the law doesn't have, in noise of a tenth of it: .95. Pure noise: 0, seldom beyond .5 for 20 runs.)"""


def pattern(fit: Fit, by: Unit | None = None) -> float:
    """Correlation of each run's rank among the residuals with the mean rank of its neighbors in the inputs' logs.

    -1 to 1, about 0 where nothing but noise is left; not a number for fewer than 20 runs or without neighbors.

    by: what the bootstrap draws, as in `bootstrap`. Moran's I with ranks (Moran 1950, Biometrika 37:17).
    """
    rows = np.unique(np.linspace(0, len(fit.runs) - 1, min(len(fit.runs), MOST_RUNS)).round().astype(int))
    if len(rows) < FEWEST_RUNS:
        return float("nan")
    logs = np.log(fit.runs.inputs(fit.law.inputs))[:, rows]
    spread = logs.std(axis=1, keepdims=True)
    away = logs / np.where(spread > 0, spread, 1.0)
    distance = ((away[:, :, None] - away[:, None, :]) ** 2).sum(axis=0)
    label = np.unique(drawn_together(fit.runs, by)[0], return_inverse=True)[1][rows]
    distance[label[:, None] == label] = np.inf
    near = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBORS]
    apart = np.isfinite(np.take_along_axis(distance, near, axis=1)).all()
    rank = np.argsort(np.argsort(fit.residuals[rows])) - (len(rows) - 1) / 2
    if not apart:
        return float("nan")
    return float(np.corrcoef(rank, rank[near].mean(axis=1))[0, 1])
