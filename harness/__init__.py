"""Benchmark and evaluation harness for GPT language models.

Everything that the command line does is a function here:

    import harness
    results = harness.run("suites/quickstart.yaml")               # a path, a name, or a mapping
    results.records                  # a pandas DataFrame; results.table(), results.samples, results.report()
    harness.generate("asset:smollm2-135m-instruct", "Once", max_tokens=40)       # or a model of harness.load_model
    harness.compare("results/runs/A", "results/runs/B")
    harness.ab(kernels.base, kernels.head).outcome.verdict
    harness.judge("results/runs/B", "results/runs/A").verdict     # what `harness gate` says
    harness.set_baseline("results/runs/B", why="int8 is in")      # then harness.open_run("baseline:NAME")
    harness.series(harness.read_history(), "decode_rate").series  # what `harness history` shows

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.api.doctor import doctor
    from harness.api.evaluating import eval as eval
    from harness.api.fit import fit
    from harness.api.generating import converse, generate, load_model, stream
    from harness.api.listing import list as list
    from harness.api.perplexity import perplexity
    from harness.api.results import Results
    from harness.api.runs import compare, diff, explain, make_report, open_run, plan, run, show
    from harness.api.tables import list_runs, wrong_answers
    from harness.api.training import train
    from harness.baselines.listing import baseline_log, list_baselines
    from harness.baselines.setting import set_baseline
    from harness.benchmarking.bench import bench
    from harness.errors import UserError
    from harness.execution.allowed import Allowed
    from harness.gate.change.ci import ci
    from harness.gate.lockstep.ab import ab
    from harness.gate.stored.judging import judge
    from harness.history.folder import read_history
    from harness.history.query import query
    from harness.history.series import series
    from harness.interchange.exporting import export_results, log_run
    from harness.interchange.importing import import_results
    from harness.models.in_memory import InMemory
    from harness.results.run import Run
    from harness.suite.new_suite import init
    from harness.suite.schema import Suite

__version__ = "0.1.0"
HOME = {
    "Allowed": "harness.execution.allowed",
    "Results": "harness.api.results",
    "InMemory": "harness.models.in_memory",
    "Run": "harness.results.run",
    "Suite": "harness.suite.schema",
    "UserError": "harness.errors",
    "ab": "harness.gate.lockstep.ab",
    "bench": "harness.benchmarking.bench",
    "baseline_log": "harness.baselines.listing",
    "ci": "harness.gate.change.ci",
    "compare": "harness.api.runs",
    "converse": "harness.api.generating",
    "diff": "harness.api.runs",
    "eval": "harness.api.evaluating",
    "explain": "harness.api.runs",
    "doctor": "harness.api.doctor",
    "fit": "harness.api.fit",
    "list": "harness.api.listing",
    "export_results": "harness.interchange.exporting",
    "generate": "harness.api.generating",
    "import_results": "harness.interchange.importing",
    "init": "harness.suite.new_suite",
    "judge": "harness.gate.stored.judging",  # not `gate`: that is the package
    "list_runs": "harness.api.tables",
    "list_baselines": "harness.baselines.listing",  # not `baselines`: that is the package
    "load_model": "harness.api.generating",
    "log_run": "harness.interchange.exporting",
    "make_report": "harness.api.runs",
    "open_run": "harness.api.runs",
    "perplexity": "harness.api.perplexity",
    "plan": "harness.api.runs",
    "query": "harness.history.query",
    "read_history": "harness.history.folder",
    "run": "harness.api.runs",
    "series": "harness.history.series",
    "set_baseline": "harness.baselines.setting",
    "show": "harness.api.runs",
    "stream": "harness.api.generating",
    "train": "harness.api.training",
    "wrong_answers": "harness.api.tables",
}
"""Where each name is from."""

__all__ = [  # without `eval` and `list`: `from harness import *` leaves Python its own
    "Allowed",
    "InMemory",
    "Results",
    "Run",
    "Suite",
    "UserError",
    "ab",
    "baseline_log",
    "bench",
    "ci",
    "compare",
    "converse",
    "diff",
    "doctor",
    "explain",
    "export_results",
    "fit",
    "generate",
    "import_results",
    "init",
    "judge",
    "list_baselines",
    "list_runs",
    "load_model",
    "log_run",
    "make_report",
    "open_run",
    "perplexity",
    "plan",
    "query",
    "read_history",
    "run",
    "series",
    "set_baseline",
    "show",
    "stream",
    "train",
    "wrong_answers",
]


def __dir__() -> Sequence[str]:
    return sorted({*globals(), *HOME})


def __getattr__(name: str) -> Any:
    if name in HOME:
        return getattr(importlib.import_module(HOME[name]), name)
    raise AttributeError(f"module 'harness' has no attribute '{name}'")
