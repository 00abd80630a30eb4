"""A chart as a picture file, for a README: PNG or SVG by the file's ending, without a browser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.report.charts import figures_of_run, names_of_charts
from harness.report.vl_convert_process import Call, vl_convert
from harness.results.run import Run

LIGHT: dict[str, Any] = {
    "background": "white",
    "font": "DejaVu Sans, Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {"gridColor": "#e6e8eb", "domainColor": "#9aa1a9", "tickColor": "#9aa1a9"},
}


def chart_png(run: Run, name: str, path: Path, scale: float = 2.0) -> Path:
    """Draw the chart `name` into `path`, a .png or .svg file. Raises UserError."""
    if name not in (known := names_of_charts()):
        raise UserError(f"no chart is called '{name}'; there are {', '.join(known)}")
    figure = next((figure for figure in figures_of_run(run, run.findings) if figure.name == name), None)
    chart = None if figure is None else figure.draw()
    if chart is None:
        raise UserError(f"the run has nothing to show in the chart '{name}'", place=str(run.folder))
    write_pictures({path: chart.to_dict()}, scale)
    return path


def write_pictures(specs: Mapping[Path, dict[str, Any]], scale: float = 2.0) -> None:
    """Draw Vega-Lite descriptions into .png and .svg files. Raises UserError."""
    pictures = vl_convert(*(_call(path, spec, scale) for path, spec in specs.items()))
    for path, picture in zip(specs, pictures, strict=True):
        path.write_bytes(picture)


def _call(path: Path, spec: dict[str, Any], scale: float) -> Call:
    if path.suffix == ".png":
        return Call("vegalite_to_png", (spec,), {"scale": scale, "config": LIGHT})
    if path.suffix == ".svg":
        return Call("vegalite_to_svg", (spec,), {"config": LIGHT})
    raise UserError("a picture is a .png or an .svg file", place=str(path))
