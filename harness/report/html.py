"""One self-contained HTML file: works from a disk, offline, in light and dark; nothing is loaded from anywhere.

The page is a Jinja template with autoescaping; the charts' descriptions travel as JSON in a script element that the
browser does not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.errors import UserError, inert
from harness.report.drawing import NOTHING_DRAWN, Drawing, drawing
from harness.report.report import Report
from harness.report.table import Table
from harness.report.vega import vega_bundle
from harness.whole_file import write_whole

if TYPE_CHECKING:
    from jinja2 import Template


def write_html(report: Report, path: Path) -> Drawing:
    """Write a report as a page; returns its charts. Raises UserError where the charts' code can't be had: the page is
    then written without charts."""
    drawn = drawing(report.figures)
    try:
        text = _page(report, drawn)
    except UserError as error:
        write_whole(path, _page(report, NOTHING_DRAWN))
        raise UserError(f"written without its charts: {error}", place=str(path)) from None
    write_whole(path, text)
    return drawn


def html(report: Report) -> str:
    """A report as one HTML document (about 1 MB, nearly all of it the charts' code). Raises UserError where there is a
    chart and its code can't be had."""
    return _page(report, drawing(report.figures))


def tables_page(title: str, tables: Sequence[Table]) -> str:
    """Tables alone as one HTML document, without charts."""
    return _template("tables.html.j2").render(title=title, tables=tables, charts={}, specs="{}", vega="")


def part_of_page(report: Report) -> str:
    """The tables of a report as a piece of HTML without styles, charts and scripts: a notebook has its own."""
    return _template("notebook.html.j2").render(report=report)


def _page(report: Report, drawn: Drawing) -> str:
    name = "findings.html.j2" if report.origin is None else "report.html.j2"
    return _template(name).render(
        report=report,
        origin=report.origin,
        warnings=[*report.warnings, *drawn.not_drawn],
        charts=drawn.charts,
        specs=_json_in_script({name: chart.spec for name, chart in drawn.charts.items()}),
        vega=vega_bundle() if drawn.charts else "",
    )


def _json_in_script(data: Any) -> str:
    """JSON that can't end the script element or open a comment in it: Jinja's `tojson`, whose JSON is strict here."""
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(_inert(strict_json.drawn(data)), dumps=strict_json.dumps)


def _inert(data: Any) -> Any:
    """The same data, every text in it `inert`."""
    if isinstance(data, str):
        return inert(data)
    if isinstance(data, dict):
        return {_inert(key): _inert(value) for key, value in data.items()}
    return [_inert(value) for value in data] if isinstance(data, list) else data


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.report", ""),
        autoescape=True,
        finalize=lambda value: inert(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
