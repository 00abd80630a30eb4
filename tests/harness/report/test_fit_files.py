"""What `harness fit` leaves in a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.scaling.findings import findings
from harness.analysis.scaling.report import ScalingReport
from harness.errors import UserError
from harness.report.fit_files import write_fit
from harness.report.making import of_findings
from tests.harness.chinchilla_report import chinchilla_report


@pytest.fixture(scope="module")
def report() -> ScalingReport:
    return chinchilla_report()


def test_files(report: ScalingReport, tmp_path: Path) -> None:
    draws = pd.DataFrame(report.draws.natural if report.draws else [], columns=list(report.fit.law.names))
    title = "Law of <runs> & more"
    found = findings(report)
    made = of_findings(title, "about", found, ["a | problem"], "harness fit x")
    written = write_fit(tmp_path / "fit", made, found, draws)
    assert all(path.is_file() and path.stat().st_size for path in written)
    names = {path.name for path in written}
    assert {"findings.json", "fit.md", "fit.html", "draws.csv", "scaling_fit_compute.svg"} <= names
    page = (tmp_path / "fit" / "fit.html").read_text()
    assert "Law of &lt;runs&gt; &amp; more" in page and "a | problem" in page
    assert 'id="chart-scaling_fit_compute"' in page
    assert {item["name"] for item in json.loads((tmp_path / "fit" / "findings.json").read_text())} >= {"trust", "alpha"}
    assert len(pd.read_csv(tmp_path / "fit" / "draws.csv")) == 100


def test_a_chart_that_can_t_be_drawn_costs_no_number(report: ScalingReport, tmp_path: Path) -> None:
    def fails() -> None:
        raise ValueError("no axis")

    found = findings(report)
    made = of_findings("Law", "about", found, [], "harness fit x")
    figures = [replace(one, draw=fails) if one.name == "scaling_fit_compute" else one for one in made.figures]
    with pytest.raises(UserError, match=r"the chart `scaling_fit_compute` could not be drawn: no axis"):
        write_fit(tmp_path, replace(made, figures=tuple(figures)), found, None)
    assert "could not be drawn" in (tmp_path / "fit.html").read_text()
    assert (tmp_path / "fit.md").is_file() and (tmp_path / "scaling_fit_residuals.png").is_file()
