"""The list of analyses: what a suite is validated with, so that it has to be quick to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "pandas", "scipy", "altair", "pyarrow", "torch", "transformers")
"""What an analysis imports where it is run, and a chart where it is drawn."""


def imported(module: str) -> set[str]:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["harness.analysis.registry", "harness.charts.emergence", "harness.evidence.ratio"])
def test_nothing_heavy_is_imported_before_an_analysis_runs(module: str) -> None:
    found = imported(module)
    assert module in found
    assert [name for name in HEAVY if name in found] == []
    # the measures with all of the tasks take longer than everything else that is imported here
    assert not {"harness.measures.registry", "harness.tasks.task"} & found


def test_a_default_that_is_made_of_the_measures_is_in_the_schema_too() -> None:
    from harness.analysis.quantization_cost import QuantizationCostSettings, weighed

    schema = QuantizationCostSettings.model_json_schema()
    assert schema["properties"]["metrics"]["default"] == weighed() == QuantizationCostSettings().metrics
    assert "quality" in weighed() and "metrics" not in schema.get("required", [])
