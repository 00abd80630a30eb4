"""How often `emergence` is wrong: false alarms on curves that are flat or smooth, breaks that are found.

Curves of counts are drawn from shapes that are known, each kind many times, and the verdicts are counted. Two kinds are
there to see where the guarantee ends: smooth curves whose models scatter by more than their items (training seeds), and
powers of a logistic curve, which exact match of several tokens is.

    python benchmarks/emergence_calibration.py [--curves 400] [--replicates 199]

Prints the table and writes results/emergence_calibration.md. About 7 minutes on one core that is free.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from harness.analysis.emergence.counts import unadjusted
from harness.analysis.emergence.verdict import Verdict, decide

ALPHA = 0.05
OUT = Path(__file__).resolve().parent.parent / "results" / "emergence_calibration.md"


def smooth(scales: int, chance: float, slope: float) -> np.ndarray:
    """Logit-linear above chance; half-way at two thirds of the scales, slope per decade of scale."""
    steps = np.linspace(0, 3, scales)
    return chance + (1 - chance) * expit(slope * (steps - 2))


def hinge(scales: int, flat: int, chance: float, slope: float, jump: float = 0.0) -> np.ndarray:
    """At chance for `flat` scales; then the logit starts `jump` above chance's and rises by `slope` per scale."""
    beyond = np.arange(scales) - flat + 1
    return np.where(beyond > 0, expit(logit(max(chance, 1e-9)) + jump + slope * beyond), chance)


def jumps(scales: int, flat: int, chance: float, first: float, slope: float) -> np.ndarray:
    """At chance for `flat` scales, then from the share `first` on the logit rises by `slope` per scale."""
    beyond = np.arange(scales) - flat
    return np.where(beyond >= 0, expit(logit(first) + slope * beyond), chance)


def verdicts(p: np.ndarray, n: int, chance: float, curves: int, replicates: int, scatter: float, seed: int) -> dict:
    """Shares of each verdict, each curve judged by itself; and how often the two other criteria speak."""
    generator = np.random.default_rng([seed, n, len(p)])
    logits = logit(np.clip(p, 1e-12, 1 - 1e-12)) + scatter * generator.standard_normal((curves, len(p)))
    frame = pd.DataFrame(
        {
            "task": np.repeat(np.arange(curves), len(p)),
            "scale": np.tile(np.geomspace(1e6, 1e9, len(p)), curves),
            "correct": generator.binomial(n, expit(logits)).ravel(),
            "n": n,
            "chance": chance,
        }
    )
    found = unadjusted(frame, smaller_is_stronger=False, alpha=ALPHA, replicates=replicates, seed=seed)
    tally = Counter(decide(item, ALPHA, 0.2)[0] for item in found)
    large_b = sum(i.breakthroughness.breakthroughness > i.breakthroughness.null_breakthroughness for i in found)
    exceeds = sum(i.forward is not None and i.forward.exceeds for i in found)
    return {
        "emergent": tally[Verdict.EMERGENT] / curves,
        "with a break": tally[Verdict.BREAKS] / curves,
        "smooth": tally[Verdict.SMOOTH] / curves,
        "flat": (tally[Verdict.FLAT_AT_CHANCE] + tally[Verdict.FLAT_ABOVE_CHANCE]) / curves,
        "not decided": tally[Verdict.NOT_DECIDED] / curves,
        "B above its null": large_b / curves,
        "exceeds prediction": exceeds / curves,
    }


def cases() -> list[tuple[str, str, np.ndarray, int, float, float]]:
    """kind, what, shares, n, chance, scatter"""
    found = []
    for m in (5, 6, 9):
        for n in (50, 500):
            for chance in (0.02, 0.25, 0.5):
                found.append(("noise", f"{m} scales, n {n}, chance {chance}", np.full(m, chance), n, chance, 0.0))
    for m in (5, 6, 9):
        for n in (100, 500):
            for chance in (0.0, 0.02, 0.25, 0.5):
                for slope in (1.5, 4.0)[: 1 if n == 100 else 2]:
                    what = f"{m} scales, n {n}, chance {chance}, slope {slope} a decade"
                    found.append(("smooth", what, smooth(m, chance, slope), n, chance, 0.0))
    for chance in (0.0, 0.25):
        for top in (0.5, 0.7, 0.85):
            for middle in (1.4, 2.0, 2.4):
                p = chance + (top - chance) * expit(3 * (np.linspace(0, 3, 6) - middle))
                what = f"6 scales, n 500, chance {chance}, slope 3 a decade, ceiling {top}, half-way at {middle}"
                found.append(("smooth, ceiling", what, p, 500, chance, 0.0))
    for chance in (0.25, 0.5):
        for flat in (2, 3, 4):
            for slope in (0.7, 1.0, 1.3, 1.6):
                what = f"6 scales, n 500, chance {chance}, {flat} flat, logit +{slope} a scale"
                found.append(("hinge", what, hinge(6, flat, chance, slope), 500, chance, 0.0))
    for chance in (0.0, 0.02, 0.25):
        for flat in (2, 3, 4):
            what = f"6 scales, n 500, chance {chance}, {flat} flat, then 0.45 and logit +0.6 a scale"
            found.append(("jump", what, jumps(6, flat, chance, 0.45, 0.6), 500, chance, 0.0))
    for chance, floor in ((0.0, 0.03), (0.25, 0.15), (0.25, 0.24)):
        for slope in (3.0, 6.0):
            p = floor + (1 - floor) * expit(slope * (np.linspace(0, 3, 6) - 2))
            what = f"6 scales, n 500, chance {chance}, floor {floor}, slope {slope} a decade"
            found.append(("smooth, floor", what, p, 500, chance, 0.0))
    for tokens, slope in ((3, 5.0), (5, 3.0), (10, 3.0), (30, 3.0)):
        right = expit(slope * (np.linspace(0, 3, 6) - 1.4) + np.log(tokens)) ** tokens
        what = f"6 scales, n 500, chance 0.0, all of {tokens} tokens right, slope {slope} a decade"
        found.append(("beyond: powers", what, right, 500, 0.0, 0.0))
    for scatter in (0.1, 0.2, 0.4):
        what = f"6 scales, n 500, chance 0.25, slope 2 a decade, logits scatter by {scatter}"
        found.append(("beyond: seeds", what, smooth(6, 0.25, 2.0), 500, 0.25, scatter))
    return found


def _markdown(table: pd.DataFrame) -> list[str]:
    """A table's lines, numbers to three decimals."""
    cells = [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row] for row in table.itertuples(index=False)]
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns), *cells]
    return ["| " + " | ".join(line) + " |" for line in lines]


def main() -> None:
    """Run all cases, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=199)
    asked = parser.parse_args()
    began, rows = time.monotonic(), []
    for number, (kind, what, p, n, chance, scatter) in enumerate(cases()):
        shares = verdicts(p, n, chance, asked.curves, asked.replicates, scatter, number)
        rows.append({"kind": kind, "curves": what, **shares})
        print(f"{kind:16} {what:60} " + "  ".join(f"{k} {v:.3f}" for k, v in shares.items()), flush=True)
    table = pd.DataFrame(rows)
    worst = table.groupby("kind", sort=False)["emergent"].agg(["min", "mean", "max", "size"])
    lines = [
        "# How often `emergence` is wrong",
        "",
        f"{asked.curves} curves a row, {asked.replicates} bootstrap replicates, alpha 0.05, each curve judged",
        f"by itself (over many tasks fewer, by Benjamini-Hochberg). {time.monotonic() - began:.0f} s on one core.",
        "Made by `python benchmarks/emergence_calibration.py`.",
        "",
        *_markdown(worst.reset_index()),
        "",
        *_markdown(table),
        "",
    ]
    OUT.write_text("\n".join(lines))
    print(worst)


if __name__ == "__main__":
    main()
