"""Models asked tasks, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api.given_models import Models, given_models, several
from harness.api.results import Results
from harness.api.runs import run
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.events import OnEvent, unheard
from harness.mode import Mode
from harness.shorthand.evaluating import Evaluation, evaluation_suite
from harness.shorthand.in_options import told_in_options
from harness.shorthand.options import EVAL, MODELS, keywords
from harness.shorthand.written import save_suite as write_suite
from harness.workflow import RUNS


@told_in_options(keywords(EVAL), MODELS)
def eval(
    models: Models,
    tasks: str | Path | Sequence[str | Path],
    *,
    shots: int | Sequence[int] | None = None,
    limit: float | None = None,
    document_ids: str | Mapping[str, str] | None = None,
    precision: str | Sequence[str] = (),
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    generation: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    chat: bool = False,
    multi_turn: bool = True,
    chat_template_args: Mapping[str, Any] | None = None,
    system: str | None = None,
    context: int | None = None,
    seed: int | None = None,
    shot_seed: int | None = None,
    sample_seed: int | None = None,
    mode: Mode = "right",
    tasks_path: str | Path | Sequence[str | Path] = (),
    data: Mapping[str, Any] | None = None,
    out: Path | str = RUNS,
    save_suite: Path | str | None = None,
    command: str = "",
    resume: bool = False,
    fresh: bool = False,
    cached: bool = True,
    allowed: Allowed = NOTHING_MORE,
    on_event: OnEvent = unheard,
) -> Results:
    """Ask models tasks and return what came out: `harness eval` as a function (docs/eval.md).

    models: by name (a folder, a hub id, `asset:NAME`, a preset, `RUN:model`) or in memory, see `Models`. tasks:
    tasks, groups, tags, patterns such as `arc_*`, or task files. shots: examples before each question, a list for
    several numbers of them. limit: documents of each task, below 1 a share of them. document_ids: only these, '3,
    7, 10-19', or such a text by task. precision, device: as in a suite's `matrix`. settings: put over each model's
    entry. generation: how answers are written. metadata: the arguments of a `custom_dataset`. chat: through the
    chat template, with examples as turns unless `multi_turn` is False. context: tokens that a model may see at
    once. seed: of the examples and of drawn answers; shot_seed, sample_seed: of one of them. mode: `right` or
    `lm-eval`. tasks_path: folders of task files. data: where documents lie, by `dataset_path`. save_suite: a file for
    the suite that this call stands for; command: its first line. The rest is as in `harness.run`. Raises UserError
    for bad input; a cell that fails is a record, not an error.
    """
    asked = Evaluation(
        tasks=[str(one) for one in several(tasks)],
        shots=() if shots is None else several(shots),
        limit=limit,
        document_ids={"": document_ids} if isinstance(document_ids, str) else dict(document_ids or {}),
        precision=several(precision),
        device=None if device == "auto" else device,
        generation=generation or {},
        metadata=metadata or {},
        chat=chat,
        multi_turn=multi_turn,
        chat_template_args=chat_template_args or {},
        system=system,
        context=context,
        shot_seed=seed if shot_seed is None else shot_seed,
        sample_seed=seed if sample_seed is None else sample_seed,
        mode=mode,
        tasks_path=[str(one) for one in several(tasks_path)],
        data=data or {},
        task_code=allowed.task_code,
    )
    with given_models(models, Path(out), settings, asked.precision) as entries:
        suite = evaluation_suite(entries, asked)
        write_suite(suite, save_suite, command)
        return run(suite, out=out, resume=resume, fresh=fresh, cached=cached, allowed=allowed, on_event=on_event)
