"""The documents of a task as they are asked: which of them, with which few-shot examples, in whose chat template."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.errors import Unsupported, UserError, logged
from harness.measures.mapping_setting import mapping_of
from harness.measures.task.document_choice import chosen
from harness.measures.task.labels import labels_of
from harness.scoring.thinking import opens_thought
from harness.tasks.ask import Asked, Broken, Choice, Row
from harness.tasks.code.functions import check_allowed, functions_of
from harness.tasks.documents import Counted
from harness.tasks.judging import metric_check, metrics
from harness.tasks.judging.specification import judges_programs
from harness.tasks.prompts.chat import ApplyChat
from harness.tasks.prompts.document import shown
from harness.tasks.prompts.document_templates import Templates
from harness.tasks.prompts.fewshot import Draw, Pool, Sampler, draw, draw_as_lm_eval
from harness.tasks.prompts.generation_kwargs import generation
from harness.tasks.prompts.generation_settings import with_generation
from harness.tasks.prompts.labels import Labels
from harness.tasks.prompts.prompt import ask
from harness.tasks.prompts.prompt_settings import PromptSettings
from harness.tasks.prompts.reasoning import with_reasoning, with_samples
from harness.tasks.prompts.rendering import column_or_template
from harness.tasks.prompts.shown_keys import shown_keys

if TYPE_CHECKING:
    from harness.measures.task.settings import TaskSettings
    from harness.models.contract import LanguageModel
    from harness.tasks.config import TaskConfig
    from harness.tasks.files.library import Opened
    from harness.tasks.task import Task

TASK_CODE = (Exception, SystemExit, KeyboardInterrupt)
"""What code of a task file may end with; Ctrl-C never reaches a worker."""

Places = tuple[int, ...] | UserError
"""Of one document: where its few-shot examples are in their split, or why there are too few."""


def prepared(opened: Opened, settings: TaskSettings) -> list[Task]:
    """The tasks with what the settings say of reasoning and samples.

    Raises UserError for what can't be asked or judged: before a model runs.
    """
    tasks = []
    for task in opened.tasks:
        config = task.config.model_copy(update={"metadata": task.config.metadata | mapping_of(settings.metadata)})
        config = with_reasoning(config, settings.reasoning, shots_of(config, settings))
        config = with_generation(config, mapping_of(settings.generation))
        config = with_samples(config, settings.samples, settings.temperature, settings.top_p)
        for key, function in functions_of(config):
            check_allowed(function, key, task.allow_task_code)
        if config.output_type == "generate_until":
            generation(config, "", settings.mode)  # raises: there is no such decoding
        metric_check.check(config, mode=settings.mode, allow_code_execution=task.allow_code_execution)
        if settings.likelihood and judges_programs(config):
            raise UserError(
                "`likelihood` asks how likely the right answer is, and the target of this task is a test of programs",
                place=f"{config.file}:doc_to_target",
            )
        if _are_shown(config, settings):
            _sampler(config, settings)  # raises: there is none such
        tasks.append(replace(task, config=config, lm_eval=counted(settings)))
    if settings.generation is not None and not any(task.config.output_type == "generate_until" for task in tasks):
        raise UserError(f"{opened.name} writes no answers: leave out `generation`", place=f"task {opened.name}")
    return tasks


def counted(settings: TaskSettings) -> Counted | None:
    """How lm-eval would choose the documents; None in mode right."""
    if settings.mode == "right":
        return None
    return Counted(
        by_share=settings.documents is not None and settings.documents < 1,
        by_number=settings.document_ids is not None,
    )


def shots_of(config: TaskConfig, settings: TaskSettings) -> int:
    """Few-shot examples: as the settings say, else the file, else none. In mode lm-eval a file's 0 can't be changed."""
    if settings.mode == "lm-eval" and config.num_fewshot == 0:
        return 0
    return settings.shots if settings.shots is not None else config.num_fewshot or 0


def documents(
    task: Task, model: LanguageModel, settings: TaskSettings, notes: list[str] | None = None
) -> list[Asked | Broken]:
    """What is asked of each chosen document; `Broken` where its templates fail.

    notes: gets what a reader of the numbers must know. Raises UserError where no document can be asked: the data are
    missing, there are not enough few-shot examples, or the meaning of the labels is unknown.
    """
    config = task.config
    rows = task.evaluation_rows()
    if not rows:
        raise UserError(f"there is no document to ask in split '{task.evaluation_split}'", place=str(config.file))
    places = chosen(len(rows), settings.documents, settings.document_ids, settings.mode, str(config.file))
    numbered = [(number, rows[number]) for number in places]
    with task.running():
        labels = labels_of(task, settings, _are_shown(config, settings), notes if notes is not None else [])
        shots, pool = _draws(task, numbered, settings, labels)
    prompts = PromptSettings(
        mode=settings.mode,
        chat=_chat(model, settings) if settings.chat else None,
        multi_turn=settings.multi_turn,
        system=settings.system,
        unconditional=settings.mutual_information or metrics.needs_unconditional(config),
        likelihood=settings.likelihood and settings.reasoning == "direct",
        labels=labels,
    )
    found: list[Asked | Broken] = []
    task.foresee(Templates.asked(config, settings.mode).functions, (row for _, row in numbered))
    shown_places = sorted({place for one in shots if not isinstance(one, UserError) for place in one})
    task.foresee(Templates.examples(config, settings.mode).functions, (pool[place] for place in shown_places))
    for (number, row), shown_before in zip(numbered, shots, strict=True):
        if isinstance(shown_before, UserError):
            found.append(Broken(config.task, number, str(shown_before)))
            continue
        examples = [(place, pool[place]) for place in shown_before]
        try:
            with task.running(number):
                found.append(_with_bytes(ask(config, row, number, examples, prompts, task.function), str(config.file)))
        except (MemoryError, Unsupported):
            raise
        except TASK_CODE as error:
            found.append(Broken(config.task, number, logged(f"asking document {number} of {config.task}", error)))
    task.asked()
    if settings.mode == "right" and settings.thinking == "auto":
        _no_choice_in_a_thought(found, model)
    return found


def why_not_asked(task: Task, settings: TaskSettings, numbered: list[tuple[int, Row]]) -> list[UserError | None]:
    """Of each document why it can't be asked of any model: too few examples, or a template that fails; None where it
    can. Raises UserError where that is true of the whole task."""
    labels = labels_of(task, settings, _are_shown(task.config, settings), [])
    shots, pool = _draws(task, numbered, settings, labels)
    prompts = PromptSettings(mode=settings.mode, labels=labels)
    found: list[UserError | None] = []
    for (number, row), before in zip(numbered, shots, strict=True):
        try:
            if isinstance(before, UserError):
                raise before
            ask(task.config, row, number, [(place, pool[place]) for place in before], prompts, task.function)
            found.append(None)
        except UserError as error:
            found.append(error)
    return found


def _no_choice_in_a_thought(asked: list[Asked | Broken], model: LanguageModel) -> None:
    """Raises Unsupported where a prompt begins a thought: choices would be scored as what the model thinks."""
    contexts = (r.context for one in asked if isinstance(one, Asked) for r in one.requests if isinstance(r, Choice))
    identity = model.identity
    if any(opens_thought(context, identity.thinking, identity.end_strings) for context in contexts):
        raise Unsupported(
            "the prompt ends within a thought, and how likely a choice is there says nothing of the "
            "answer: tell the chat template not to begin one (`chat_template_args: {enable_thinking: false}`, where "
            "it knows that), or ask with `thinking: off`"
        )


def _chat(model: LanguageModel, settings: TaskSettings) -> ApplyChat:
    """The model's chat template, as the settings want it told."""
    from harness.models.chat import chat_template

    return chat_template(
        model,
        as_lm_eval=settings.mode == "lm-eval",
        arguments=mapping_of(settings.chat_template_args),
        date=settings.date,
    )


def _with_bytes(asked: Asked, file: str) -> Asked:
    """The same. Raises UserError for a text with half a character, which no tokenizer reads and no file holds."""
    texts = {text for request in asked.requests for text in vars(request).values() if isinstance(text, str)}
    for text in texts.union(asked.choices, [asked.target] if isinstance(asked.target, str) else asked.target or ()):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(text[error.start]):04x}"
            raise UserError(
                f"document {asked.document}: its text has half a character, {half}, which is not text; fix the data",
                place=file,
            ) from None
    return asked


def _are_shown(config: TaskConfig, settings: TaskSettings) -> bool:
    """Whether few-shot examples stand before the documents."""
    return shots_of(config, settings) > 0 and config.output_type != "loglikelihood_rolling"


def _draws(
    task: Task, numbered: list[tuple[int, Row]], settings: TaskSettings, labels: Labels
) -> tuple[list[Places], list[Row]]:
    """Of each document the places of its examples, or why it has too few; and the pool that they are places in."""
    config = task.config
    if not _are_shown(config, settings):
        return [()] * len(numbered), []
    held = task.shot_rows()
    pool = Pool(
        rows=held.rows,
        split=held.split,
        place=str(config.file),
        keeps_places=task.shots_keep_places,
        excludes=task.lm_eval_excludes,
        only=None
        if settings.mode == "lm-eval" or config.fewshot_config is None
        else config.fewshot_config.fewshot_indices,
    )
    how = Draw(
        shots=shots_of(config, settings),
        sampler=_sampler(config, settings),
        seed=settings.shot_seed,
        task=config.task,
        label=_label(task, labels),
        same=_same(task),
        **({} if settings.mode == "lm-eval" else {"shown": lambda row: shown_keys(config, row, task.function, labels)}),
    )
    if settings.mode == "lm-eval" and how.same is None and how.sampler in ("random", "first_n"):
        return list(draw_as_lm_eval(pool, how, numbered)), held.rows
    try:
        return list(draw(pool, how, numbered)), held.rows
    except UserError:  # of some documents: the others are asked
        return [_drawn_alone(pool, how, one) for one in numbered], held.rows


def _drawn_alone(pool: Pool, how: Draw, document: tuple[int, Row]) -> Places:
    try:
        return draw(pool, how, [document])[0]
    except UserError as error:
        return error


def _sampler(config: TaskConfig, settings: TaskSettings) -> Sampler:
    if settings.sampler is not None:
        return _there(settings.sampler, config)
    named: Any = None if config.fewshot_config is None else config.fewshot_config.sampler
    known: dict[Any, Sampler] = {None: "random", "default": "random"}
    known |= {name: name for name in ("random", "first_n", "balanced", "fixed")}
    if not isinstance(named, str | None) or named not in known:
        raise UserError(
            f"`sampler` may be random, first_n, balanced or fixed, not {named}; say which in the suite: "
            "`sampler: random`",
            place=f"{config.file}:fewshot_config",
        )
    return _there(known[named], config)


def _there(sampler: Sampler, config: TaskConfig) -> Sampler:
    """The same. Raises UserError for fixed examples where the file has none: the first ones of a split aren't they."""
    own = config.fewshot_config
    if sampler == "fixed" and (own is None or (own.samples is None and own.fewshot_indices is None)):
        raise UserError(
            "`sampler: fixed` wants examples that the file gives, under `fewshot_config: {samples: ...}`, and it gives "
            "none; `first_n` takes the first ones of the split",
            place=f"{config.file}:fewshot_config",
        )
    return sampler


def _label(task: Task, labels: Labels) -> Callable[[Row], Hashable]:
    """The class of a few-shot example: its answer."""
    templates = Templates.examples(task.config, labels=labels)
    return lambda row: repr(shown(templates, templates.own(row), "a few-shot example", task.function).target)


def _same(task: Task) -> Callable[[Row], Hashable] | None:
    """What an example must share with the document, where the task's file names it."""
    wanted = None if task.config.fewshot_config is None else task.config.fewshot_config.same
    if wanted is None:
        return None
    file = str(task.config.file)
    return lambda row: repr(column_or_template("fewshot_config.same", wanted, row, file, "a document", task.function))
