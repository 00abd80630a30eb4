"""The law of Gao et al. of one curve of one training, and what of it does not hold."""

from __future__ import annotations

import numpy as np

from harness.analysis.alignment.reward_curve import Curve
from harness.analysis.alignment.reward_laws import BestOfNReward, LearnedReward, distances, peak_at
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import SQUARES
from harness.results.finding import Finding

NEAREST = 0.2
"""Distances below it are left out of the law of reinforcement learning, whose slope at 0 is infinite."""
POINTS = 4
"""Fewer fix two parameters without a test of them."""
MISSES = 2.0
"""Root mean square of misses over standard errors, from which a law is said not to hold."""


def law_of(curve: Curve) -> Finding:
    """One fit: beta is its value, and no interval: trainings are the unit, and this is one."""
    law = LearnedReward() if curve.learned else BestOfNReward()
    d = np.sqrt(curve.kl)
    used = (d >= NEAREST) if curve.learned else (d > 0)
    gained = curve.gold - curve.gold[:, :1]
    subject = curve.subject | {"law": law.formula}
    if used.sum() < POINTS or len(np.unique(np.round(d[used], 6))) < POINTS:
        beyond = f" at least {NEAREST:g} from the start" if curve.learned else ""
        note = f"{int(used.sum())} policies{beyond} can't test a law of two parameters: {POINTS} can"
        return Finding(analysis="over_optimization", name="law", subject=subject, note=note)
    gain = gained[:, used].mean(axis=0)
    fitted = fit(law, distances(d[used], gain), SQUARES)
    alpha, beta = fitted.named["alpha"], fitted.named["beta"]
    degrees = int(used.sum()) - 2
    rms = float(np.sqrt((fitted.residuals**2).sum() / degrees))
    errors = (
        gained[:, used].std(axis=0, ddof=1) / np.sqrt(len(gained)) if len(gained) > 1 else np.full(len(gain), np.nan)
    )
    scaled = np.divide(fitted.residuals, errors, out=np.full(len(gain), np.nan), where=errors > 0)
    misses = float(np.sqrt(np.nansum(scaled**2) / degrees)) if np.isfinite(scaled).any() else 0.0
    top = peak_at(law, alpha, beta)
    wrong = []
    if top is None:
        wrong.append("beta is not above 0, so the law has no peak" if beta <= 0 else "the law has no peak")
    elif not d[used].min() <= top <= d.max():
        wrong.append(f"its peak at {top**2:.3g} nats lies outside of what was fitted")
    if misses > MISSES:
        wrong.append(f"it misses its points by {misses:.1f} standard errors (root mean square): the form does not hold")
    told = f"alpha {alpha:.4g}, beta {beta:.4g}, {int(used.sum())} policies, off by {rms:.2g} (root mean square)"
    told += f"; peak at {top**2:.3g} nats" if top is not None and not wrong else ""
    line = np.linspace(float(d[used].min()), float(d[used].max()), 40)
    values = law.predict(np.array([alpha, beta]), line) + float(curve.gold[:, 0].mean())
    return Finding(
        analysis="over_optimization",
        name="law",
        value=beta,
        unit="score per sqrt(nat)" if curve.learned else "score per nat",
        interval="none: one training is one fit",
        n=int(used.sum()),
        subject=subject,
        note="; ".join([told, *wrong]),
        data={
            "alpha": alpha, "beta": beta, "rms": rms, "misses": misses, "peak_kl": None if top is None else top**2,
            "line": {"d": line.tolist(), "gold": np.asarray(values).ravel().tolist()},
        },
    )  # fmt: skip
