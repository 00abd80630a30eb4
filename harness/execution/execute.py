"""Cells to results: what is known from earlier runs first, then what an executor answers, each as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.execution.cell_results import CellResults, Done, under_own_names
from harness.execution.executor import Answered, Executor
from harness.execution.needs import peaks_of
from harness.execution.plan import PlannedCell
from harness.execution.requests import Refused
from harness.results.record import Status


def execute(items: Sequence[PlannedCell], executor: Executor, results: CellResults, *, fresh: bool) -> Iterator[Done]:
    """Run cells; those whose model can't be measured so are skipped with the reason. With `fresh`, known results are
    measured again. A cell that could not be summed up is summed up again from the samples that its last try left.
    Raises OSError where there is no room for a file."""
    for item in items:
        if item.unsupported is not None:
            yield results.refused(item, Refused(Status.SKIPPED, item.unsupported), 0.0)
    items = [item for item in items if item.unsupported is None]
    executor.look(items)
    known = [] if fresh else [item for item in items if item.cached]
    unknown = [item for item in items if fresh or not item.cached]
    for item in known:
        done = results.known(item)
        if done is None:
            unknown.append(item)
        else:
            yield done
    if not unknown:
        return
    of_key = {item.key: item for item in reversed(unknown)}
    once = list(of_key.values())[::-1]
    twins = [item for item in unknown if of_key[item.key] is not item]  # the same result under another name
    measured: dict[str, Done] = {}
    for answered in executor.run(once):
        done = _result(answered, executor, results)
        measured[done.item.key] = done
        yield done
    for item in twins:
        yield under_own_names(item, measured[item.key])


def _result(answered: Answered, executor: Executor, results: CellResults) -> Done:
    item, answer = answered.item, answered.answer
    if isinstance(answer, Refused):
        return results.refused(item, answer, answered.seconds)
    return results.summed_up(item, answer, executor.peaks.get(peaks_of(item)))
