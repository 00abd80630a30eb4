"""Every analysis by name. A new one of ours is one file and one line here; one of another package is an entry point
`harness.analyses`."""

from collections.abc import Callable, Mapping

from harness.analysis.alignment.dialogs import DIALOGS
from harness.analysis.alignment.over_optimization import OVER_OPTIMIZATION
from harness.analysis.alignment.ranking import RANKING
from harness.analysis.alignment.reward_frontier import REWARD_FRONTIER
from harness.analysis.analysis import Analysis, AnalysisSettings, Pivot
from harness.analysis.emergence.analysis import EMERGENCE
from harness.analysis.mirage.analysis import MIRAGE
from harness.analysis.prompting.answer_changes import ANSWER_CHANGES
from harness.analysis.prompting.chain_of_thought_gain import CHAIN_OF_THOUGHT_GAIN
from harness.analysis.prompting.few_shot_slope import FEW_SHOT_SLOPE
from harness.analysis.quantization_cost import QUANTIZATION_COST
from harness.analysis.scaling.suite.compute_optimal import COMPUTE_OPTIMAL
from harness.analysis.scaling.suite.law_choice import LAW_CHOICE
from harness.analysis.scaling.suite.scaling_approaches import SCALING_APPROACHES
from harness.analysis.scaling.suite.scaling_fit import SCALING_FIT
from harness.analysis.scaling.suite.scaling_law import SCALING_LAW
from harness.analysis.scaling.suite.training_budget import TRAINING_BUDGET
from harness.charts.chart import Chart
from harness.plugins import with_plugins
from harness.promises import Promises

OURS: dict[str, Analysis] = {
    item.name: item
    for item in (
        SCALING_LAW,
        SCALING_FIT,
        SCALING_APPROACHES,
        LAW_CHOICE,
        COMPUTE_OPTIMAL,
        TRAINING_BUDGET,
        QUANTIZATION_COST,
        CHAIN_OF_THOUGHT_GAIN,
        FEW_SHOT_SLOPE,
        ANSWER_CHANGES,
        EMERGENCE,
        MIRAGE,
        DIALOGS,
        RANKING,
        REWARD_FRONTIER,
        OVER_OPTIMIZATION,
    )
}


PROMISES = Promises(
    fields={
        **{"about": str, "settings": type[AnalysisSettings], "run": Callable},
        **{"charts": tuple[Chart, ...], "pivot": Pivot | None},
    }
)
"""Of a plugin's analysis."""


def _why_not(analysis: Analysis, before: Mapping[str, Analysis]) -> str | None:
    known = {chart.name for other in before.values() for chart in other.charts}
    taken = [chart.name for chart in analysis.charts if chart.name in known]
    if taken:
        return f"has charts whose names are taken: {', '.join(taken)}"
    own = [chart.name for chart in analysis.charts]
    wrong = sorted({name for name in own if own.count(name) > 1 or not name.isidentifier()})
    return (
        f"has charts whose names aren't letters, digits and underscores, once each: {', '.join(wrong)}"
        if wrong
        else None
    )


ANALYSES = with_plugins("harness.analyses", Analysis, OURS, PROMISES, _why_not)
"""Those that ship and those of plugins, by name."""
