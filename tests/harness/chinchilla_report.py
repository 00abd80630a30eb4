"""A report of a fit: thirty runs of a Chinchilla law with a little noise, of which the largest budgets are held out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.report import ScalingReport, scaling_report
from harness.analysis.scaling.runs import runs_from_frame
from harness.analysis.scaling.suite.settings import FitSettings

TRUTH = np.array([1.8, 480.0, 2000.0, 0.35, 0.37])


def chinchilla_report() -> ScalingReport:
    """Six sizes under five budgets, fitted below 9e20 FLOPs."""
    generator = np.random.default_rng(0)
    size = np.tile(np.geomspace(1e8, 5e9, 6), 5)
    compute = np.repeat(np.geomspace(1e19, 1e21, 5), 6)
    tokens = compute / 6 / size
    loss = Chinchilla().predict(TRUTH, size, tokens) * np.exp(0.003 * generator.standard_normal(30))
    frame = pd.DataFrame({"N": size, "D": tokens, "loss": loss})
    return scaling_report(runs_from_frame(frame, counted="all"), FitSettings(replicates=100, fit_below=9e20))
