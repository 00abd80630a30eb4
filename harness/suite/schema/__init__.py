"""What a suite may say. The editor schema (`harness schema suite`) is made from these models.

A suite's matrix is the product of its axes. A model or a measure may narrow or widen an axis for itself with its
own `matrix`. A list under a measure's setting is an axis too: `batch: [1, 8]` makes two cells.
"""

from harness.suite.schema.entries import SWEEPABLE, AnalysisEntry, MeasureEntry
from harness.suite.schema.matrix import Matrix
from harness.suite.schema.model_entry import ModelEntry
from harness.suite.schema.suite import Suite
from harness.suite.schema.training import RECIPE, Shape, Train

__all__ = ["RECIPE", "SWEEPABLE", "AnalysisEntry", "Matrix", "MeasureEntry", "ModelEntry", "Shape", "Suite", "Train"]
