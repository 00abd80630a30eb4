"""Charts that have nothing to draw cost nothing: most runs have something for none or for a few."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.analysis.registry import ANALYSES
from harness.report.charts import RUN_CHARTS
from harness.results.run import Run

PROGRAM = """
import sys
from pathlib import Path
from harness.analysis.registry import ANALYSES
from harness.report.charts import RUN_CHARTS
from harness.results.run import Run
run = Run(Path(sys.argv[1]))
drawn = [chart.draw(run) for chart in RUN_CHARTS]
drawn += [chart.draw([]) for analysis in ANALYSES.values() for chart in analysis.charts]
print(len(drawn), set(drawn), "altair" in sys.modules)
"""


def test_altair_is_imported_for_what_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "cells.jsonl").write_text("")
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True)
    charts = len(RUN_CHARTS) + sum(len(analysis.charts) for analysis in ANALYSES.values())
    assert (done.stdout, done.stderr) == (f"{charts} {{None}} False\n", "")


def test_a_run_with_something_to_draw_imports_it(full_run: Run) -> None:
    """The known-bad input: where a chart is drawn, the test above would say True."""
    program = PROGRAM.replace("len(drawn), set(drawn), ", "")
    done = subprocess.run([sys.executable, "-c", program, str(full_run.folder)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
