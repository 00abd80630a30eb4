"""How long a scaling fit takes beside scipy one at a time and the package `chinchilla`.

    HARNESS_DATA=FOLDER python benchmarks/scaling_speed.py [--cores 1] [--rounds 3] [--peer PYTHON]

The points are the 240 of Hoffmann et al. that Epoch read off (data set epoch_chinchilla). Two jobs: 4000 bootstrap
replicates of the fit, and the fit from the 4500 starts of Hoffmann et al.; Huber's loss, threshold 1e-3.

- ours: the whole job, each time.
- scipy: L-BFGS-B with the analytic gradient, one problem after the other. `--subset` problems of each job, spread
  evenly; the time of the whole job is that times its number of problems (said as extrapolated). Replicates start at the
  optimum with tolerances that reach it; the grid is run as published, with scipy's own tolerances.
- chinchilla 0.2.0 (`--peer`: a Python that has it): its own `fit` (BFGS without a gradient), Huber's loss of the log,
  from 48 starts within the grid, in one process; extrapolated likewise. It has no bootstrap. Its plots are off.

The sides take turns, so that other load on the machine falls on all; medians over rounds of wall and of CPU seconds.
Prints a table and writes results/peers/scaling.json.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit, fit
from harness.analysis.scaling.fitting.objective import HUBER
from harness.analysis.scaling.fitting.uncertainty import bootstrap, refit
from harness.analysis.scaling.laws.chinchilla import Chinchilla, hoffmann_grid
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import Runs, runs_from_frame
from harness.published_data.frame import fitted_runs

LAW = Chinchilla()
REPLICATES, STARTS = 4000, 4500
GOALS = {"bootstrap": 10.0, "grid": 60.0}
REACHED = 1e-6
"""A problem has reached its optimum where its objective is within this part of it (ours: 1e-9 in the grid)."""

PEER = textwrap.dedent(
    """
    import json, sys, tempfile, time
    import numpy as np, pandas as pd
    from chinchilla import Chinchilla
    rows = json.load(open(sys.argv[1]))
    def log_huber(true, predicted):
        miss = np.abs(np.log(true) - np.log(np.maximum(predicted, 1e-300)))
        within = np.minimum(miss, 1e-3)
        return within * (miss - within / 2)
    grid = dict(e=[-0.5, 0.0, 0.5], a=[5.0, 20.0], b=[5.0, 20.0], alpha=[0.5, 1.0], beta=[0.5, 1.0])
    with tempfile.TemporaryDirectory() as folder:
        peer = Chinchilla(folder, param_grid=grid, loss_fn=log_huber, log_level=50)
        peer.database.df = pd.DataFrame(rows)
        peer.visualizer.optim = lambda *given, **named: None
        started, cpu = time.perf_counter(), time.process_time()
        peer.fit(parallel=False)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        miss = log_huber(np.array(rows["loss"]), peer.predict_loss(np.array(rows["N"]), np.array(rows["D"])))
        print(json.dumps(dict(wall=wall, cpu=cpu, problems=48, objective=float(miss.sum()))))
    """
)


def timed(run: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Wall and CPU seconds of a call, beside what it returns."""
    started, cpu = time.perf_counter(), time.process_time()
    told = run()
    return {"wall": time.perf_counter() - started, "cpu": time.process_time() - cpu} | told


def scipy_fits(runs: Runs, starts: Floats, weights: Floats, options: dict[str, Any]) -> list[float]:
    """The objective that L-BFGS-B reaches from each start, with its own weights of the runs."""
    from scipy.optimize import minimize

    logs, response = np.log(runs.inputs(LAW.inputs)), np.log(runs.loss)

    def value(at: Floats, weight: Floats) -> tuple[float, Floats]:
        fitted, derivative = LAW.evaluate(at[None], logs)
        miss = fitted[0] - response
        return float(weight @ HUBER.losses(miss)), derivative[0] @ (weight * miss * HUBER.weights(miss))

    return [
        float(minimize(value, start, args=(weight,), method="L-BFGS-B", jac=True, options=options).fun)  # type: ignore[call-overload]
        for start, weight in zip(starts, weights, strict=True)
    ]


def sides(runs: Runs, found: Fit, subset: int, peer: str | None) -> dict[str, Callable[[], dict[str, float]]]:
    """Each side of each job: what it does once, for how many problems, and how many of these reached the optimum."""
    plain = LAW.uncentered(found.internal, found.problem.center)
    generator = np.random.default_rng(42)
    counts = generator.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=subset).astype(np.float64)
    misses = np.log(LAW.predict(refit(found, counts)[0], runs.parameters, runs.tokens)) - np.log(runs.loss)
    best = (counts * HUBER.losses(misses)).sum(axis=1)

    def ours_bootstrap() -> dict[str, float]:
        draws = bootstrap(found, REPLICATES, seed=42, by="run")
        return {"problems": REPLICATES, "se_alpha": float(draws.natural[:, 3].std(ddof=1))}

    def scipy_bootstrap() -> dict[str, float]:
        strict = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 15_000, "maxfun": 15_000}
        ended = np.array(scipy_fits(runs, np.tile(plain, (subset, 1)), counts, strict))
        return {"problems": subset, "reached": float(np.mean(ended < best * (1 + REACHED)))}

    def ours_grid() -> dict[str, float]:
        best_of_all = fit(LAW, runs, HUBER, starts=hoffmann_grid())
        return {
            "problems": STARTS,
            "reached": best_of_all.certificate.reached,
            "over_optimum": best_of_all.value / found.value,
        }

    def scipy_grid() -> dict[str, float]:
        starts = hoffmann_grid()[:: STARTS // subset][:subset]
        ended = scipy_fits(runs, starts, np.ones((subset, len(runs))), {"maxiter": 15_000, "maxfun": 15_000})
        return {
            "problems": subset,
            "reached": float(np.mean(np.array(ended) < found.value * (1 + REACHED))),
            "over_optimum": min(ended) / found.value,
        }

    made = {
        "bootstrap, ours": ours_bootstrap,
        "bootstrap, scipy": scipy_bootstrap,
        "grid, ours": ours_grid,
        "grid, scipy": scipy_grid,
    }
    if peer is not None:
        made["grid, chinchilla 0.2.0"] = lambda: peer_grid(runs, found.value, peer)
    return made


def peer_grid(runs: Runs, optimum: float, python: str) -> dict[str, float]:
    """The package's own fit, timed in its own process without its start."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        columns = {"C": runs.compute, "N": runs.parameters, "D": runs.tokens, "loss": runs.loss}
        rows.write_text(json.dumps({name: values.tolist() for name, values in columns.items()}))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([python, "-c", PEER, str(rows)], capture_output=True, text=True, cwd=folder, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"the peer failed:\n{done.stderr[-2000:]}")
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return (
        told
        | {"over_optimum": told["objective"] / optimum}
        | {"cpu_with_start": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}
    )


def main() -> None:
    """Take turns, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--subset", type=int, default=60)
    parser.add_argument("--peer", metavar="PYTHON")
    parser.add_argument("--out", type=Path, default=Path("results/peers/scaling.json"))
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    runs = runs_from_frame(fitted_runs("epoch_chinchilla"))
    found = fit(LAW, runs)
    told: dict[str, list[dict[str, float]]] = {}
    loads = [os.getloadavg()[0]]
    for _ in range(given.rounds):
        for name, run in sides(runs, found, given.subset, given.peer).items():
            told.setdefault(name, []).append(run() if "chinchilla" in name else timed(run))
        loads.append(os.getloadavg()[0])
    summary = {name: _summed(name, rounds) for name, rounds in told.items()}
    result = {
        "points": len(runs),
        "optimum": found.value,
        "cores": given.cores,
        "rounds": given.rounds,
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "load_average": loads,
        "goals_s_on_2_cores": GOALS,
        "sides": summary,
    }
    print(
        f"{'':24}{'wall s':>8}{'CPU s':>8}{'problems':>10}{'whole job: wall s':>19}{'CPU s':>8}"
        f"{'reached':>9}{'best':>10}"
    )
    for name, of in summary.items():
        print(
            f"{name:24}{of['wall']:8.2f}{of['cpu']:8.2f}{of['problems']:10.0f}"
            f"{of['whole_job_wall']:18.1f}{' ' if of['whole'] else '*'}{of['whole_job_cpu']:8.1f}"
            f"{format(of['reached'], '9.1%') if 'reached' in of else ' ' * 9}"
            f"{format(of['over_optimum'], '10.4f') if 'over_optimum' in of else ''}"
        )
    print("* extrapolated from the problems that were run; reached: share at the optimum; best: objective / optimum")
    given.out.write_text(json.dumps(result, indent=2) + "\n")


def _summed(name: str, rounds: list[dict[str, float]]) -> dict[str, float | bool]:
    """Medians over rounds, and the whole job's times by proportion where only a part was run."""
    medians: dict[str, float | bool] = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
    of = (REPLICATES if name.startswith("bootstrap") else STARTS) / float(medians["problems"])
    return medians | {
        "whole": of == 1,
        "whole_job_wall": float(medians["wall"]) * of,
        "whole_job_cpu": float(medians["cpu"]) * of,
    }


if __name__ == "__main__":
    main()
