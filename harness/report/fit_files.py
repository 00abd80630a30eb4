"""What `harness fit` leaves in a folder: findings, draws, a page and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.report.drawing import Drawing
from harness.report.html import write_html
from harness.report.markdown import markdown
from harness.report.picture import write_pictures
from harness.report.report import Report
from harness.results.finding import Finding
from harness.results.journal import json_list
from harness.whole_file import write_whole

if TYPE_CHECKING:
    import pandas as pd


def write_fit(folder: Path, report: Report, findings: Sequence[Finding], draws: pd.DataFrame | None) -> list[Path]:
    """Write findings.json, fit.md, fit.html, draws.csv (the joint draws) and an SVG and PNG of every chart; returns
    what was written. Raises UserError where the charts can't be drawn; the numbers are then written."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "findings.json": json_list(item.model_copy(update={"data": {}}) for item in findings),
        "fit.md": markdown(report),
    }
    if draws is not None:
        files["draws.csv"] = draws.to_csv(index=False)
    for name, content in files.items():
        write_whole(folder / name, content)
    page = folder / "fit.html"  # after the numbers: the charts' code can't always be had
    return [folder / name for name in files] + [page, *_pictures(folder, write_html(report, page))]


def _pictures(folder: Path, drawn: Drawing) -> list[Path]:
    specs = {folder / f"{name}.{kind}": chart.spec for name, chart in drawn.charts.items() for kind in ("svg", "png")}
    write_pictures(specs)
    if drawn.not_drawn:
        raise UserError("; ".join(drawn.not_drawn), place=str(folder))
    return list(specs)
