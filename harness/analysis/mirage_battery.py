"""The same answers under several metrics over a ladder of models: is a jump in one of them a jump in all?

Schaeffer et al. 2023 (arXiv:2304.15004): exact match is about the K-th power of the accuracy per token, so that smooth
progress looks like a jump, and few documents round small accuracies down to 0. So the question is put to every metric:

    flat start   how many of the smallest models are told from the smallest one by nothing (same documents, Bonferroni);
                 exact match stands still there if it has surely gained less than a line in log size would have
    progress     of all that a metric gains from the smallest to the largest model, the share that it has gained where
                 exact match still stands. A line in log size has some share there by geometry; a metric with at least
                 a quarter of that moves, one with less stands still as well
    break        line against hinge in log size, on the metric's own scale

A smooth metric jumps if its own start is flat (two models or more) and a hinge tells it better than a line (p < 0.05
over the number of smooth metrics).
It moves if its progress lies above that quarter with all of its interval. Else it does not decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

State = Literal["jumps", "moves", "does not decide", "does not rise", "rises at once"]
Verdict = Literal["the jump is there under every metric", "only under exact match", "no jump", "not decided"]

LEAST_SIZES = 4
QUARTER = 0.25
DRAWS = 4000
PASS_AT = (1, 10, 100, 1000)

SMOOTH = {
    "token_accuracy": ("share", 1, "logit"),
    "gold_loss": ("bits/byte", -1, "log"),
    "edit_similarity": ("share", 1, "logit"),
    "brier_score": ("squared probability", -1, "log"),
    "likelihood": ("probability", 1, "logit"),
}
"""Metrics that may move where exact match stands: unit, which way is better, the scale on which a line is smooth."""


@dataclass(frozen=True)
class Curve:
    """One metric over the sizes."""

    metric: str
    unit: str
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    interval: str
    flat: int
    """How many of the smallest models can't be told from the smallest."""
    state: State
    progress: float | None
    """Share of its whole gain that it has where exact match still stands; None where there is no such place."""
    progress_low: float | None
    progress_high: float | None
    break_p: float | None
    """Of the line (of exact match: the smooth curve) against the hinge; None where it can't be tested."""
    breakthroughness: float
    """Range over the root of the median squared step (Srivastava et al. 2022): says nothing of n."""


@dataclass(frozen=True)
class LengthTest:
    """Exact match as a power of token accuracy, at one size."""

    parameters: float
    token_accuracy: float
    """Measured: of all tokens of the right answers."""
    implied: float
    """What exact match implies."""
    low: float
    high: float
    predicted: float
    """Exact match if each token were right for itself with the measured accuracy."""
    observed: float
    misfit_p: float | None
    """Of log accuracy being linear in length."""


@dataclass(frozen=True)
class Resolution:
    """What n documents can see of one model."""

    parameters: float
    right: int
    n: int
    least: float
    """Accuracies up to this show no right answer with a chance of 5 % or more (the rule of three, exact)."""
    all_wrong: float | None
    """P(every answer is wrong) if each is drawn once at temperature 1: product of 1 - p; None without likelihoods."""
    mean_log_p: float | None
    """E[log p] of the right answer, in nats."""
    log_mean_p: float | None
    """log E[p]: the easiest documents' alone where it is far above E[log p]."""
    mean_log_p_error: float | None = None
    log_mean_p_error: float | None = None
    """Standard errors over documents (or clusters)."""
    pass_at: tuple[tuple[int, float], ...] = ()
    """k and the chance that one of k answers drawn at temperature 1 is right, by the likelihoods."""


@dataclass(frozen=True)
class Battery:
    """What the metrics say together."""

    verdict: Verdict
    why: str
    sizes: tuple[float, ...]
    curves: tuple[Curve, ...]
    """Exact match (or the accuracy that `right` is) first."""
    lengths: tuple[LengthTest, ...] = ()
    resolution: tuple[Resolution, ...] = ()
    documents: int = 0
    straight: float | None = None
    """Progress that a line in log size has where exact match still stands."""
    clusters: int = 0


def battery(frame: pd.DataFrame, chance: float = 0.0, name: str = "exact_match") -> Battery:
    """The battery of one task.

    frame: a row per model and document with `parameters`, `document` and `right` (0 or 1; a share where several answers
    were drawn), and what there is of `token_accuracy`, `edit_similarity`, `brier_score`, `likelihood`, `gold_log_prob`
    (nats) with `gold_bytes`, `tokens` with `hits` (of the right answer), `cluster`. Documents that not every model has
    are left out. chance: what guessing gets. name: of the metric that `right` is. Raises UserError without the columns,
    for two rows of one document and size, for numbers that are none, and for fewer than ten documents in common.
    """
    import numpy as np

    columns, sizes, clusters = _columns(frame)
    right = columns["right"]
    n = len(right)
    primary = _series("right", right, np.ones(n), clusters)
    smooth = []
    for metric in SMOOTH:
        if metric == "gold_loss" and "gold_log_prob" in columns:
            weights = columns["gold_bytes"][:, 0] if "gold_bytes" in columns else np.ones(n)
            smooth.append(_series(metric, -columns["gold_log_prob"] / math.log(2), weights, clusters))
        elif metric in columns:
            smooth.append(_series(metric, columns[metric], np.ones(n), clusters))
    x = np.log(np.array(sizes))
    flat = _flat(primary)
    rises = _told_better(primary, len(sizes) - 1, len(sizes) - 1)
    stands = rises and flat >= 2 and len(sizes) >= LEAST_SIZES
    straight = float((x[flat - 1] - x[0]) / (x[-1] - x[0])) if stands else None
    curves = [_primary_curve(primary, right, sizes, chance, flat, straight, rises, name)]
    alpha = 0.05 / max(len(smooth), 1)
    curves += [_smooth_curve(item, x, flat if stands else None, straight, alpha) for item in smooth]
    resolution = _resolution(columns, sizes, clusters)
    verdict, why = _verdict(curves, sizes, rises, flat, resolution)
    return Battery(
        verdict=verdict,
        why=why,
        sizes=tuple(map(float, sizes)),
        curves=tuple(curves),
        lengths=tuple(_lengths(columns, sizes)),
        resolution=tuple(resolution),
        documents=n,
        straight=straight,
        clusters=len(set(clusters)),
    )


def _columns(frame: pd.DataFrame) -> tuple[dict[str, Floats], list[float], list[str]]:
    """(documents, sizes) of every numeric column; the sizes; of each document its cluster."""
    import numpy as np

    place = "mirage"
    for name in ("parameters", "document", "right"):
        if name not in frame.columns:
            raise UserError(
                f"there is no column `{name}`; there are: {', '.join(map(str, frame.columns))}", place=place
            )
    twice = frame[frame.duplicated(["parameters", "document"])]
    if len(twice):
        row = twice.iloc[0]
        raise UserError(f"document {row['document']} comes twice at {row['parameters']} parameters", place=place)
    sizes = sorted(set(frame["parameters"].astype(float)))
    if not all(math.isfinite(size) and size > 0 for size in sizes):
        raise UserError("a model has a positive number of parameters", place=f"{place}: column parameters")
    numeric = [
        "right",
        "gold_log_prob",
        "gold_bytes",
        "tokens",
        "hits",
        *(name for name in SMOOTH if name != "gold_loss"),
    ]
    tables = {
        name: frame.pivot(index="document", columns="parameters", values=name)
        for name in numeric
        if name in frame.columns and frame[name].notna().any()
    }
    common = tables["right"].dropna().index
    for table in tables.values():
        common = common.intersection(table.dropna().index)
    if len(common) < 10:
        raise UserError(f"all models have {len(common)} documents in common: at least 10 are needed", place=place)
    columns = {name: table.loc[common, sizes].to_numpy(dtype=np.float64) for name, table in tables.items()}
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise UserError("a value is no finite number", place=f"{place}: column {name}")
    if "cluster" not in frame.columns:
        return columns, sizes, list(map(str, common))
    named = frame.dropna(subset=["cluster"]).drop_duplicates("document").set_index("document")["cluster"]
    return columns, sizes, [f"cluster {named[one]}" if one in named.index else str(one) for one in common]


@dataclass(frozen=True)
class _Series:
    """A metric's values with what the documents say of their errors."""

    metric: str
    values: Floats
    """(m,)"""
    rows: Floats
    """(clusters, m) influences over n: their sums' squares are variances."""
    raw: Floats
    """(documents, m)"""
    clusters: tuple[str, ...]

    @property
    def better(self) -> int:
        return SMOOTH[self.metric][1] if self.metric in SMOOTH else 1

    @property
    def covariance(self) -> Floats:
        units = len(self.rows)
        found: Floats = self.rows.T @ self.rows * units / (units - 1)
        return found


def _series(metric: str, raw: Floats, weights: Floats, clusters: Sequence[str]) -> _Series:
    import numpy as np

    values = raw.sum(axis=0) / weights.sum()
    influence = (raw - values * weights[:, None]) / weights.sum()
    places: dict[str, int] = {}
    index = [places.setdefault(cluster, len(places)) for cluster in clusters]
    rows = np.zeros((len(places), raw.shape[1]))
    np.add.at(rows, index, influence)
    return _Series(metric, values, rows, raw, tuple(clusters))


def _told_better(series: _Series, at: int, comparisons: int) -> bool:
    """Whether the model at a place is better than the smallest beyond chance, 5 % over so many comparisons."""
    import numpy as np
    from scipy.special import stdtrit

    if at == 0:
        return False
    confidence = 1 - 0.05 / max(comparisons, 1)
    if series.metric == "right" and np.isin(series.raw, (0.0, 1.0)).all():
        from harness.statistics.paired_proportions import clustered_difference

        low = clustered_difference(series.raw[:, 0], series.raw[:, at], series.clusters, confidence).low
        return low is not None and low > 0
    change = series.rows[:, at] - series.rows[:, 0]
    units = len(change)
    error = float(np.sqrt((change**2).sum() * units / (units - 1)))
    gain = series.better * float(series.values[at] - series.values[0])
    return gain > float(stdtrit(units - 1, 0.5 + confidence / 2)) * error and gain > 0


def _flat(series: _Series) -> int:
    """How many of the smallest models come before the first one that is told better than the smallest."""
    m = len(series.values)
    return next((at for at in range(1, m) if _told_better(series, at, m - 1)), m)


def _primary_curve(
    series: _Series,
    right: Floats,
    sizes: Sequence[float],
    chance: float,
    flat: int,
    straight: float | None,
    rises: bool,
    name: str,
) -> Curve:
    import numpy as np

    from harness.statistics.binomial_curve import positions
    from harness.statistics.breakthroughness import breakthroughness
    from harness.statistics.curve_test import break_test
    from harness.statistics.proportions import clustered_proportion

    m, binary = len(sizes), bool(np.isin(right, (0.0, 1.0)).all())
    break_p = None
    if binary and m >= LEAST_SIZES and rises:
        n = np.full(m, float(len(right)))
        break_p = float(break_test(positions(sizes), right.sum(axis=0)[None], n, chance, replicates=400).p_value[0])
    if binary:
        places: dict[str, int] = {}
        index = [places.setdefault(cluster, len(places)) for cluster in series.clusters]
        trials = np.bincount(index)
        ends = [clustered_proportion(np.bincount(index, weights=right[:, at]), trials) for at in range(m)]
        lows, highs = (tuple(float(getattr(end, side) or 0.0) for end in ends) for side in ("low", "high"))
        how = "Wilson over documents" if len(trials) == len(right) else "Wilson, effective n over clusters, t"
    else:
        lows, highs, how = _ends(series)
    progress = _progress(series, flat - 1) if straight is not None else None
    state: State = "does not rise" if not rises else "rises at once" if flat < 2 else "does not decide"
    if progress is not None and straight is not None and progress[2] < straight:
        state = "jumps"
    return Curve(
        metric=name,
        unit="share",
        values=tuple(map(float, series.values)),
        lows=lows,
        highs=highs,
        interval=how,
        flat=flat,
        state=state,
        progress=progress[0] if progress else None,
        progress_low=progress[1] if progress else None,
        progress_high=progress[2] if progress else None,
        break_p=break_p,
        breakthroughness=float(breakthroughness(series.values)),
    )


def _ends(series: _Series) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    import numpy as np
    from scipy.special import stdtrit

    half = float(stdtrit(len(series.rows) - 1, 0.975)) * np.sqrt(np.diag(series.covariance))
    units = "documents" if len(series.rows) == len(series.raw) else "clusters"
    low, high = series.values - half, series.values + half
    return tuple(map(float, low)), tuple(map(float, high)), f"t over {units}"


def _smooth_curve(series: _Series, x: Floats, stands: int | None, straight: float | None, alpha: float) -> Curve:
    """stands: how many models exact match stands still for; None where it doesn't, and nothing is to be decided."""
    import numpy as np

    from harness.statistics.breakthroughness import breakthroughness

    m = len(x)
    flat = _flat(series)
    rises = _told_better(series, m - 1, m - 1)
    break_p = _break_p(series, x) if rises and m >= LEAST_SIZES else None
    progress = _progress(series, stands - 1) if stands is not None and stands < m and rises else None
    state: State = "does not rise" if not rises else "rises at once" if flat < 2 else "does not decide"
    if progress is not None and straight is not None:
        if flat >= 2 and break_p is not None and break_p < alpha:
            state = "jumps"
        else:
            state = "moves" if progress[1] > QUARTER * straight else "does not decide"
    unit = SMOOTH[series.metric][0]
    lows, highs, how = _ends(series)
    return Curve(
        metric=series.metric,
        unit=unit,
        values=tuple(map(float, series.values)),
        lows=lows,
        highs=highs,
        interval=how,
        flat=flat,
        state=state,
        progress=progress[0] if progress else None,
        progress_low=progress[1] if progress else None,
        progress_high=progress[2] if progress else None,
        break_p=break_p,
        breakthroughness=float(breakthroughness(series.better * np.asarray(series.values))),
    )


def _progress(series: _Series, at: int) -> tuple[float, float, float]:
    """(value at `at` - first) / (last - first), with a percentile interval over draws of the documents' normal."""
    import numpy as np

    share = float((series.values[at] - series.values[0]) / (series.values[-1] - series.values[0]))
    noise = np.random.default_rng(0).standard_normal((DRAWS, len(series.rows))) @ series.rows
    drawn = series.values + noise
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (drawn[:, at] - drawn[:, 0]) / (drawn[:, -1] - drawn[:, 0])
    low, high = np.nanquantile(shares, [0.025, 0.975])
    return share, float(low), float(high)


def _break_p(series: _Series, x: Floats) -> float | None:
    """Line against hinge on the metric's own scale; None where a value has no place on it."""
    import numpy as np

    from harness.statistics.smooth_or_hinge import hinge_test

    values = series.values
    if SMOOTH[series.metric][2] == "logit":
        if np.any(values <= 0) or np.any(values >= 1):
            return None
        z, slope = np.log(values / (1 - values)), 1 / (values * (1 - values))
    else:
        if np.any(values <= 0):
            return None
        z, slope = -np.log(values), 1 / values
    return hinge_test(x, z, series.covariance * np.outer(slope, slope)).p_value


def _verdict(
    curves: Sequence[Curve], sizes: Sequence[float], rises: bool, flat: int, resolution: Sequence[Resolution]
) -> tuple[Verdict, str]:
    smooth, named = curves[1:], curves[0].metric.replace("_", " ")
    if len(sizes) < LEAST_SIZES:
        return "not decided", f"{len(sizes)} sizes show no shape: at least {LEAST_SIZES} are needed"
    if not rises:
        why = f"{named} is not told better at the largest size than at the smallest"
        if resolution[-1].right == 0:
            why += f" (none right of {resolution[-1].n}, which shows nothing up to {resolution[-1].least:.1%})"
        better = " and ".join(c.metric for c in smooth if c.state != "does not rise").replace("_", " ")
        return "no jump", why + (f", though {better} improve" if better else "")
    if flat < 2:
        return "no jump", f"{named} is better from the second size on"
    if curves[0].state != "jumps":
        return (
            "not decided",
            f"{named} rises, but that it stands still before can't be told: more documents are needed",
        )
    stood = f"{named} stands still up to {sizes[flat - 1]:.3g} parameters"
    if not smooth:
        return "not decided", f"{stood}, and there is no smooth metric: ask with `likelihood: true`"
    by_state = {state: [c.metric for c in smooth if c.state == state] for state in ("jumps", "moves")}
    jumping, moving = (" and ".join(by_state[state]).replace("_", " ") for state in ("jumps", "moves"))
    if jumping and moving:
        return "not decided", f"{stood}; {jumping} jump, and {moving} move before"
    if jumping and len(by_state["jumps"]) == len(smooth):
        return "the jump is there under every metric", f"{stood}; so do {jumping}, which break as well"
    if jumping:
        rest = " and ".join(c.metric for c in smooth if c.state != "jumps").replace("_", " ")
        return "not decided", f"{stood}; {jumping} jump, and {rest} can't be told"
    if moving:
        return "only under exact match", f"{stood}, while {moving} improve"
    return "not decided", f"{stood}, and no smooth metric is told to move or to break there: more documents are needed"


def _lengths(columns: dict[str, Floats], sizes: Sequence[float]) -> list[LengthTest]:
    import numpy as np

    from harness.statistics.answer_length import all_right, implied_token_accuracy

    if not {"tokens", "hits"} <= columns.keys() or not np.isin(columns["right"], (0.0, 1.0)).all():
        return []
    found = []
    for at, size in enumerate(sizes):
        tokens, hits, right = (columns[name][:, at] for name in ("tokens", "hits", "right"))
        accuracy = float(hits.sum() / tokens.sum())
        implied = implied_token_accuracy(right, tokens)
        found.append(
            LengthTest(
                parameters=float(size),
                token_accuracy=accuracy,
                implied=implied.q,
                low=implied.low,
                high=implied.high,
                predicted=all_right(accuracy, tokens),
                observed=float(right.mean()),
                misfit_p=implied.misfit_p,
            )
        )
    return found


def _resolution(columns: dict[str, Floats], sizes: Sequence[float], clusters: Sequence[str]) -> list[Resolution]:
    import numpy as np

    found = []
    for at, size in enumerate(sizes):
        right = columns["right"][:, at]
        n = len(right)
        least = 1 - 0.05 ** (1 / n)
        bare = Resolution(float(size), int((right > 0).sum()), n, least, None, None, None)
        if "gold_log_prob" not in columns:
            found.append(bare)
            continue
        logs = np.minimum(columns["gold_log_prob"][:, at], 0.0)
        p = np.exp(logs)
        with np.errstate(divide="ignore"):
            none = np.log1p(-p)
        of_logs, of_p = (_series("p", each[:, None], np.ones(n), clusters) for each in (logs, p))
        mean_p = float(p.mean())
        found.append(
            Resolution(
                parameters=float(size),
                right=bare.right,
                n=n,
                least=least,
                all_wrong=float(np.exp(none.sum())),
                mean_log_p=float(logs.mean()),
                log_mean_p=math.log(mean_p) if mean_p > 0 else -math.inf,
                mean_log_p_error=float(np.sqrt(of_logs.covariance[0, 0])),
                log_mean_p_error=float(np.sqrt(of_p.covariance[0, 0])) / mean_p if mean_p > 0 else None,
                pass_at=tuple((k, float((1 - np.exp(k * none)).mean())) for k in PASS_AT),
            )
        )
    return found
