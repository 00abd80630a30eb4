"""`task`: few-shot, chain-of-thought and generation tasks in lm-evaluation-harness' format.

A document becomes a prompt, the model answers (by the likelihood of choices, of a text, or by writing), the answer is
judged, and the documents become one number per metric with an interval. All documents are planned together, so that
what their prompts share is read once. A group of tasks is one cell: its tasks are strata.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from harness import strict_json
from harness.errors import Unsupported, UserError, logged
from harness.measures.document_choice import numbers
from harness.measures.mapping_setting import MappingText, mapping_of
from harness.measures.measure import Facts, Load, Measure, Sample, Settings, with_notes
from harness.models.chat import DATE
from harness.results.record import Direction, Measurement, Metric, Missing, Status
from harness.tasks.ask import Asked, Broken
from harness.tasks.config import Mode, Reasoning
from harness.tasks.generation_settings import KEYS_SCHEMA, check_keys
from harness.tasks.library import TaskLibrary
from harness.tasks.metric_table import BUILT_IN

if TYPE_CHECKING:
    import pandas as pd

    from harness.measures.task_answers import Evidence
    from harness.measures.task_judging import Judged
    from harness.models.contract import LanguageModel
    from harness.tasks.estimate import Estimate
    from harness.tasks.task import Task


def _listed(value: Any) -> Any:
    """One document may be written as a number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str):
        numbers(text)
    return text


Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Listed = Annotated[str, BeforeValidator(_listed), WithJsonSchema({"type": ["string", "integer"]})]


class TaskSettings(Settings):
    """Settings of `task`."""

    task: str = Field(min_length=1)
    """A task, a group or a tag (`harness list tasks`), or the path of a task file."""
    shots: int | None = Field(default=None, ge=0)
    """Worked examples before the question; left out, as many as the task file says (0 where it says nothing)."""
    sampler: Literal["random", "first_n", "balanced", "fixed"] | None = None
    """How the examples are chosen: at random for each document, the first ones, in turn from every class, or those of
    the task file; left out, as the task file says, else at random."""
    shot_seed: int = Field(default=1234, ge=0)
    """Seed of the examples. They depend on it, the task and the document alone."""
    reasoning: Reasoning = "direct"
    """direct: the answer at once. cot: chain of thought, the steps first."""
    documents: Count | Share | None = None
    """How many documents of each task, or below 1 which share of them (rounded up), evenly spaced; left out, all. In
    mode lm-eval the first ones, as `--limit`."""
    document_ids: Listed | None = None
    """Only these documents of each task, by their places from 0 on: '3, 7, 10-19'."""
    samples: int | None = Field(default=None, ge=1)
    """Answers to draw for each document (self-consistency, pass@k); left out, as the task file says."""
    temperature: float | None = Field(default=None, ge=0)
    """Of generated answers; left out, as the task file says (0: greedy)."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Nucleus of generated answers; left out, as the task file says."""
    generation: Annotated[MappingText, WithJsonSchema(KEYS_SCHEMA)] | None = None
    """How answers are written, put over the task file's `generation_kwargs`: {max_tokens: 64, until: ["\\n"],
    temperature: 0.7, top_p: 0.9, top_k: 40, num_beams: 4}."""
    metadata: MappingText | None = None
    """Put over the task file's `metadata`, the arguments of a `custom_dataset`: {max_seq_lengths: [4096]}."""
    sample_seed: int = Field(default=0, ge=0)
    """Seed of drawn answers. They depend on it, the task, the document and the sample alone."""
    chat: bool = False
    """Whether the prompt goes through the model's chat template."""
    multi_turn: bool = True
    """With `chat`: whether worked examples are turns of their own, or part of the one user message."""
    system: str | None = None
    """A system prompt; without `chat` it is put before the task's description."""
    chat_template_args: MappingText | None = None
    """With `chat`: what else the chat template is told, such as `{enable_thinking: false}`."""
    date: str = Field(default=DATE, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    """With `chat`: the day that the chat template is told it is, so that a prompt is the same tomorrow."""
    thinking: Literal["auto", "off"] = "auto"
    """Whether what the model thinks is parted from its answer before stop strings, filters and metrics. auto: between
    the tags that its tokenizer or its chat template declare; off: all that it writes is its answer. In mode lm-eval
    always off."""
    mutual_information: bool = False
    """Whether each choice is also scored without its context, which gives `acc_mutual_info`."""
    likelihood: bool = False
    """Whether the right answer is also scored where an answer is written, with `reasoning: direct`: gives
    `gold_bits_per_byte` and `token_accuracy`, which move where no answer is right yet."""
    context: int | None = Field(default=None, ge=2)
    """Tokens that the model may see at once; left out, its whole context."""
    mode: Mode = "right"
    """right, or lm-eval: its numbers bug for bug where its default differs from the right one (docs/tasks.md)."""

    @field_validator("date")
    @classmethod
    def _a_day(cls, date: str) -> str:
        try:
            datetime.date.fromisoformat(date)
        except ValueError:
            raise ValueError(f"{date} is no day: write YYYY-MM-DD") from None
        return date

    @model_validator(mode="after")
    def _draws(self) -> Self:
        if not self.chat and self.chat_template_args is not None:
            raise ValueError("`chat_template_args` are for the chat template: say `chat: true`, or leave them out")
        if self.samples is not None and self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"{self.samples} samples at temperature 0 would all be the same: give a temperature above 0"
            )
        if self.likelihood and self.mode == "lm-eval":
            raise ValueError(
                "lm-eval scores no right answers of written ones: leave out `likelihood`, or use mode right"
            )
        return self

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if self.documents is not None and self.document_ids is not None:
            raise ValueError("`documents` and `document_ids` both choose documents; keep one of them")
        given = mapping_of(self.generation)
        check_keys(given)
        twice = [name for name in ("temperature", "top_p") if name in given and getattr(self, name) is not None]
        if twice:
            raise ValueError(f"`{twice[0]}` is given twice, once inside `generation`; keep one")
        return self


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
)
WRONG_BY_SPACE = Metric(
    name="wrong_by_space",
    unit="documents",
    direction=Direction.LOWER,
    definition="Mode lm-eval: documents whose answer is a target but for white space at the ends of either, which "
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
)


def collect(load: Load, settings: TaskSettings) -> list[Sample]:
    """One row per document of every task. What goes wrong with one document or one task costs the others nothing."""
    from harness.measures.task_answers import answers
    from harness.measures.task_documents import TASK_CODE, documents, prepared
    from harness.measures.task_judging import judged
    from harness.measures.task_notes import task_notes
    from harness.measures.task_samples import broken_row
    from harness.measures.task_told import told

    opened = load.library.open(settings.task)
    tasks = {task.name: task for task in prepared(opened, settings)}
    model = load()
    asked: list[Asked | Broken] = []
    failed: dict[str, str] = {}
    notes: list[str] = []
    for task in tasks.values():
        try:
            asked += documents(task, model, settings, notes)
        except (Unsupported, MemoryError):
            raise
        except TASK_CODE as error:
            failed[task.name] = logged(f"making the prompts of {task.name}", error)
    rows = [broken_row(one) for one in asked if isinstance(one, Broken)]
    context = visible(model, settings)
    tags = () if settings.thinking == "off" or settings.mode == "lm-eval" else model.identity.thinking
    whole = [one for one in asked if isinstance(one, Asked)]
    answered: dict[str, list[Evidence]] = {name: [] for name in tasks}
    for evidence in answers(load, model, whole, settings.mode, context, settings.sample_seed, tags):
        if isinstance(evidence, Broken):
            file = str(tasks[evidence.task].config.file)
            wrong = UserError(f"document {evidence.document}: {evidence.reason}", place=file)
            rows.append(broken_row(replace(evidence, reason=str(wrong))))
        else:
            answered[evidence.asked.task].append(evidence)
    for name, task in tasks.items():
        in_order = sorted(answered[name], key=lambda evidence: evidence.asked.document)
        for evidence, found in zip(in_order, judged(task, in_order), strict=True):
            rows.append(broken_row(found.scores) if isinstance(found.scores, Broken) else _row(task, evidence, found))
    if not any(sample["broken"] is None for sample in rows):
        reasons = [*failed.values(), *(sample["broken"] for sample in rows)]
        raise UserError(reasons[0] if reasons else "there is no document to ask", place=f"task {settings.task}")
    places = {name: place for place, name in enumerate(tasks)}
    rows.sort(key=lambda sample: (places[sample["task"]], sample["document"]))
    for name, task in tasks.items():
        mine = [sample for sample in rows if sample["task"] == name]
        spec = strict_json.dumps(summed_up_by(task, mine, settings.mode))
        for sample in mine:
            sample["spec"] = spec
    rows[0]["groups"] = strict_json.dumps([group.model_dump(mode="json") for group in opened.groups])
    rows[0]["tasks"] = strict_json.dumps(
        {name: told(task, settings, len(task.evaluation_rows())) for name, task in tasks.items() if name not in failed}
    )
    rows[0]["failed"] = strict_json.dumps(failed)
    rows[0]["pieces"] = strict_json.dumps(pieces(model, rows))
    return with_notes(rows, [*notes, *task_notes(model, settings, asked, rows)])


def _row(task: Task, evidence: Evidence, found: Judged) -> Sample:
    from harness.measures.task_samples import broken_row, document, row
    from harness.tasks.choice_scores import chance

    assert not isinstance(found.scores, Broken)
    try:
        guess = task.config.chance if task.config.chance is not None else chance(evidence.asked)
        return row(evidence, found.scores, guess) | document(found.asked)
    except MemoryError:
        raise
    except Exception as error:  # scores that can't be stored
        number = evidence.asked.document
        return broken_row(Broken(task.name, number, logged(f"storing document {number} of {task.name}", error)))


def summed_up_by(task: Task, rows: Sequence[Sample], mode: Mode) -> dict[str, Any]:
    """How the rows of a task become its numbers, as plain data; what functions of its file sum up is summed up here."""
    from harness.measures.task_documents import TASK_CODE
    from harness.tasks.resample import by_functions
    from harness.tasks.specification import specification

    spec = specification(task.config, mode=mode)
    judged = [sample for sample in rows if sample["broken"] is None]
    items = [strict_json.loads(sample["items"]) for sample in judged]
    try:
        with task.running():
            given = by_functions(task.config, items, [sample["cluster"] for sample in judged], spec, task.function)
    except MemoryError:
        raise
    except TASK_CODE as error:  # the metrics that need no function of the file are given all the same
        return spec | {"given": {}, "wrong": logged(f"summing up {task.name}", error)}
    return spec | {"given": given}


def pieces(model: LanguageModel, rows: Sequence[Sample]) -> dict[int, str]:
    """The text of every token id that stands in the rows: a stored run can be read without its tokenizer."""
    lists = [ids for sample in rows for name in ("prompt_ids", "continuation_ids") for ids in sample.get(name, ())]
    return {token: model.tokenizer.decode([token]) for token in sorted(set().union(*lists))}


def visible(model: LanguageModel, settings: TaskSettings) -> int:
    """Tokens that the model may see at once. Raises Unsupported for more than it can."""
    context = model.identity.context
    if settings.context is not None and settings.context > context:
        raise Unsupported(f"a context of {settings.context} tokens is more than this model's {context}")
    return settings.context or context


def summarise(samples: pd.DataFrame, settings: TaskSettings, facts: Facts) -> list[Measurement | Missing]:
    """Every metric of every task, and of the groups; then how many documents there were and what became of them.

    A task (or one metric of it) that can't be summed up is missing with its reason, and with it the numbers of the
    groups around it: a mean without one of its tasks would be another number. Raises UserError where nothing is left.
    """
    by_task = {str(name): frame for name, frame in samples.groupby("task", sort=False)}
    specs = {name: strict_json.loads(frame["spec"].iloc[0]) for name, frame in by_task.items()}
    estimates: dict[str, list[Estimate]] = {}
    wrong: dict[str, list[str]] = {name: [reason] for name, reason in _failed(samples).items()}
    for name, frame in by_task.items():
        estimates[name], wrong[name] = estimated(frame, specs[name])
    if not any(estimates.values()) and any(wrong.values()):
        raise UserError(next(reason for reasons in wrong.values() for reason in reasons))
    several = len(wrong) > 1
    found: list[Measurement | Missing] = []
    if several:
        found += _of_groups(samples, settings, estimates, wrong, specs)
    for name, reasons in wrong.items():
        part = name if several else None
        found += [measurement(estimate, specs[name], part) for estimate in estimates.get(name, ())]
        found += [Missing(reason=f"task {name}: {reason}", part=part) for reason in reasons]
    return [*found, *counts(samples)]


def _failed(samples: pd.DataFrame) -> dict[str, str]:
    """The tasks of which no document could be asked, and why."""
    told = list(samples["failed"].dropna()) if "failed" in samples.columns else []
    return dict(strict_json.loads(told[0])) if told else {}


def _of_groups(
    samples: pd.DataFrame,
    settings: TaskSettings,
    estimates: Mapping[str, Sequence[Estimate]],
    wrong: Mapping[str, Sequence[str]],
    specs: Mapping[str, Mapping[str, Any]],
) -> Iterator[Measurement | Missing]:
    """The numbers of every group in the cell, the one that was asked for first, and why some have none."""
    from harness.tasks.group_scores import not_given, summarise_group

    for place, (group, members, aggregate) in enumerate(groups_of(samples, settings.task, list(wrong))):
        part = None if place == 0 else group
        inside = {name: estimates[name] for name in members if estimates.get(name)}
        lost = [name for name in members if name not in inside]
        if lost or not inside:
            of = f"its tasks {', '.join(lost)} have" if len(lost) != 1 else f"its task {lost[0]} has"
            yield Missing(reason=f"the group {group} has no number, because {of} none", part=part)
            continue
        spec = specs[next(iter(inside))]
        for estimate in summarise_group(aggregate, inside, mode=settings.mode):
            yield measurement(estimate, spec, part)
        if settings.mode == "right":
            keys = [estimate.key for mine in inside.values() for estimate in mine]
            for told in not_given(aggregate, keys):
                yield Missing(reason=f"group {group}: {told}", part=part, status=Status.SKIPPED)


def estimated(frame: pd.DataFrame, spec: Mapping[str, Any]) -> tuple[list[Estimate], list[str]]:
    """The numbers of one task from its rows, and why it lacks some."""
    from harness.tasks.aggregate import keys_of, one_key

    judged = frame[frame["broken"].isna()]
    if judged.empty:
        return [], [f"none of its {len(frame)} documents could be asked and judged: {frame['broken'].iloc[0]}"]
    items = [strict_json.loads(text) for text in judged["items"]]
    clusters = [
        None if cluster is None or cluster != cluster else str(cluster) for cluster in judged.get("cluster", ())
    ]
    found: list[Estimate] = []
    wrong = [spec["wrong"]] if "wrong" in spec else []
    for key in keys_of(items, spec):
        try:
            estimate = one_key(key, items, clusters, spec)
        except UserError as error:
            wrong.append(str(error))
            continue
        if estimate is not None:
            found.append(estimate)
    return found, wrong


def measurement(estimate: Estimate, spec: Mapping[str, Any], task: str | None) -> Measurement:
    """An estimate as the measure's value: the task of a group and the filter pipeline are its part."""
    from harness.tasks.specification import declared, name_of

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

    judged = samples[samples["broken"].isna()]
    n = {"n": len(samples), "n_unit": "documents"}
    if "chance" in judged and judged["chance"].notna().any():
        yield Measurement(metric=CHANCE, value=float(judged["chance"].mean()), n=len(judged), n_unit="documents")
    yield Measurement(metric=DOCUMENTS, value=len(judged), **n)
    yield Measurement(metric=BROKEN, value=len(samples) - len(judged), **n)
    yield Measurement(metric=TRUNCATED, value=sum(max(cut, default=0) > 0 for cut in judged["cut"]), **n)
    if "wrong_by_space" in judged and judged["wrong_by_space"].notna().any():
        yield Measurement(metric=WRONG_BY_SPACE, value=int(judged["wrong_by_space"].fillna(False).sum()), **n)
    if "finish" in judged and judged["finish"].notna().any():
        written = judged[judged["finish"].notna()]["finish"]
        answers = [len(ends) for ends in written]
        cut_off = clustered_proportion([list(ends).count("length") for ends in written], answers)
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
    if "answered" in judged and judged["answered"].notna().any():
        told = judged[judged["answered"].notna()]["answered"]
        unfinished = clustered_proportion([list(one).count(False) for one in told], [len(one) for one in told])
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
    told = strict_json.loads(samples["groups"].dropna().iloc[0])
    groups = {group["group"]: group for group in told}

    def leaves(name: str) -> list[str]:
        return [leaf for member in groups[name]["members"] for leaf in leaves(member)] if name in groups else [name]

    if not groups:
        yield asked, tasks, ()
    for name, group in groups.items():
        yield name, leaves(name), group["aggregate"]


def check(library: TaskLibrary, settings: TaskSettings) -> None:
    """Open the task and look whether it can be asked and judged in this way. Reads no data. Raises UserError."""
    from harness.measures.task_documents import prepared
    from harness.tasks.group_scores import check_group

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
    shipped = [task for task in opened.tasks if task.is_shipped and task.config.dataset_path != "microworld"]
    if settings.mode == "lm-eval" and shipped:
        found.append(
            f"mode lm-eval asks our own task file of {opened.name}, whose data and examples may differ from lm-eval's; "
            "for lm-eval's own, name its folder of task files in `tasks: {paths: [...]}`"
        )
    return tuple(found)


TASK = Measure(
    name="task",
    version=2,
    about="Few-shot, chain-of-thought and generation tasks in lm-evaluation-harness' format.",
    settings=TaskSettings,
    metrics=(
        *(built_in.metric for built_in in BUILT_IN.values()),
        *(CHANCE, DOCUMENTS, BROKEN, TRUNCATED, WRONG_BY_SPACE, CUT_OFF, UNFINISHED_THOUGHTS),
    ),
    isolated=False,
    needs_peaks=False,
    collect=collect,
    summarise=summarise,
    tasks=lambda settings: (settings.task,),
    check=check,
    notes=notes,
)
