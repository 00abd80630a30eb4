"""Charts of a fit, from findings alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.analysis.registry import ANALYSES
from harness.analysis.scaling.findings import findings
from harness.analysis.scaling.report import ScalingReport, scaling_report
from harness.analysis.scaling.runs import runs_from_frame
from harness.analysis.scaling.suite.settings import FitSettings
from tests.harness.chinchilla_report import chinchilla_report

CHARTS = {chart.name: chart for chart in ANALYSES["scaling_fit"].charts}


@pytest.fixture(scope="module")
def report() -> ScalingReport:
    return chinchilla_report()


@pytest.mark.parametrize("name", CHARTS)
def test_each_chart_is_valid_and_draws_every_run(report: ScalingReport, name: str) -> None:
    chart = CHARTS[name].draw(findings(report))
    assert chart is not None and CHARTS[name].about
    spec: dict[str, Any] = chart.to_dict()  # altair checks it against Vega-Lite's schema
    rows = [len(values) for values in spec["datasets"].values()]
    if name in ("scaling_fit_compute", "scaling_fit_residuals", "scaling_fit_surface"):
        assert 30 in rows
    if name == "scaling_fit_predictions":
        assert 6 in rows
    assert CHARTS[name].draw([]) is None


def test_no_empty_panels_without_intervals_and_profiles() -> None:
    frame = pd.DataFrame({"C": np.geomspace(1e18, 1e22, 12), "N": np.geomspace(1e8, 1e10, 12)})
    frame["loss"] = 2 + 30 * frame["C"] ** -0.07
    settings = FitSettings(law="power_law_with_floor", replicates=0, profiles=False)
    found = findings(scaling_report(runs_from_frame(frame), settings))
    assert CHARTS["scaling_fit_compute"].draw(found) is None
    assert CHARTS["scaling_fit_predictions"].draw(found) is None
    assert CHARTS["scaling_fit_profiles"].draw(found) is None
    assert CHARTS["scaling_fit_residuals"].draw(found) is not None
    assert all(item.low is None for item in found)
