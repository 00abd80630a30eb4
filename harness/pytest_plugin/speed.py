"""A test of speed: b is not slower than a by the margin, decided in lockstep by `harness.ab`."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.gate.arms.arm import ArmChoice
from harness.gate.arms.callables import Arms, choice_of
from harness.gate.arms.model_part import ModelWork
from harness.gate.lockstep.ab import check_limits, compare_arms
from harness.gate.lockstep.compared import Comparison
from harness.gate.lockstep.in_words import NAMES, launch_line, ratio_text
from harness.gate.lockstep.launch import Clock
from harness.gate.lockstep.lockstep import Limits, Observation
from harness.gate.lockstep.question import QUALITY_MARGIN, Question
from harness.gate.verdict import Verdict
from harness.pytest_plugin.options import Settings
from harness.pytest_plugin.options import on_inconclusive as policy_of
from harness.pytest_plugin.said import Said, end, fail
from harness.pytest_plugin.suite_run import as_seen
from harness.statistics.speed_decision import Rule

MINUTES = 3.0
"""Of a test that says nothing: most are decided within one."""


class SpeedCheck:
    """The fixture `harness_ab`: call it with two arms."""

    def __init__(self, node: pytest.Item, settings: Settings) -> None:
        self._node, self._settings = node, settings

    def __call__(
        self,
        a: Arms,
        b: Arms = "here",
        *,
        margin: float = 0.05,
        minutes: float = MINUTES,
        launches: int = Limits.launches,
        setup: Callable[..., Any] | str = "",
        arguments: Any = None,
        tolerance: float | None = None,
        threads: int | None = None,
        clock: Clock | None = None,
        work: ModelWork | None = None,
        quality_margin: float | None = QUALITY_MARGIN,
        suite: str = "",
        seed: int | None = None,
        on_inconclusive: str | None = None,
    ) -> Comparison:
        """Pass where b is shown not to be slower than a by the margin; fail where it is, or returns other values, or is
        a worse model; skip (or what `on_inconclusive` says) where that can't be told. Returns the comparison.

        a, b: functions of a module, what `harness ab` takes (`module:function`, `revision=main`, `reference=nano`), or
        an `ArmChoice`. Both are run by processes of their own, so a lambda or a function within a test can't be one.
        setup, arguments: what the call is given, as of `harness ab`. work: of models, what is timed.
        """
        try:
            policy = policy_of(on_inconclusive or self._settings.on_inconclusive, "on_inconclusive")
            check_limits(margin, minutes, launches)
            given = _arm(setup, "setup").call if callable(setup) else setup
            question = Question(
                a=_arm(a, "arm a"),
                b=_arm(b, "arm b"),
                shared=ArmChoice(setup=given, arguments=arguments),
                rule=Rule(margin=margin),
                limits=Limits(launches, minutes),
                clock=clock,
                threads=threads,
                tolerance=tolerance,
                work=work or ModelWork(),
                quality_margin=quality_margin,
                suite=suite,
                trust_remote_code=self._settings.trust_remote_code,
                out=as_seen(self._settings.comparisons),
                seed=seed,
            )
            found = compare_arms(question, _tell)
        except (UserError, pytest.UsageError) as error:
            fail(f"harness_ab: {error}")
        said = said_of(found)
        self._node.user_properties += said.properties
        end(said, policy)
        return found


def said_of(found: Comparison) -> Said:
    """What a comparison says of a test."""
    outcome = found.outcome
    ratio = outcome.wall_ratio if found.clock == "wall" else outcome.cpu_ratio
    margin = f"margin {100 * found.rule.margin:g} %"
    times = "" if ratio is None else f"{NAMES[found.clock]}: b takes {ratio_text(ratio)} of a's ({margin})"
    lines = [f"{outcome.verdict.word}: {'; '.join(outcome.reasons)}", times]
    lines += [f"a: {found.arms['a']}", f"b: {found.arms['b']}", f"record: {found.folder}"]
    undecided = outcome.verdict is Verdict.INCONCLUSIVE
    passed = outcome.verdict in (Verdict.PASS, Verdict.MINOR)
    named = {
        "verdict": outcome.verdict.value,
        **({} if ratio is None else {"value": ratio.value, "low": ratio.low, "high": ratio.high}),
        **{"unit": "ratio", "bound": f"below {1 + found.rule.margin:g}", "harness_ab": str(found.folder)},
    }
    properties = tuple((name, value) for name, value in named.items() if value is not None)
    kept = lines[:2] if undecided else lines
    text = "\n".join(line for line in kept if line)
    return Said("passed" if passed else "undecided" if undecided else "failed", text, properties)


def _arm(arm: Arms, place: str) -> ArmChoice:
    """The choice that an arm stands for. One that is run as it stands here is found where this process finds it: pytest
    puts folders on its path that no other process has. Raises UserError."""
    try:
        choice = choice_of(arm, place)
    except UserError as error:
        raise error if error.place else UserError(error.message, place=place) from None
    elsewhere = choice.python or choice.install or choice.revision or choice.path
    folder = _folder_of(choice.call.partition(":")[0]) if choice.call and not elsewhere else None
    return choice if folder is None else replace(choice, path=str(folder))


def _folder_of(module: str) -> Path | None:
    """The folder in which a module of the project is found; None of one that is installed, or has no file."""
    try:
        file = getattr(sys.modules.get(module), "__file__", None) or getattr(find_spec(module), "origin", None)
    except (ImportError, ValueError):  # the arm says so
        return None
    if file is None or not Path(file).is_file():
        return None
    path = Path(file).resolve()
    root = path.parents[module.count(".") + (path.name == "__init__.py")]
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return None if root in installed or root.name in ("site-packages", "dist-packages") else root


def _tell(said: str | Observation | Comparison) -> None:
    """Captured, and shown where the test fails."""
    if isinstance(said, str):
        print(said)
    elif isinstance(said, Observation):
        print(launch_line(said))
