"""One self-contained HTML file: works from a disk, offline, in light and dark; nothing is loaded from anywhere.

The page is a Jinja template with autoescaping; the charts' descriptions travel as JSON in a script element that the
browser does not run.
"""

from __future__ import annotations

import json
import shlex
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.measures.registry import MEASURES
from harness.report.environment import machine, peaks, summary, warnings
from harness.report.findings import finding_tables
from harness.report.outcomes import expectation_table
from harness.report.results import result_tables
from harness.results.run import Run
from harness.whole_file import write_whole

if TYPE_CHECKING:
    from jinja2 import Template

HTML = "report.html"


def write_html(run: Run) -> Path:
    """Write `report.html` into the run folder."""
    path = run.folder / HTML
    write_whole(path, html(run))
    return path


def html(run: Run) -> str:
    """The report as one HTML document (about 1 MB, nearly all of it the charts' code)."""
    drawn = _charts(run)
    manifest = run.manifest
    return _template().render(
        manifest=manifest,
        summary=summary(run),
        warnings=warnings(run),
        charts=drawn,
        results=result_tables(run),
        findings=finding_tables(run.findings),
        expectations=expectation_table(run.expectations) if run.expectations else None,
        command=shlex.join(manifest.command),
        metrics=_definitions(run),
        machine=machine(run),
        peaks=peaks(run),
        models=_models(run),
        specs=_json_in_script({name: chart["spec"] for name, chart in drawn.items()}),
        vega=_vega() if drawn else "",
    )


def _charts(run: Run) -> dict[str, dict[str, Any]]:
    from harness.report.charts.registry import CHARTS

    drawn = {}
    # the charts' descriptions are checked in the tests; checking them again would take most of the time
    for name, (draw, caption) in CHARTS.items():
        chart = draw(run)
        if chart is not None:
            drawn[name] = {"spec": chart.to_dict(validate=False), "caption": caption}
    return drawn


def _vega() -> str:
    from harness.report.vega import vega_bundle

    return vega_bundle()


def _definitions(run: Run) -> list[Any]:
    """Declarations of the metrics that the run has, in the order of the measures."""
    there = {record.metric_id for cell in run.cells for record in cell.records}
    return [metric for measure in MEASURES.values() for metric in measure.metrics if metric.id in there]


def _models(run: Run) -> list[tuple[str, str]]:
    return [
        (name, ", ".join(f"{key} {value}" for key, value in facts.items() if not isinstance(value, dict | list)))
        for name, facts in run.manifest.models.items()
    ]


def _json_in_script(data: Any) -> str:
    """JSON that can't end the script element or open a comment in it."""
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("harness.report").joinpath("report.html.j2").read_text(encoding="utf-8"))
