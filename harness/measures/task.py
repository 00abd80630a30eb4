"""`task`: few-shot, chain-of-thought and generation tasks in lm-evaluation-harness' format.

A document becomes a prompt, the model answers (by the likelihood of choices, of a text, or by writing), the answer is
judged, and the documents become one number per metric with an interval. All documents are planned together, so that
what their prompts share is read once. A group of tasks is one cell: its tasks are strata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from harness.errors import Unsupported, UserError
from harness.measures.document_choice import numbers
from harness.measures.mapping_setting import MappingText, mapping_of
from harness.measures.measure import Facts, Load, Measure, Sample, Settings
from harness.results.record import Direction, Measurement, Metric
from harness.tasks.ask import Asked, Broken
from harness.tasks.config import Mode, Reasoning
from harness.tasks.generation_settings import KEYS_SCHEMA, check_keys
from harness.tasks.library import TaskLibrary
from harness.tasks.metric_table import BUILT_IN

if TYPE_CHECKING:
    import pandas as pd

    from harness.measures.task_answers import Evidence
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
    mutual_information: bool = False
    """Whether each choice is also scored without its context, which gives `acc_mutual_info`."""
    likelihood: bool = False
    """Whether the right answer is also scored where an answer is written, with `reasoning: direct`: gives
    `gold_bits_per_byte` and `token_accuracy`, which move where no answer is right yet."""
    context: int | None = Field(default=None, ge=2)
    """Tokens that the model may see at once; left out, its whole context."""
    mode: Mode = "right"
    """right, or lm-eval: its numbers bug for bug where its default differs from the right one (docs/tasks.md)."""

    @model_validator(mode="after")
    def _draws(self) -> Self:
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
CUT_OFF = Metric(
    name="cut_off_answers",
    unit="share",
    direction=Direction.LOWER,
    definition="Share of generated answers that reached their token limit before a stop.",
)
CHANCE = Metric(
    name="chance",
    unit="share",
    direction=Direction.NONE,
    definition="Accuracy of guessing: mean over documents of right choices / choices, or what the task file says.",
)


def collect(load: Load, settings: TaskSettings) -> list[Sample]:
    """One row per document of every task."""
    from harness.measures.task_answers import answers
    from harness.measures.task_documents import documents, prepared
    from harness.measures.task_judging import judged
    from harness.measures.task_samples import broken_row, document, row
    from harness.measures.task_told import told
    from harness.tasks.choice_scores import chance

    opened = load.library.open(settings.task)
    tasks = {task.name: task for task in prepared(opened, settings)}
    model = load()
    asked = [one for task in tasks.values() for one in documents(task, model, settings)]
    rows = [broken_row(one) for one in asked if isinstance(one, Broken)]
    context = visible(model, settings)
    whole = [one for one in asked if isinstance(one, Asked)]
    answered: dict[str, list[Evidence]] = {name: [] for name in tasks}
    for evidence in answers(load, model, whole, settings.mode, context, settings.sample_seed):
        if isinstance(evidence, Broken):
            file = str(tasks[evidence.task].config.file)
            wrong = UserError(f"document {evidence.document}: {evidence.reason}", place=file)
            rows.append(broken_row(replace(evidence, reason=str(wrong))))
        else:
            answered[evidence.asked.task].append(evidence)
    for name, task in tasks.items():
        in_order = sorted(answered[name], key=lambda evidence: evidence.asked.document)
        for evidence, found in zip(in_order, judged(task, in_order), strict=True):
            if isinstance(found.scores, UserError):
                rows.append(broken_row(Broken(name, evidence.asked.document, str(found.scores))))
                continue
            guess = task.config.chance if task.config.chance is not None else chance(evidence.asked)
            rows.append(row(evidence, found.scores, guess) | document(found.asked))
    if not any(sample["broken"] is None for sample in rows):
        raise UserError(rows[0]["broken"] if rows else "there is no document to ask", place=f"task {settings.task}")
    places = {name: place for place, name in enumerate(tasks)}
    rows.sort(key=lambda sample: (places[sample["task"]], sample["document"]))
    for name, task in tasks.items():
        mine = [sample for sample in rows if sample["task"] == name]
        spec = json.dumps(summed_up_by(task, mine, settings.mode))
        for sample in mine:
            sample["spec"] = spec
    rows[0]["groups"] = json.dumps([group.model_dump(mode="json") for group in opened.groups])
    rows[0]["tasks"] = json.dumps(
        {name: told(task, settings, len(task.evaluation_rows())) for name, task in tasks.items()}
    )
    rows[0]["pieces"] = json.dumps(pieces(model, rows))
    return rows


def summed_up_by(task: Task, rows: Sequence[Sample], mode: Mode) -> dict[str, Any]:
    """How the rows of a task become its numbers, as plain data; what functions of its file sum up is summed up here."""
    from harness.tasks.resample import by_functions
    from harness.tasks.specification import specification

    spec = specification(task.config, mode=mode)
    judged = [sample for sample in rows if sample["broken"] is None]
    items = [json.loads(sample["items"]) for sample in judged]
    with task.running():
        given = by_functions(task.config, items, [sample["cluster"] for sample in judged], spec, task.function)
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


def summarise(samples: pd.DataFrame, settings: TaskSettings, facts: Facts) -> list[Measurement]:
    """Every metric of every task, and of the groups; then how many documents there were and what became of them."""
    from harness.tasks.group_scores import summarise_group

    by_task = {str(name): frame for name, frame in samples.groupby("task", sort=False)}
    specs = {name: json.loads(frame["spec"].iloc[0]) for name, frame in by_task.items()}
    estimates = {name: estimated(frame, specs[name]) for name, frame in by_task.items()}
    several = len(by_task) > 1
    found: list[Measurement] = []
    if several:
        for place, (group, members, aggregate) in enumerate(groups_of(samples, settings.task, list(by_task))):
            inside = {name: estimates[name] for name in members if name in estimates}
            spec = specs[next(iter(inside))]
            own = None if place == 0 else group
            found += [
                measurement(estimate, spec, own) for estimate in summarise_group(aggregate, inside, mode=settings.mode)
            ]
    for name, mine in estimates.items():
        found += [measurement(estimate, specs[name], name if several else None) for estimate in mine]
    return [*found, *counts(samples)]


def estimated(frame: pd.DataFrame, spec: Mapping[str, Any]) -> list[Estimate]:
    """The numbers of one task from its rows."""
    from harness.tasks.aggregate import summarise as summed_up

    judged = frame[frame["broken"].isna()]
    items = [json.loads(text) for text in judged["items"]] if len(judged) else []
    clusters = [
        None if cluster is None or cluster != cluster else str(cluster) for cluster in judged.get("cluster", ())
    ]
    return summed_up(items, clusters, spec) if items else []


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


def groups_of(
    samples: pd.DataFrame, asked: str, tasks: list[str]
) -> Iterator[tuple[str, list[str], Sequence[Mapping[str, Any]]]]:
    """(name, its tasks, how they are summed up) of every group in the cell, the one that was asked for first; a tag
    is a group of its tasks by the default rule."""
    told = json.loads(samples["groups"].dropna().iloc[0])
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

    prepared(library.open(settings.task), settings)


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
    metrics=(*(built_in.metric for built_in in BUILT_IN.values()), CHANCE, DOCUMENTS, BROKEN, TRUNCATED, CUT_OFF),
    isolated=False,
    needs_peaks=False,
    collect=collect,
    summarise=summarise,
    tasks=lambda settings: (settings.task,),
    check=check,
    notes=notes,
)
