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
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.api.doctor import doctor
    from harness.api.evaluating import eval as eval
    from harness.api.fit import Fit, fit, make_folder
    from harness.api.generating import converse, generate, load_model, stream, write_all
    from harness.api.listing import list as list
    from harness.api.names import names
    from harness.api.perplexity import perplexity
    from harness.api.results import Results
    from harness.api.runs import (
        Preview,
        compare,
        diff,
        explain,
        make_report,
        open_cells,
        open_run,
        open_runs,
        plan,
        preview,
        show,
    )
    from harness.api.schema import schema
    from harness.api.tables import list_runs, wrong_answers
    from harness.api.training import train
    from harness.api.words import why_no_words, words, words_in_short
    from harness.baselines.listing import baseline_log, list_baselines, open_baseline
    from harness.baselines.setting import set_baseline
    from harness.benchmarking.bench import bench
    from harness.benchmarking.running import run
    from harness.errors import ExitCode, UserError, WrongArgument
    from harness.execution.allowed import Allowed
    from harness.execution.doctor import Examination
    from harness.execution.events import CellEnded, CellGoing, CellStarted, Event, OnEvent, Planned, Preparing
    from harness.execution.time_left import Left, TimeLeft
    from harness.gate.announced.telling import Telling, telling
    from harness.gate.change.ci import Change, ci
    from harness.gate.judgment import GateResult
    from harness.gate.lockstep.ab import ab
    from harness.gate.lockstep.compared import Comparison
    from harness.gate.lockstep.judged import as_gate_result
    from harness.gate.lockstep.lockstep import Observation
    from harness.gate.stored.checked_runs import CheckedRuns, check_runs
    from harness.gate.stored.judging import base_of, judge
    from harness.history.bisect import bisect
    from harness.history.entry import Entry, add_to_history, entry_of, entry_of_gate
    from harness.history.folder import History, check_history, read_history
    from harness.history.query import query
    from harness.history.series import series
    from harness.history.trend_chart import check_picture, draw_series
    from harness.interchange.exporting import export_results, log_run
    from harness.interchange.importing import import_results
    from harness.interchange.trackers.target import Target, find_tracker, is_tracker
    from harness.models.contract import LanguageModel
    from harness.models.in_memory import InMemory
    from harness.results.baseline import Baseline, BaselineMissing, Move, Origin
    from harness.results.find import run_before
    from harness.results.run import Run
    from harness.site.write import write_site
    from harness.suite.cells import Cell
    from harness.suite.new_suite import init
    from harness.suite.schema import Suite
    from harness.writing.conversation import Conversation
    from harness.writing.settings import check_samples, writing_settings
    from harness.writing.writer import Writer, Written

__version__ = "0.1.0"
HOME = {
    "Allowed": "harness.execution.allowed",
    "Baseline": "harness.results.baseline",
    "BaselineMissing": "harness.results.baseline",
    "Cell": "harness.suite.cells",
    "CellEnded": "harness.execution.events",
    "CellGoing": "harness.execution.events",
    "CellStarted": "harness.execution.events",
    "Change": "harness.gate.change.ci",
    "CheckedRuns": "harness.gate.stored.checked_runs",
    "Comparison": "harness.gate.lockstep.compared",
    "Conversation": "harness.writing.conversation",
    "Entry": "harness.history.entry",
    "Event": "harness.execution.events",
    "Examination": "harness.execution.doctor",
    "ExitCode": "harness.errors",
    "Fit": "harness.api.fit",
    "GateResult": "harness.gate.judgment",
    "History": "harness.history.folder",
    "InMemory": "harness.models.in_memory",
    "LanguageModel": "harness.models.contract",
    "Left": "harness.execution.time_left",
    "Move": "harness.results.baseline",
    "Observation": "harness.gate.lockstep.lockstep",
    "OnEvent": "harness.execution.events",
    "Origin": "harness.results.baseline",
    "Planned": "harness.execution.events",
    "Preparing": "harness.execution.events",
    "Preview": "harness.api.runs",
    "Results": "harness.api.results",
    "Run": "harness.results.run",
    "Suite": "harness.suite.schema",
    "Target": "harness.interchange.trackers.target",
    "Telling": "harness.gate.announced.telling",
    "TimeLeft": "harness.execution.time_left",
    "UserError": "harness.errors",
    "Writer": "harness.writing.writer",
    "Written": "harness.writing.writer",
    "WrongArgument": "harness.errors",
    "ab": "harness.gate.lockstep.ab",
    "add_to_history": "harness.history.entry",
    "as_gate_result": "harness.gate.lockstep.judged",
    "base_of": "harness.gate.stored.judging",
    "baseline_log": "harness.baselines.listing",
    "bench": "harness.benchmarking.bench",
    "bisect": "harness.history.bisect",
    "check_history": "harness.history.folder",
    "check_picture": "harness.history.trend_chart",
    "check_runs": "harness.gate.stored.checked_runs",
    "check_samples": "harness.writing.settings",
    "ci": "harness.gate.change.ci",
    "compare": "harness.api.runs",
    "converse": "harness.api.generating",
    "diff": "harness.api.runs",
    "doctor": "harness.api.doctor",
    "draw_series": "harness.history.trend_chart",
    "entry_of": "harness.history.entry",
    "entry_of_gate": "harness.history.entry",
    "eval": "harness.api.evaluating",
    "explain": "harness.api.runs",
    "export_results": "harness.interchange.exporting",
    "find_tracker": "harness.interchange.trackers.target",
    "fit": "harness.api.fit",
    "generate": "harness.api.generating",
    "import_results": "harness.interchange.importing",
    "init": "harness.suite.new_suite",
    "is_tracker": "harness.interchange.trackers.target",
    "judge": "harness.gate.stored.judging",  # not `gate`: that is the package
    "list": "harness.api.listing",
    "list_baselines": "harness.baselines.listing",  # not `baselines`: that is the package
    "list_runs": "harness.api.tables",
    "load_model": "harness.api.generating",
    "log_run": "harness.interchange.exporting",
    "make_folder": "harness.api.fit",
    "make_report": "harness.api.runs",
    "names": "harness.api.names",
    "open_baseline": "harness.baselines.listing",
    "open_cells": "harness.api.runs",
    "open_run": "harness.api.runs",
    "open_runs": "harness.api.runs",
    "perplexity": "harness.api.perplexity",
    "plan": "harness.api.runs",
    "preview": "harness.api.runs",
    "query": "harness.history.query",
    "read_history": "harness.history.folder",
    "run": "harness.benchmarking.running",
    "run_before": "harness.results.find",
    "schema": "harness.api.schema",
    "series": "harness.history.series",
    "set_baseline": "harness.baselines.setting",
    "show": "harness.api.runs",
    "stream": "harness.api.generating",
    "telling": "harness.gate.announced.telling",
    "train": "harness.api.training",
    "why_no_words": "harness.api.words",
    "words": "harness.api.words",
    "words_in_short": "harness.api.words",
    "write_all": "harness.api.generating",
    "write_site": "harness.site.write",  # not `site`: that is the package
    "writing_settings": "harness.writing.settings",
    "wrong_answers": "harness.api.tables",
}
"""Where each name is from."""

__all__ = [  # without `eval` and `list`: `from harness import *` leaves Python its own
    "Allowed",
    "Baseline",
    "BaselineMissing",
    "Cell",
    "CellEnded",
    "CellGoing",
    "CellStarted",
    "Change",
    "CheckedRuns",
    "Comparison",
    "Conversation",
    "Entry",
    "Event",
    "Examination",
    "ExitCode",
    "Fit",
    "GateResult",
    "History",
    "InMemory",
    "LanguageModel",
    "Left",
    "Move",
    "Observation",
    "OnEvent",
    "Origin",
    "Planned",
    "Preparing",
    "Preview",
    "Results",
    "Run",
    "Suite",
    "Target",
    "Telling",
    "TimeLeft",
    "UserError",
    "Writer",
    "Written",
    "WrongArgument",
    "ab",
    "add_to_history",
    "as_gate_result",
    "base_of",
    "baseline_log",
    "bench",
    "bisect",
    "check_history",
    "check_picture",
    "check_runs",
    "check_samples",
    "ci",
    "compare",
    "converse",
    "diff",
    "doctor",
    "draw_series",
    "entry_of",
    "entry_of_gate",
    "explain",
    "export_results",
    "find_tracker",
    "fit",
    "generate",
    "import_results",
    "init",
    "is_tracker",
    "judge",
    "list_baselines",
    "list_runs",
    "load_model",
    "log_run",
    "make_folder",
    "make_report",
    "names",
    "open_baseline",
    "open_cells",
    "open_run",
    "open_runs",
    "perplexity",
    "plan",
    "preview",
    "query",
    "read_history",
    "run",
    "run_before",
    "schema",
    "series",
    "set_baseline",
    "show",
    "stream",
    "telling",
    "train",
    "why_no_words",
    "words",
    "words_in_short",
    "write_all",
    "write_site",
    "writing_settings",
    "wrong_answers",
]


def __dir__() -> Sequence[str]:
    opened = (name for name in globals() if name.startswith("__") or f"harness.{name}" in sys.modules)
    return sorted({*HOME, *opened})


if not TYPE_CHECKING:  # a type checker would take every name for one of these

    def __getattr__(name: str) -> Any:
        if name in HOME:
            found = getattr(importlib.import_module(HOME[name]), name)
            if not isinstance(found, types.FunctionType):
                return found
            from harness.api.public import public

            return public(found)
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
