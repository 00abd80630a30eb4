"""Rows of documents become the numbers of tasks and groups: arithmetic, without the task files or a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.measures.measure import Facts
from harness.measures.task.lost_text import parted
from harness.measures.task.samples import columns
from harness.measures.task.samples.frames import by_task, judged, mean_chance
from harness.measures.task.settings import TaskSettings
from harness.results.record import Direction, Measurement, Metric, Missing, Status

if TYPE_CHECKING:
    import pandas as pd

    from harness.tasks.aggregation.estimate import Estimate


DOCUMENTS = Metric(
    name="judged_documents",
    unit="documents",
    direction=Direction.NONE,
    definition="Documents that were asked and judged.",
    detail=True,
)
BROKEN = Metric(
    name="broken_documents",
    unit="documents",
    direction=Direction.LOWER,
    definition="Documents that could not be asked or judged (their samples say why). They count in no other metric.",
    detail=True,
)
TRUNCATED = Metric(
    name="truncated_documents",
    unit="documents",
    direction=Direction.LOWER,
    definition="Documents whose prompt did not fit the model's context and lost its beginning.",
    detail=True,
    counted=True,
)
WRONG_BY_SPACE = Metric(
    name="wrong_by_space",
    unit="documents",
    direction=Direction.LOWER,
    definition="Mode lm-eval: documents whose answer differs from a target only in white space at the ends, which "
    "lm-eval compares too. Mode right strips it.",
    detail=True,
)
CUT_OFF = Metric(
    name="cut_off_answers",
    version=2,
    unit="share",
    direction=Direction.LOWER,
    definition="Share of generated answers that reached their token limit before a stop string or an end token.",
)
UNFINISHED_THOUGHTS = Metric(
    name="unfinished_thoughts",
    unit="share",
    direction=Direction.LOWER,
    definition="Of a model that thinks before it answers, the share of generated answers that never came: it still "
    "thought when it was cut off or ended. They are judged as empty, and nothing is extracted from them.",
)
CHANCE = Metric(
    name="chance",
    unit="share",
    direction=Direction.NONE,
    definition="Accuracy of guessing: mean over documents of right choices / choices, or what the task file says.",
    counted=True,
)


def summarize(samples: pd.DataFrame, settings: TaskSettings, facts: Facts) -> list[Measurement | Missing]:
    """Every metric of every task, and of the groups; then how many documents there were and what became of them.

    A task (or one metric of it) that can't be summed up is missing with its reason, and with it the numbers of the
    groups around it: a mean without one of its tasks would be another number. Raises UserError where nothing is left.
    """
    rows_of = dict(by_task(samples))
    specs = {name: columns.SPEC.first(frame) for name, frame in rows_of.items()}
    estimates: dict[str, list[Estimate]] = {}
    wrong: dict[str, list[str]] = {name: [reason] for name, reason in columns.FAILED.first(samples).items()}
    withheld: dict[str, list[Missing]] = {}
    several = len(rows_of) + len(wrong) > 1
    for name, frame in rows_of.items():
        given, wrong[name] = estimated(frame, specs[name])
        estimates[name], withheld[name] = parted(frame, given, specs[name], name if several else None)
    if not any(estimates.values()) and any(wrong.values()):
        raise UserError(next(reason for reasons in wrong.values() for reason in reasons))
    found: list[Measurement | Missing] = []
    if several:
        found += _of_groups(samples, settings, estimates, wrong, specs)
    for name, reasons in wrong.items():
        part = name if several else None
        found += [measurement(estimate, specs[name], part) for estimate in estimates.get(name, ())]
        found += [Missing(reason=f"task {name}: {reason}", part=part) for reason in reasons]
        found += withheld.get(name, [])
    return [*found, *counts(samples)]


def _of_groups(
    samples: pd.DataFrame,
    settings: TaskSettings,
    estimates: Mapping[str, Sequence[Estimate]],
    wrong: Mapping[str, Sequence[str]],
    specs: Mapping[str, Mapping[str, Any]],
) -> Iterator[Measurement | Missing]:
    """The numbers of every group in the cell, the one that was asked for first, and why some have none."""
    from harness.tasks.aggregation.group_scores import not_given, summarize_group
    from harness.tasks.judging.specification import entry_of

    for place, (group, members, aggregate) in enumerate(groups_of(samples, settings.task, list(wrong))):
        part = None if place == 0 else group
        inside = {name: estimates[name] for name in members if estimates.get(name)}
        lost = [name for name in members if name not in inside]
        if lost or not inside:
            of = f"its tasks {', '.join(lost)} have" if len(lost) != 1 else f"its task {lost[0]} has"
            yield Missing(reason=f"the group {group} has no number, because {of} none", part=part)
            continue
        spec = specs[next(iter(inside))]
        for estimate in summarize_group(aggregate, inside, mode=settings.mode):
            yield measurement(estimate, spec, part)
        if settings.mode == "right":
            keys = [estimate.key for mine in inside.values() for estimate in mine]
            listed = [e.key for name, mine in inside.items() for e in mine if entry_of(e.key, specs[name])["listed"]]
            for told in not_given(aggregate, keys, listed):
                yield Missing(reason=f"group {group}: {told}", part=part, status=Status.SKIPPED)


def estimated(frame: pd.DataFrame, spec: Mapping[str, Any]) -> tuple[list[Estimate], list[str]]:
    """The numbers of one task from its rows, and why it lacks some."""
    from harness.tasks.aggregation.aggregate import keys_of, one_key

    rows = judged(frame)
    if rows.empty:
        return [], [f"none of its {len(frame)} documents could be asked and judged: {columns.BROKEN.first(frame)}"]
    items, clusters = columns.ITEMS.each(rows), columns.CLUSTER.all(rows)
    found: list[Estimate] = []
    wrong = [spec["wrong"]] if "wrong" in spec else []
    for key in keys_of(items, spec):
        try:
            estimate = one_key(key, items, clusters, spec)
        except UserError as error:
            wrong.append(str(error))
            continue
        if estimate is not None and spec["mode"] == "right" and estimate.value != estimate.value:
            numbers = [float("nan") if key not in item else item[key] for item in items]
            lost = [document for document, x in zip(columns.DOCUMENT.each(rows), numbers, strict=True) if x != x]
            told = f"{len(lost)} of {len(items)} documents scored NaN, such as document {lost[0]}" if lost else "NaN"
            wrong.append(f"`{key}` is no number: {told}")
        elif estimate is not None:
            found.append(estimate)
    return found, wrong


def measurement(estimate: Estimate, spec: Mapping[str, Any], task: str | None) -> Measurement:
    """An estimate as the measure's value: the task of a group and the filter pipeline are its part."""
    from harness.tasks.judging.specification import declared, name_of

    _, pipeline = name_of(estimate.key, spec)
    named = [name for name in (task, None if pipeline == "none" else pipeline) if name is not None]
    return Measurement(
        metric=declared(estimate.key, spec),
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        interval=estimate.how,
        n=estimate.n,
        n_unit=estimate.n_unit,
        part="/".join(named) or None,
    )


def counts(samples: pd.DataFrame) -> Iterator[Measurement]:
    """What became of the documents."""
    from harness.statistics.proportions import clustered_proportion

    rows = judged(samples)
    n = {"n": len(samples), "n_unit": "documents"}
    if (chance := mean_chance(rows)) is not None:
        yield Measurement(metric=CHANCE, value=chance, n=len(rows), n_unit="documents")
    yield Measurement(metric=DOCUMENTS, value=len(rows), **n)
    yield Measurement(metric=BROKEN, value=len(samples) - len(rows), **n)
    yield Measurement(metric=TRUNCATED, value=sum(max(cut, default=0) > 0 for cut in columns.CUT.each(rows)), **n)
    if columns.WRONG_BY_SPACE.has_values_in(rows):
        yield Measurement(metric=WRONG_BY_SPACE, value=columns.WRONG_BY_SPACE.each(rows).count(True), **n)
    if written := [ends for ends in columns.FINISH.all(rows) if ends]:
        answers = [len(ends) for ends in written]
        cut_off = clustered_proportion([ends.count("length") for ends in written], answers)
        how = "Wilson over documents" if max(answers) == 1 else "Wilson, effective n over documents, t"
        yield Measurement(
            metric=CUT_OFF,
            value=cut_off.value,
            low=cut_off.low,
            high=cut_off.high,
            interval=how if cut_off.low is not None else "none: one document",
            n=len(written),
            n_unit="documents",
        )
    if told := [came for came in columns.ANSWERED.all(rows) if came]:
        unfinished = clustered_proportion([one.count(False) for one in told], [len(one) for one in told])
        yield Measurement(
            metric=UNFINISHED_THOUGHTS,
            value=unfinished.value,
            low=unfinished.low,
            high=unfinished.high,
            interval="Wilson, effective n over documents, t" if unfinished.low is not None else "none: one document",
            n=len(told),
            n_unit="documents",
        )


def groups_of(
    samples: pd.DataFrame, asked: str, tasks: list[str]
) -> Iterator[tuple[str, list[str], Sequence[Mapping[str, Any]]]]:
    """(name, its tasks, how they are summed up) of every group in the cell, the one that was asked for first; a tag
    is a group of its tasks by the default rule."""
    groups = columns.GROUPS.first(samples)
    members = {group.group: group.members for group in groups}
    if not groups:
        yield asked, tasks, ()
    for group in groups:
        yield group.group, leaves_of(group.group, members), group.aggregate


def leaves_of(name: str, members: Mapping[str, Sequence[str]]) -> list[str]:
    """The tasks in a group, through the groups within. members: of each group."""
    return [leaf for member in members[name] for leaf in leaves_of(member, members)] if name in members else [name]
