"""What `harness fit` leaves in a folder: findings, draws, a page and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.report.charts import charts_of_findings
from harness.report.findings import finding_tables
from harness.report.html import findings_html
from harness.report.markdown import table_markdown
from harness.report.picture import write_pictures
from harness.results.finding import Finding
from harness.results.journal import json_list
from harness.whole_file import write_whole

if TYPE_CHECKING:
    import pandas as pd


def write_fit(
    folder: Path,
    title: str,
    about: str,
    findings: Sequence[Finding],
    problems: Sequence[str],
    command: str,
    draws: pd.DataFrame | None,
) -> list[Path]:
    """Write findings.json, fit.md, fit.html, draws.csv (the joint draws) and an SVG and PNG of every chart; returns
    what was written. Raises UserError where the charts can't be drawn; the numbers are then written."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = finding_tables(findings)
    text = "\n\n".join([f"# {title}", about, *(f"> **Warning:** {text}" for text in problems)])
    files = {
        "findings.json": json_list(item.model_copy(update={"data": {}}) for item in findings),
        "fit.md": "\n\n".join([text, *map(table_markdown, tables), f"Made by `{command}`."]) + "\n",
    }
    if draws is not None:
        files["draws.csv"] = draws.to_csv(index=False)
    for name, content in files.items():
        write_whole(folder / name, content)
    page = folder / "fit.html"  # after the numbers: the charts' code can't always be had
    write_whole(page, findings_html(title, about, findings, problems, command, tables))
    return [folder / name for name in files] + [page, *_pictures(folder, findings)]


def _pictures(folder: Path, findings: Sequence[Finding]) -> list[Path]:
    specs: dict[Path, dict[str, Any]] = {}
    for name, (draw, _) in charts_of_findings(findings).items():
        if (chart := draw()) is not None:
            spec = chart.to_dict(validate=False)
            specs |= {folder / f"{name}.{kind}": spec for kind in ("svg", "png")}
    write_pictures(specs)
    return list(specs)
