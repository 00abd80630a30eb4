"""How often 95 % intervals of a scaling law hold the truth: realised coverage on simulated runs.

    python benchmarks/scaling_coverage.py [--data-sets 200] [--replicates 300] [--out results/scaling_coverage.md]

Each data set is sizes at 9 budgets around the optimum of a known law of Hoffmann et al. The noise is made as bad as on
published points, where drawing residuals is about half as wide as drawing runs: Student's t with 2 degrees of freedom,
eight times as large at the ends of the sizes as in the middle, and an effect per size that all runs of it share. Every
method makes an interval of each quantity; the table tells how many held the truth, and the median width over that of
drawing runs. The law is fitted by Huber's loss (threshold 1e-3), as published.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.analysis.scaling.allocation import loss_at_optimum, optimum
from harness.analysis.scaling.fitting.fit import Fit, fit
from harness.analysis.scaling.fitting.narrow_intervals import residual_bootstrap, wald
from harness.analysis.scaling.fitting.uncertainty import Draws, Method, bootstrap, interval
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import Runs, six_nd

LAW = Chinchilla()
TRUTH = np.array([1.8172, 482.0, 2085.4, 0.3478, 0.3658])
BUDGETS = np.geomspace(1e19, 3e21, 9)
FAR = np.array([3e22])
"""Ten times the largest budget."""
NOISE, OF_SIZES = 0.0015, 0.001

QUANTITIES: dict[str, Callable[[Floats], Floats]] = {
    "alpha": lambda natural: natural[:, 3],
    "beta": lambda natural: natural[:, 4],
    "a": lambda natural: natural[:, 4] / (natural[:, 3] + natural[:, 4]),
    "N* at 10x": lambda natural: np.log(optimum(LAW, natural, FAR)[0][..., 0]),
    "loss at 10x": lambda natural: loss_at_optimum(LAW, natural, FAR)[..., 0],
}


def simulated(seed: int) -> Runs:
    """One data set."""
    generator = np.random.default_rng(seed)
    best = optimum(LAW, TRUTH, BUDGETS)[0]
    sizes = np.geomspace(best[0] / 3, best[-1] * 3, 18)
    pairs = [
        (size, budget)
        for budget, center in zip(BUDGETS, best, strict=True)
        for size in sizes
        if center / 8 < size < center * 8
    ]
    parameters, compute = np.array(pairs).T
    tokens = compute / 6 / parameters
    of_size = OF_SIZES * generator.normal(size=len(sizes))[np.searchsorted(sizes, parameters * 0.999)]
    away = np.abs(np.log(parameters) - np.log(sizes).mean()) / np.log(sizes[-1] / sizes[0]) * 2
    scatter = NOISE * (0.3 + 2 * away**2) * generator.standard_t(2, size=len(parameters))
    loss = LAW.predict(TRUTH, parameters, tokens) * np.exp(of_size + scatter)
    return Runs(parameters, tokens, loss, six_nd(parameters, tokens))


def methods(found: Fit, replicates: int, seed: int) -> dict[str, tuple[Draws, Method]]:
    """Draws by each method, and how their interval is made."""
    pairs = bootstrap(found, replicates, seed, by="run")
    clusters = bootstrap(found, replicates, seed, by="parameters")
    return {
        "runs, percentile": (pairs, "percentile"),
        "runs, BCa": (pairs, "bca"),
        "sizes, percentile": (clusters, "percentile"),
        "sizes, BCa": (clusters, "bca"),
        "residuals": (residual_bootstrap(found, replicates, seed), "percentile"),
        "Wald": (wald(found, replicates, seed), "percentile"),
    }


def main() -> None:
    """Simulate, count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("results/scaling_coverage.md"))
    given = parser.parse_args()
    started = time.perf_counter()
    truth = {name: float(of(TRUTH[None])[0]) for name, of in QUANTITIES.items()}
    inside: dict[str, dict[str, list[bool]]] = {}
    width: dict[str, dict[str, list[float]]] = {}
    for seed in range(given.data_sets):
        found = fit(LAW, simulated(seed))
        for method, (draws, ends) in methods(found, given.replicates, seed).items():
            for name, of in QUANTITIES.items():
                made = interval(draws, of, ends)
                low, high = float(made.low), float(made.high)
                inside.setdefault(method, {}).setdefault(name, []).append(low <= truth[name] <= high)
                width.setdefault(method, {}).setdefault(name, []).append(high - low)
    table = _table(inside, width, given.data_sets, given.replicates, len(simulated(0)))
    print(table)
    print(f"{time.perf_counter() - started:.0f} s")
    given.out.write_text(table)


def _table(
    inside: dict[str, dict[str, list[bool]]],
    width: dict[str, dict[str, list[float]]],
    data_sets: int,
    replicates: int,
    runs: int,
) -> str:
    unit = {name: np.median(widths) for name, widths in width["runs, percentile"].items()}
    head = ["95 % interval by", *QUANTITIES]
    lines = [
        "# How often 95 % intervals of a scaling law hold the truth",
        "",
        f"{data_sets} simulated data sets of {runs} runs of a known law (E 1.8172, A 482, B 2085, alpha .3478, beta "
        f".3658), {replicates} replicates each. Noise: Student's t with 2 degrees of freedom, {0.3 * NOISE:g} of the "
        f"loss at sizes in the middle and {2.3 * NOISE:.2g} at the ends, and an effect per size of {OF_SIZES:g}. "
        "Fitted by Huber's loss, threshold 1e-3. N* and the loss are at ten times the largest budget.",
        "",
        "Share of data sets whose interval held the truth (standard error at .95: "
        f"{(0.95 * 0.05 / data_sets) ** 0.5:.3f}), and in brackets the median width over that of drawing runs with "
        "percentiles. Made by "
        f"`python benchmarks/scaling_coverage.py --data-sets {data_sets} --replicates {replicates}`.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for method, of in inside.items():
        cells = [
            f"{np.mean(hits):.3f} ({np.median(width[method][name]) / unit[name]:.2f})" for name, hits in of.items()
        ]
        lines.append("| " + " | ".join([method, *cells]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
