"""`task`: few-shot, chain-of-thought and generation tasks in lm-evaluation-harness' format.

A document becomes a prompt, the model answers (by the likelihood of choices, of a text, or by writing), the answer is
judged, and the documents become one number per metric with an interval. All documents are planned together, so that
what their prompts share is read once. A group of tasks is one cell: its tasks are strata.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.corpora.microworld import NAMES as EMBEDDED
from harness.errors import UserError
from harness.measures.cost import TOKENS_AT_ONCE, Passes
from harness.measures.measure import Measure, in_first_row
from harness.measures.task.collection import collect
from harness.measures.task.samples.columns import CONTEXT, WHOLE_DOCUMENTS
from harness.measures.task.settings import TaskSettings
from harness.measures.task.summary import (
    BROKEN,
    CHANCE,
    CUT_OFF,
    DOCUMENTS,
    TRUNCATED,
    UNFINISHED_THOUGHTS,
    WRONG_BY_SPACE,
    leaves_of,
    summarize,
)
from harness.models.adapter import Capability
from harness.models.shape import ModelShape
from harness.tasks.files.library import TaskLibrary
from harness.tasks.judging.metric_table import BUILT_IN

if TYPE_CHECKING:
    from harness.tasks.files.library import Opened


def check(library: TaskLibrary, settings: TaskSettings) -> None:
    """Open the task and look whether it can be asked and judged in this way. Reads no data. Raises UserError."""
    from harness.measures.task.documents import prepared
    from harness.tasks.aggregation.group_scores import check_group

    opened = library.open(settings.task)
    for group in opened.groups:
        check_group(group)
    if settings.mode == "right" and (twice := library.said_twice(settings.task, opened)):
        raise UserError("\n".join(twice))
    prepared(opened, settings)


def notes(library: TaskLibrary, settings: TaskSettings) -> tuple[str, ...]:
    """Whose task file is asked, where that may not be the one that is meant. Raises UserError."""
    opened = library.open(settings.task)
    found = list(opened.notes)
    shipped = [task for task in opened.tasks if task.is_shipped and task.config.dataset_path not in EMBEDDED]
    if settings.mode == "lm-eval" and shipped:
        found.append(
            f"mode lm-eval asks our own task file of {opened.name}, whose data and examples may differ from lm-eval's; "
            "for lm-eval's own, name its folder of task files in `tasks: {paths: [...]}`, or by `--tasks-path`"
        )
    lacking = [why for task in opened.tasks if (why := task.missing or task.missing_data)]
    return (*found, *map(str, lacking if len(lacking) < len(opened.tasks) else ()), *_lacking(opened, settings))


def _lacking(opened: Opened, settings: TaskSettings) -> Iterator[str]:
    """What a group asks for and no task in it will give, where that can be known before anything runs."""
    from harness.measures.task.documents import prepared
    from harness.tasks.aggregation.group_scores import not_given
    from harness.tasks.judging.specification import keys_to_come

    if settings.mode == "lm-eval" or not opened.groups:
        return
    to_come = {task.name: keys_to_come(task.config) for task in prepared(opened, settings)}
    members = {group.group: group.members for group in opened.groups}
    for group in opened.groups:
        mine = [to_come[name] for name in leaves_of(group.group, members) if name in to_come]
        known = [keys for keys in mine if keys is not None]
        if len(known) == len(mine):
            keys = [key for one in known for key in one]
            listed = [key for one in known for key, is_listed in one.items() if is_listed]
            yield from (f"group {group.group}: {told}" for told in not_given(group.aggregate, keys, listed))


def needs(library: TaskLibrary, settings: TaskSettings) -> dict[Capability, str]:
    """What its tasks ask of a model: how likely texts are, or to write."""
    from harness.measures.task.documents import prepared

    kinds = {task.config.output_type for task in prepared(library.open(settings.task), settings)}
    asked: dict[Capability, str] = {}
    if settings.likelihood or kinds - {"generate_until"}:
        asked["scores"] = ""
    if "generate_until" in kinds:
        asked["generates"] = ""
    return asked


def _passes(settings: TaskSettings, shape: ModelShape) -> Passes:
    longest = min(shape.context, TOKENS_AT_ONCE)
    return Passes(longest, longest, 2 * longest)


TASK = Measure(
    name="task",
    version=2,
    about="Few-shot, chain-of-thought and generation tasks in lm-evaluation-harness' format.",
    settings=TaskSettings,
    undeclared_metrics=True,
    metrics=(
        *(built_in.metric for built_in in BUILT_IN.values()),
        *(CHANCE, DOCUMENTS, BROKEN, TRUNCATED, WRONG_BY_SPACE, CUT_OFF, UNFINISHED_THOUGHTS),
    ),
    isolated=False,
    needs_peaks=False,
    fills=(("context",),),
    collect=collect,
    summarize=summarize,
    resolved=in_first_row(CONTEXT.name, WHOLE_DOCUMENTS.name),
    tasks=lambda settings: (settings.task,),
    check=check,
    notes=notes,
    needs=needs,
    passes=_passes,
)
