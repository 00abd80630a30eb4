"""Figures of a report as Vega-Lite descriptions, for a page and for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import told
from harness.report.report import Figure


@dataclass(frozen=True)
class Drawn:
    """One chart that there was something to draw of."""

    spec: dict[str, Any]
    """Its Vega-Lite description."""
    caption: str


@dataclass(frozen=True)
class Drawing:
    """The charts by name, and which could not be drawn, a sentence each: the numbers stand without them."""

    charts: dict[str, Drawn]
    not_drawn: tuple[str, ...]


NOTHING_DRAWN = Drawing({}, ("the charts could not be drawn",))


def drawing(figures: Sequence[Figure]) -> Drawing:
    """Draw the figures that there is something to draw of."""
    charts: dict[str, Drawn] = {}
    not_drawn = []
    for figure in figures:
        try:
            chart = figure.draw()
            if chart is not None:
                # the descriptions are checked in the tests; checking them again would take most of the time
                charts[figure.name] = Drawn(chart.to_dict(validate=False), figure.caption)
        except Exception as error:
            not_drawn.append(f"the chart `{figure.name}` could not be drawn: {told(error)}")
    return Drawing(charts, tuple(not_drawn))
