"""Every measure by its name in a suite, and every metric by its name in a record. Imports no torch."""

from harness.errors import UserError
from harness.measures.activations import ACTIVATIONS
from harness.measures.diversity import DIVERSITY
from harness.measures.fidelity import FIDELITY
from harness.measures.in_context import IN_CONTEXT
from harness.measures.in_context_regression import IN_CONTEXT_REGRESSION
from harness.measures.inference import INFERENCE
from harness.measures.kv_cache import KV_CACHE
from harness.measures.measure import Measure
from harness.measures.memory import MEMORY
from harness.measures.perplexity import PERPLEXITY
from harness.measures.task.measure import TASK
from harness.measures.training import TRAINING
from harness.measures.training_speed import TRAINING_SPEED
from harness.results.record import Metric, Record

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        PERPLEXITY,
        TASK,
        FIDELITY,
        INFERENCE,
        MEMORY,
        DIVERSITY,
        KV_CACHE,
        TRAINING,
        TRAINING_SPEED,
        ACTIVATIONS,
        IN_CONTEXT,
        IN_CONTEXT_REGRESSION,
    )
}


def metric(name: str) -> Metric:
    """The metric of this name (`tpot`) or id (`tpot@1`), of whichever measure. Raises UserError if there is none."""
    for measure in MEASURES.values():
        for declared in measure.metrics:
            if name in (declared.name, declared.id):
                return declared
    known = ", ".join(sorted({declared.name for measure in MEASURES.values() for declared in measure.metrics}))
    raise UserError(f"no metric is called '{name}'; there are {known}")


def declared(record: Record) -> Metric | None:
    """The declaration of a record's metric; None where its measure declares none of that name: a task file's own
    metric, or a measure that is not installed."""
    measure = MEASURES.get(record.measure)
    return None if measure is None else measure.metric(record.metric)
