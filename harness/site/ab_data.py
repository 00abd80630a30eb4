"""What an `ab` rests on as a small table, a row for each line that the terminal shows; whatever the history's file says
under a name, of no other kind."""

from __future__ import annotations

from collections.abc import Mapping
from math import expm1
from typing import Any

from harness.gate.lockstep.in_words import NAMES, ratio_text
from harness.site.plain import listed, mapping, number, text
from harness.statistics.intervals import Interval

SHOWN = {
    *("arms", "clock", "wall_ratio", "cpu_ratio", "margin", "fail_alpha", "pass_alpha", "smallest_seen", "launches"),
    *("fresh_launches", "differences", "fresh_differences", "identical_code", "others_share", "threads"),
    *("differs", "faster", "seconds"),
}
"""What of an ab's JSON the table tells."""


def ab_table(said: Mapping[str, Any]) -> list[list[str]]:
    """Name and text of each row; none of what was not said."""
    rows: dict[str, str | None] = {
        side: text(mapping(mapping(said.get("arms")).get(side)).get("text")) for side in ("a", "b")
    }
    rows["differs"] = ", ".join(one for one in listed(said.get("differs")) if isinstance(one, str))
    judged = "cpu" if said.get("clock") == "cpu" else "wall"
    for clock in (judged, "cpu" if judged == "wall" else "wall"):
        if told := _ratio(said.get(f"{clock}_ratio")):
            rows[NAMES[clock]] = f"b takes {told} of a's, 95 %" if clock == judged else f"{told}, which is not judged"
    rows["launches"] = _launches(said)
    rows["differences"] = _differences(said.get("differences"))
    rows["measured once more"] = _differences(said.get("fresh_differences"))
    rows["A/A"] = _identical(mapping(said.get("identical_code")))
    rows["rule"] = _rule(said)
    if (seen := number(said.get("smallest_seen"))) is not None:
        rows["sees"] = f"a slowdown of {_percent(seen)} in as many launches as it may take (chance 80 %)"
    if (others := number(said.get("others_share"))) is not None:
        rows["load"] = f"other programs took {_percent(others)} of the cores"
    return [[name, told] for name, told in rows.items() if told]


def _ratio(value: Any) -> str:
    of = mapping(value)
    middle, low, high = (number(of.get(name)) for name in ("value", "low", "high"))
    return "" if middle is None else ratio_text(Interval(middle, low, high, 0))


def _launches(said: Mapping[str, Any]) -> str:
    count, fresh, threads = (number(said.get(name)) for name in ("launches", "fresh_launches", "threads"))
    if count is None:
        return ""
    once_more = f" + {fresh:g} to measure it once more" if fresh else ""
    seconds = number(said.get("seconds"))
    took = "" if seconds is None else f", {seconds:g} s in all"
    return f"{count:g}{once_more}{'' if threads is None else f', threads: {threads:g}'}{took}"


def _differences(values: Any) -> str:
    """Of b against a, launch by launch, in the order in which they were measured."""
    known = [one for one in map(number, listed(values)) if one is not None]
    return ", ".join(f"{100 * expm1(one):+.2f} %" for one in known if one < 100)


def _identical(of: Mapping[str, Any]) -> str:
    told = []
    if (scatter := number(of.get("scatter"))) is not None:
        told.append(f"launches of identical code scatter by {_percent(scatter)}")
    alarms, decisions, most = (number(of.get(name)) for name in ("alarms", "decisions", "alarms_at_most"))
    if alarms is not None and decisions is not None and most is not None:
        told.append(
            f"{alarms:g} of {decisions:g} decisions on identical code were a false FAIL (at most {_percent(most)})"
        )
    elif of:
        told.append("no decision on identical code yet on this machine")
    return "; ".join(told)


def _rule(said: Mapping[str, Any]) -> str:
    margin, fail, passes = (number(said.get(name)) for name in ("margin", "fail_alpha", "pass_alpha"))
    told = [] if margin is None else [f"margin {_percent(margin)}"]
    told += [] if fail is None else [f"chance of a false FAIL {_percent(fail)}"]
    return ", ".join(told + ([] if passes is None else [f"of a false PASS {_percent(passes)}"]))


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
