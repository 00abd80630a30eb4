"""Benchmark and evaluation harness for GPT language models.

Everything that the command line does is a function here:

    import harness
    run = harness.run("suites/quickstart.yaml")
    run.records                      # a pandas DataFrame
    harness.compare("results/runs/A", "results/runs/B")
    harness.ab(kernels.base, kernels.head).outcome.verdict
    harness.judge("results/runs/B", "results/runs/A").verdict     # what `harness gate` says

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import compare, diff, explain, make_report, open_run, plan, run
    from harness.gate.ab import ab
    from harness.gate.ci import ci
    from harness.gate.judging import judge
    from harness.results.run import Run

__version__ = "0.1.0"
__all__ = ["Run", "ab", "ci", "compare", "diff", "explain", "judge", "make_report", "open_run", "plan", "run"]


def __getattr__(name: str) -> Any:
    if name == "Run":
        from harness.results.run import Run

        return Run
    if name == "ab":
        from harness.gate.ab import ab

        return ab
    if name == "ci":
        from harness.gate.ci import ci

        return ci
    if name == "judge":  # not `gate`: that is the package
        from harness.gate.judging import judge

        return judge
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module 'harness' has no attribute '{name}'")
