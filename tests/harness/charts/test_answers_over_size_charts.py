"""Charts of the gain of chain of thought and of the mirage battery: the data that they draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.analysis.mirage.analysis import _findings
from harness.analysis.mirage.battery import battery
from harness.charts.chain_of_thought_gain import chain_of_thought_gain, crossover_band, gain_values
from harness.charts.mirage import metric_values, mirage
from harness.results.finding import Finding


def ladder(
    value: float | None = 2e7, low: float | None = 0.0, high: float | None = 3e7, verdict: str = "between"
) -> Finding:
    points = [
        {
            "model": f"m{size:g}",
            "size": size,
            "value": gain,
            "low": gain - 2 if gain else None,
            "high": gain + 2 if gain else None,
            "direct": 0.1,
            "cot": 0.1 + gain / 100,
            "extraction_failure": {"direct": 0.0, "cot": None},
        }
        for size, gain in ((1e6, -3.0), (1e7, 0.0), (1e8, 20.0))
    ]
    return Finding(
        analysis="chain_of_thought_gain",
        name="crossover",
        value=value,
        low=low,
        high=high,
        subject={"task": "sums", "part": "strict-match", "shots": 0},
        data={"over": "parameters", "verdict": verdict, "below": 1e7, "above": 1e8, "points": points},
    )


def test_a_gain_is_drawn_with_its_interval_and_its_crossover(tmp_path: Path) -> None:
    found = ladder()
    rows = gain_values(found)
    assert [row["gain"] for row in rows] == [-3.0, 0.0, 20.0]
    assert rows[1]["gain_low"] == rows[1]["gain_high"] == 0.0  # an end that is missing
    assert rows[0]["unfound"] == "no answer found in 0.0% and not known"
    assert crossover_band(found) == {"at": 2e7, "low": 1e6, "high": 3e7}  # an open end lies at the smallest size
    assert _drawn(chain_of_thought_gain([found]), tmp_path)


def test_a_crossover_that_is_not_there_has_no_band(tmp_path: Path) -> None:
    found = ladder(None, None, None, "not identified")
    assert crossover_band(found) is None
    chart = chain_of_thought_gain([found])
    assert "crossover: not identified" in str(chart.to_dict())  # type: ignore[union-attr]


def _answers() -> list[Finding]:
    generator = np.random.default_rng(0)
    frames = []
    for size, p in zip(np.geomspace(1e5, 1e9, 5), (0.2, 0.4, 0.6, 0.8, 0.97), strict=True):
        hits = (generator.uniform(size=(200, 6)) < p).sum(axis=1)
        columns: dict[str, Any] = {"right": (hits == 6).astype(float), "token_accuracy": hits / 6, "tokens": 6}
        frames.append(pd.DataFrame({"parameters": size, "document": range(200), "hits": hits, **columns}))
    return list(_findings(battery(pd.concat(frames)), {"task": "sums"}, {}))


def test_a_mirage_has_a_panel_per_metric(tmp_path: Path) -> None:
    found = _answers()
    curves = found[0].data["curves"]
    assert [curve["metric"] for curve in curves] == ["exact_match", "token_accuracy"]
    rows = metric_values(curves[0])
    assert rows[0]["zero"] and not rows[-1]["zero"]
    assert rows[0]["low"] == 0 < rows[0]["high"]
    assert _drawn(mirage(found), tmp_path)


def test_nothing_to_draw_is_no_chart() -> None:
    assert chain_of_thought_gain([]) is None and mirage([]) is None
    assert chain_of_thought_gain([Finding(analysis="chain_of_thought_gain", name="gain", note="nothing")]) is None


def _drawn(chart: Any, folder: Path) -> bool:
    import vl_convert

    return bool(vl_convert.vegalite_to_svg(chart.to_dict()).startswith("<svg"))
