"""Every analysis by name. A new one is one file and one line here."""

from harness.analysis.analysis import Analysis
from harness.analysis.quantization_cost import QUANTIZATION_COST
from harness.analysis.scaling_law import SCALING_LAW

ANALYSES: dict[str, Analysis] = {item.name: item for item in (SCALING_LAW, QUANTIZATION_COST)}
