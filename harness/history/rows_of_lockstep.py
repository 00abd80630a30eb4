"""The rows of what was timed in lockstep: the ratio of the head's time to the base's, in a folder of `harness ci` or of
`harness ab`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.comparison.definition import hash_of_coordinates
from harness.history.row import Row
from harness.history.rows_of_run import commit_facts, json_text, model_entries, short_hash, time_of
from harness.measures.registry import MEASURES

AB = "ab"
"""The suite of a comparison that no suite asked for."""
TIME = "time"
"""The metric of a call, and of a part of a model's work that no suite names."""
_CLOCKS = {"wall": "time", "cpu": "CPU time"}
INTERVAL = "order statistics over launches"
CONFIDENCE = 0.95
_NO_RATIO = {"fail": "failed", "usage": "failed"}
"""Status by verdict, of what has no ratio; `skipped` of others."""


def rows_of_ci(said: Mapping[str, Any], run: str, run_id: str) -> list[Row]:
    """A row for each metric that `harness ci` decided in lockstep. said: its verdict.json, with `states`."""
    states = said["states"]
    shared = Row(
        suite=str(said["suite_name"]),
        suite_hash=str(said["suite_hash"]),
        machine_class=str(said["machine_class"]),
        run=run,
        run_id=run_id,
        time=time_of(said.get("time")),
        cell="",
        kind="ratio",
        unit="ratio",
        direction="lower",
        depends_on="time",
        pinned=commit_facts(states["base"])["commit"],
        **commit_facts(states["head"]),
    )
    entries = model_entries(str(said.get("suite_text", "")))
    rows = []
    for judged in said["judged"]:
        if judged.get("kind") != "time" or not judged.get("metric"):
            continue
        at, details = dict(judged["at"]), judged["details"]
        asks = details.get("asks") or {}
        measured = replace(shared, **_identity(at, asks, entries), **_ratio(judged, details))
        rows += [replace(measured, metric=name, metric_version=_version(name)) for name in judged["metric"].split()]
    return rows


def rows_of_ab(said: Mapping[str, Any], run: str, run_id: str) -> list[Row]:
    """The row of a comparison of `harness ab`; none where nothing was measured. said: its verdict.json."""
    ratio = said.get("cpu_ratio" if said.get("clock") == "cpu" else "wall_ratio")
    states = said.get("states") or {}
    base, head = (commit_facts(states.get(side) or {}) for side in ("a", "b"))
    asks, of_base = (_asked(said["arms"][side]) for side in ("b", "a"))
    asks["threads"] = said.get("threads")
    of_base["threads"] = said.get("threads")
    one_commit = base["commit"] is not None and base["commit"] == head["commit"] and base["dirty"] == head["dirty"]
    told = dict(asks)
    if of_base != asks:
        told["a"] = json_text({name: value for name, value in of_base.items() if asks.get(name) != value})
    elif base["commit"] is None:
        told["a"] = str(said["arms"]["a"].get("text", ""))
    row = Row(
        suite=AB,
        machine_class=str(said["machine_class"]),
        run=run,
        run_id=run_id,
        time=time_of(said.get("time")),
        model=told.pop("model", None),
        where=json_text({name: value for name, value in told.items() if value is not None}),
        cell=short_hash(sorted((name, str(value)) for name, value in asks.items() | told.items())),
        metric=TIME,
        metric_version=1,
        kind="ratio",
        unit="ratio",
        direction="lower",
        depends_on="time",
        definition=_definition(said),
        pinned=None if one_commit else base["commit"],
        **head,
    )
    if ratio is None:
        return [replace(row, status="failed", reason="; ".join(said.get("reasons") or ()))]
    return [replace(row, **_ends(ratio), launches=_count(said))]


def _identity(at: dict[str, Any], asks: Mapping[str, Any], entries: Mapping[str, str]) -> dict[str, Any]:
    """Model, measure, where and cell of what `ci` timed: a cell's time, or a call."""
    if "call" in at:
        asked = {name: value for name, value in asks.items() if name != "call" and value is not None}
        asked |= {"function": asks.get("call"), "call": at["call"]}
        return {"where": json_text(_flat(asked)), "cell": short_hash(_flat(asked))}
    model, measure = at.get("model"), str(at.get("measure"))
    where = {name: value for name, value in at.items() if name not in ("model", "measure")}
    return {
        "model": model,
        "measure": measure,
        "where": json_text(where),
        "cell": hash_of_coordinates(measure, at),
        "model_entry": entries.get(str(model)),
    }


def _ratio(judged: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    if (ratio := details.get("ratio")) is not None:
        return {**_ends(ratio), "launches": _count(details), "definition": _definition(details)}
    if details.get("unchanged"):
        return {"value": 1.0, "interval": "exact: the pinned commit runs the same code", "launches": 0}
    return {"status": _NO_RATIO.get(judged["verdict"], "skipped"), "reason": judged["reason"]}


def _definition(told: Mapping[str, Any]) -> str:
    clock = _CLOCKS.get(str(told.get("clock")), "time")
    return f"{clock} of the head over that of the pinned commit, measured in lockstep: the median over launches"


def _ends(ratio: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{"value": ratio["value"], "low": ratio["low"], "high": ratio["high"], "n": ratio["n"]},
        **{"confidence": CONFIDENCE, "interval": INTERVAL, "n_unit": "launches"},
    }


def _count(told: Mapping[str, Any]) -> int:
    return int(told.get("launches") or 0) + int(told.get("fresh_launches") or 0)


def _version(name: str) -> int:
    """Of a metric; 1 of what is none of a measure's."""
    found = (measure.metric(name) for measure in MEASURES.values())
    return next((metric.version for metric in found if metric is not None), 1)


def _asked(arm: Mapping[str, Any]) -> dict[str, Any]:
    """What an arm of `ab` was asked to do, without the weights: those are the product."""
    left = ("text", "built", "weights")
    told = {name: value for name, value in arm.items() if name not in left and value not in ("", None, {})}
    if "part" in told:
        told["time"] = told.pop("part")
    return _flat(told)


def _flat(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Lists and mappings as JSON texts: a setting is one value."""
    return {
        name: value if value is None or isinstance(value, str | int | float | bool) else json_text(value)
        for name, value in asked.items()
    }
