"""One self-contained HTML file: works from a disk, offline, in light and dark; nothing is loaded from anywhere.

The page is a Jinja template with autoescaping; the charts' descriptions travel as JSON in a script element that the
browser does not run.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.errors import UserError, inert, told
from harness.measures.registry import metrics
from harness.report.charts import RUN_CHARTS, Draw, charts_of_findings, charts_of_run
from harness.report.environment import machine, peaks, summary, warnings
from harness.report.findings import finding_tables
from harness.report.outcomes import expectation_table
from harness.report.results import result_tables
from harness.report.table import Table
from harness.report.vega import vega_bundle
from harness.results.finding import Finding
from harness.results.run import Run
from harness.results.run_folder import HTML
from harness.whole_file import write_whole

if TYPE_CHECKING:
    from jinja2 import Template


def write_html(run: Run) -> Path:
    """Write `report.html` into the run folder. Raises UserError where the charts' code can't be had: the page is then
    written without charts."""
    path = run.folder / HTML
    try:
        text = html(run)
    except UserError as error:
        write_whole(path, html(run, with_charts=False))
        raise UserError(f"written without its charts: {error}", place=str(path)) from None
    write_whole(path, text)
    return path


def html(run: Run, *, with_charts: bool = True) -> str:
    """The report as one HTML document (about 1 MB, nearly all of it the charts' code). Raises UserError where there is
    a chart and its code can't be had."""
    drawn, not_drawn = _drawn(charts_of_run(run)) if with_charts else ({}, ["the charts could not be drawn"])
    manifest = run.manifest
    return _template("report.html.j2").render(
        manifest=manifest,
        summary=summary(run),
        warnings=[*warnings(run), *not_drawn],
        charts=drawn,
        first=[chart.name for chart in RUN_CHARTS if chart.measure is None],
        results=result_tables(run),
        findings=finding_tables(run.findings),
        expectations=expectation_table(run.expectations) if run.expectations else None,
        command=shlex.join(manifest.command),
        metrics=_definitions(run),
        machine=machine(run),
        peaks=peaks(run),
        models=_models(run),
        specs=_specs(drawn),
        vega=vega_bundle() if drawn else "",
    )


def findings_html(
    title: str, about: str, findings: Sequence[Finding], problems: Sequence[str], command: str, tables: Sequence[Table]
) -> str:
    """Findings without a run, as a page of the same kind: of data that were fitted on the command line."""
    drawn, not_drawn = _drawn(charts_of_findings(findings))
    return _template("findings.html.j2").render(
        title=title,
        about=about,
        warnings=[*problems, *not_drawn],
        charts=drawn,
        tables=tables,
        command=command,
        specs=_specs(drawn),
        vega=vega_bundle() if drawn else "",
    )


def _drawn(charts: Mapping[str, tuple[Draw, str]]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The charts that there is something to draw of, and which could not be drawn: the numbers stand without them."""
    drawn, not_drawn = {}, []
    # the charts' descriptions are checked in the tests; checking them again would take most of the time
    for name, (draw, caption) in charts.items():
        try:
            chart = draw()
            if chart is not None:
                drawn[name] = {"spec": chart.to_dict(validate=False), "caption": caption}
        except Exception as error:
            not_drawn.append(f"the chart `{name}` could not be drawn: {told(error)}")
    return drawn, not_drawn


def _specs(drawn: Mapping[str, Mapping[str, Any]]) -> str:
    return _json_in_script({name: chart["spec"] for name, chart in drawn.items()})


def _definitions(run: Run) -> list[Any]:
    """Declarations of the metrics that the run has, in the order of the measures."""
    there = {record.metric_id for cell in run.cells for record in cell.records}
    return [metric for metric in metrics() if metric.id in there]


def _models(run: Run) -> list[tuple[str, str]]:
    return [
        (name, ", ".join(f"{key} {value}" for key, value in facts.items() if not isinstance(value, dict | list)))
        for name, facts in run.manifest.models.items()
    ]


def _json_in_script(data: Any) -> str:
    """JSON that can't end the script element or open a comment in it."""
    text = strict_json.dumps(_inert(strict_json.drawn(data)))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


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
