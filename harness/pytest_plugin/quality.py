"""A test of quality: a model measured as a suite measures it, in a process of its own and with the cache, and bounds
that the interval decides."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness.errors import UserError
from harness.evidence.ratio import estimate
from harness.number import plain, with_interval
from harness.pytest_plugin.opened_models import ModelOfTest, OpenedModels, model_of_test
from harness.pytest_plugin.options import OnInconclusive, Settings
from harness.pytest_plugin.options import on_inconclusive as policy_of
from harness.pytest_plugin.said import Said, end, fail, skip
from harness.results.record import CellResult, Record, Status
from harness.results.run import Run
from harness.spelling import nearest_aside
from harness.whole_file import write_whole

if TYPE_CHECKING:
    import pandas as pd

    from harness.models.contract import LanguageModel

NAME = "harness-eval"
SIGNS = {operator.ge: "at least", operator.gt: "more than", operator.le: "at most", operator.lt: "less than"}


class QualityCheck:
    """The fixture `harness_eval`: call it with a model and what to measure."""

    def __init__(self, node: pytest.Item, settings: Settings, opened: OpenedModels, folder: Path) -> None:
        self._node, self._settings, self._opened, self._folder = node, settings, opened, folder / NAME

    def __call__(
        self,
        model: str | Mapping[str, Any] | LanguageModel,
        *,
        measure: str = "task",
        precision: str = "",
        device: str = "",
        threads: int | None = None,
        suite: str = "",
        fresh: bool = False,
        on_inconclusive: str | None = None,
        **settings: Any,
    ) -> Measured:
        """Measure one cell: `harness_eval(model, task="arc_easy", documents=50)`; with `measure="perplexity"` what
        that takes. Its metrics are attributes of what is returned.

        model: what `harness_model` takes, or what that opened. settings: of the measure, as in a suite. fresh: measure
        again what is known. A cell that fails fails the test, one that is skipped skips it.
        """
        try:
            policy = policy_of(on_inconclusive or self._settings.on_inconclusive, "on_inconclusive")
            wanted = self._which(model, precision, device, suite)
            run = self._run(wanted, measure, threads, settings, fresh)
        except (UserError, pytest.UsageError) as error:
            fail(f"harness_eval: {error}")
        cell = run.cells[0]
        if cell.status is Status.SKIPPED:
            skip(str(cell.reason))
        if cell.status is not Status.OK:
            fail(f"harness_eval: {cell.model} {measure}: {cell.reason} ({run.folder})")
        return Measured(self._node, policy, run, cell)

    def _which(self, model: object, precision: str, device: str, suite: str) -> ModelOfTest:
        if isinstance(model, str | Mapping):
            return model_of_test(model, precision, device, suite)
        which = self._opened.which(model)
        if which is None:
            raise UserError("a model is named as `harness_model` takes it, or was opened by that", place="model")
        if precision not in ("", which.precision) or device not in ("", which.device):
            raise UserError(f"this model was opened at {which.precision} on {which.device}", place="precision, device")
        return which

    def _run(self, wanted: ModelOfTest, measure: str, threads: int | None, settings: Any, fresh: bool) -> Run:
        from harness import workflow

        axes = {"precision": wanted.precision, "device": wanted.device, "threads": threads}
        suite = {
            "name": NAME,
            "models": {"model": wanted.as_written},
            "matrix": {name: value for name, value in axes.items() if value is not None},
            "measures": [{measure: settings}],
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "asked.yaml"
        write_whole(file, yaml.safe_dump(suite, sort_keys=False))
        try:
            run = workflow.run(
                str(file),
                out=self._folder / "runs",
                fresh=fresh or self._settings.fresh,
                allowed=self._settings.allowed,
            )
        except UserError as error:
            raise UserError(re.sub(rf"{re.escape(str(file))}:\d+: (measures\.0\.)?", "", str(error))) from None
        if len(run.cells) != 1:
            raise UserError(f"this makes {len(run.cells)} cells, and a test measures one: give each setting one value")
        return run


class Measured:
    """One cell that was measured. Its metrics are attributes: `.acc`, `.perplexity`."""

    def __init__(self, node: pytest.Item, policy: OnInconclusive, run: Run, cell: CellResult) -> None:
        self._node, self._policy = node, policy
        self.run = run
        """The run folder, with the samples."""
        self.cell = cell

    @property
    def records(self) -> pd.DataFrame:
        """Every number with its interval, a row each."""
        return self.run.records

    def metric(self, name: str, part: str | None = None) -> Value:
        """A metric by its name. part: a task of a group, or a way of extracting answers; left out, what stands for the
        whole cell. Raises AttributeError where there is none, or where it has several parts."""
        __tracebackhide__ = True
        named = [one for one in self.cell.records if name in (one.metric, one.metric_id) and one.value is not None]
        if not named:
            there = list(dict.fromkeys(one.metric for one in self.cell.records if one.metric is not None))
            raise AttributeError(f"no metric '{name}'{nearest_aside(name, there)}; there are: {', '.join(there)}")
        found = [one for one in named if one.part == part]
        if not found and part is None and len(named) == 1:
            found = named
        if not found:
            parts = ", ".join(dict.fromkeys(str(one.part) for one in named))
            raise AttributeError(f"'{name}' is there of {parts}: name one, such as .metric('{name}', part='...')")
        return Value(self._node, self._policy, found[0])

    def __getattr__(self, name: str) -> Value:
        __tracebackhide__ = True
        if name.startswith("_"):
            raise AttributeError(name)
        return self.metric(name)


class Value:
    """A metric with its interval. A comparison with a number is of the whole interval: where that straddles the number,
    the test ends as undecided (skipped, unless something else was asked for)."""

    def __init__(self, node: pytest.Item, policy: OnInconclusive, record: Record) -> None:
        self._node, self._policy, self.record = node, policy, record
        found = estimate(record)
        self.value: float = float("nan") if record.value is None else record.value
        self.low: float | None = None if found is None else found.low
        self.high: float | None = None if found is None else found.high

    def at_least(self, bound: float) -> None:
        """Fail the test where the whole interval lies below the bound."""
        self._assert(operator.ge, bound)

    def at_most(self, bound: float) -> None:
        """Fail the test where the whole interval lies above the bound."""
        self._assert(operator.le, bound)

    def __ge__(self, bound: float) -> bool:
        return self._holds(operator.ge, bound)

    def __gt__(self, bound: float) -> bool:
        return self._holds(operator.gt, bound)

    def __le__(self, bound: float) -> bool:
        return self._holds(operator.le, bound)

    def __lt__(self, bound: float) -> bool:
        return self._holds(operator.lt, bound)

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"{self.record.metric} {with_interval(self.value, self.low, self.high, self.record.unit)}"

    def _assert(self, sign: Callable[[Any, Any], bool], bound: float) -> None:
        if not self._holds(sign, bound):
            fail(f"{self!r}, and {SIGNS[sign]} {plain(bound)} is expected")

    def _holds(self, sign: Callable[[Any, Any], bool], bound: float) -> bool:
        """Whether all of the interval keeps the bound; False where none of it does. Ends the test between the two."""
        if isinstance(bound, Value):
            raise TypeError(
                "a value is compared with a number; for two cells write an expectation of a suite with `against`: that "
                "pairs documents"
            )
        expected = f"{SIGNS[sign]} {plain(bound)}"
        holds = {sign(end, bound) for end in (self.low, self.high) if end is not None}
        verdict = {True: "met", False: "unmet"}[holds == {True}] if len(holds) == 1 else "undecided"
        named = {"value": self.value, "low": self.low, "high": self.high, "unit": self.record.unit, "bound": expected}
        of = f" ({self.record.metric})"
        self._node.user_properties += [
            (f"{name}{of}", told) for name, told in {"verdict": verdict, **named}.items() if told is not None
        ]
        if verdict != "undecided":
            return verdict == "met"
        none = self.low is None
        why = f"it has no interval ({self.record.interval})" if none else "the interval straddles the bound"
        end(Said("undecided", f"{self!r}, and {expected} is expected: {why}; measure more"), self._policy)
        return True
