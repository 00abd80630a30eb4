"""`harness eval MODEL… --tasks TASK,…`: models asked tasks, without a suite file; lm-eval's command lines, too."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli import completing
from harness.cli.formats import FormatName
from harness.cli.given_once import OnceEach
from harness.cli.options import (
    RUNS,
    AddTo,
    AllowCodeExecution,
    AllowTaskCode,
    Fresh,
    LogTo,
    NoCache,
    Resume,
    SaveSuite,
    TasksPath,
    TrustRemoteCode,
)
from harness.shorthand.options import EVAL as OPTIONS

NOTES = "harness.notes"
"""Where the command keeps what is told before the run."""


class EvalCommand(OnceEach):
    """`harness eval`, whose words may be lm-eval's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The words as options of ours, whichever they were."""
        from harness.shorthand.lm_eval_line import translated

        takes_value = {
            name: not getattr(option, "is_flag", False) for option in self.params for name in option.opts if "-" in name
        }
        takes_value |= dict.fromkeys(("-h", "--help"), False)
        line = translated(args, takes_value)
        ctx.meta[NOTES] = line.notes
        if "--mode" in line.words and line.words != args:
            ctx.meta[NOTES] = [f"asked as: harness eval {shlex.join(line.words)}", *line.notes]
        return super().parse_args(ctx, line.words)


def eval_(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="A folder, a hub id, `asset:NAME`, a preset, or `RUN:model`.",
            autocompletion=completing.models,
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--tasks",
            "-t",
            metavar="TASK,...",
            help="Tasks, groups, tags, patterns (`arc_*`), task files.",
            autocompletion=completing.tasks,
        ),
    ] = None,
    task_file: Annotated[
        list[str] | None, typer.Option("--task-file", metavar="FILE", help="A task of your own, by its file.")
    ] = None,
    shots: Annotated[
        str | None, typer.Option("--shots", "-f", metavar="N,...", help="Examples before each question.")
    ] = None,
    limit: Annotated[
        float | None, typer.Option("--limit", "-L", help="Documents of each task; below 1 a share of them.")
    ] = None,
    document_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--document-ids", metavar="[TASK=]3,7,10-19", help="Only these documents, by their places from 0."
        ),
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option("--precision", metavar="P,...", help="fp32, bf16, int8, int4, ... side by side.")
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where models run.")] = "auto",
    chat: Annotated[bool, typer.Option("--chat", help="Ask through the model's chat template.")] = False,
    one_turn: Annotated[
        bool, typer.Option("--one-turn", help="With --chat: examples within the user's message, not as turns.")
    ] = False,
    chat_args: Annotated[
        list[str] | None,
        typer.Option(
            "--chat-args", metavar="KEY=VALUE", help="With --chat: told to the template, enable_thinking=false."
        ),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="A system prompt.")] = None,
    gen: Annotated[
        list[str] | None,
        typer.Option("--gen", metavar="KEY=VALUE,...", help="How answers are written: max_tokens=64,temperature=0.7."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Of each model's entry: revision=v2, train.steps=100."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="DATASET=PATH", help="Where a task's documents lie, by its dataset_path."),
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE,...", help="Arguments of a custom_dataset.")
    ] = None,
    context_length: Annotated[
        int | None, typer.Option("--context", help="Tokens that a model may see at once; left out, all that it can.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the examples and of drawn answers.")] = None,
    shot_seed: Annotated[int | None, typer.Option("--shot-seed", help="Of the examples alone.")] = None,
    sample_seed: Annotated[int | None, typer.Option("--sample-seed", help="Of drawn answers alone.")] = None,
    mode: Annotated[
        str | None,
        typer.Option("--mode", metavar="right|lm-eval", help="How tasks are asked and judged (docs/tasks.md)."),
    ] = None,
    batch: Annotated[str | None, typer.Option("--batch", "-b", help="Not needed: passes are planned.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder that holds the runs.")] = RUNS,
    lm_eval: Annotated[
        Path | None,
        typer.Option("--lm-eval", "-o", help="A folder for lm-eval's own files: results_*.json and samples_*.jsonl."),
    ] = None,
    save_suite: SaveSuite = None,
    resume: Resume = False,
    fresh: Fresh = False,
    no_cache: NoCache = False,
    tasks_path: TasksPath = None,
    trust_remote_code: TrustRemoteCode = False,
    allow_task_code: AllowTaskCode = False,
    allow_code_execution: AllowCodeExecution = False,
    history: AddTo = None,
    log_to: LogTo = None,
    format_: FormatName = "table",
) -> None:
    """Ask models tasks, and print how well they answer.

    harness eval asset:smollm2-135m-instruct --tasks arc_easy,hellaswag --shots 5 --limit 100

    Command lines of lm-eval are read as they are (docs/from-lm-eval.md). Exit code 2: bad input, or something failed.
    """
    import harness
    from harness.cli.console import say
    from harness.cli.running import run_and_print, typed
    from harness.errors import UserError
    from harness.report.lm_eval_files import write_lm_eval
    from harness.report.output.written import Format, format_of
    from harness.shorthand.pairs import nested, pairs
    from harness.shorthand.values import comma_separated

    format = format_of(format_)
    if not models and not tasks and not task_file:
        raise UserError("name a model and tasks: harness eval asset:smollm2-135m-instruct --tasks arc_easy")
    notes = list(context.meta.get(NOTES, ()))
    if batch is not None:
        notes.append(_batch(batch))
    if one_turn and not chat:
        raise UserError("turns are the chat template's: add `--chat`, or leave it out", place="--one-turn")
    _check_folder(lm_eval)
    asked: dict[str, Any] = {
        "tasks": [*(tasks or ()), *(task_file or ())],
        "shots": _shots(shots) or None,
        "limit": limit,
        "document_ids": _documents(document_ids or ()),
        "precision": comma_separated(",".join(precision), "--precision") if precision else (),
        "device": device,
        "settings": nested(settings or (), "--set"),
        "generation": pairs(gen or (), "--gen"),
        "metadata": pairs(metadata or (), "--metadata"),
        "chat": chat,
        "multi_turn": not one_turn,
        "chat_template_args": pairs(chat_args or (), "--chat-args"),
        "system": system,
        "context": context_length,
        "seed": seed,
        "shot_seed": shot_seed,
        "sample_seed": sample_seed,
        "mode": _mode(mode),
        "tasks_path": tasks_path or (),
        "data": _places(data or ()),
    }
    for note in notes:
        say(f"note: {note}", to_stderr=True)
    results = run_and_print(
        lambda on_event: harness.eval(
            models or [],
            **asked,
            out=out,
            save_suite=save_suite,
            command=typed(),
            resume=resume,
            fresh=fresh,
            cached=not no_cache,
            allowed=harness.Allowed(trust_remote_code, allow_task_code, allow_code_execution),
            on_event=on_event,
        ),
        history=history,
        log_to=log_to or (),
        format=format,
        save_suite=save_suite,
        options=OPTIONS,
    )
    if lm_eval is not None:
        for path in write_lm_eval(results, lm_eval):
            say(f" lm-eval  {path}", to_stderr=format is not Format.TABLE)
    raise typer.Exit(results.exit_code)


def _shots(text: str | None) -> list[int]:
    from harness.errors import UserError, shown

    parts = [] if text is None else text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise UserError(f"'{shown(text)}' is no number of examples, nor several with commas", place="--shots")
    return [int(part) for part in parts]


def _batch(text: str) -> str:
    from harness.errors import UserError, shown

    if not text.removeprefix("auto:").isdecimal() and text != "auto":
        raise UserError(f"'{shown(text)}' is neither `auto` nor a number", place="--batch")
    return "`--batch` changes nothing here: the harness plans its forward passes itself"


def _mode(text: str | None) -> Any:
    from harness.errors import UserError, shown

    if text not in (None, "right", "lm-eval"):
        raise UserError(f"'{shown(text)}' is neither `right` nor `lm-eval`", place="--mode")
    return text or "right"


def _documents(texts: tuple[str, ...] | list[str]) -> dict[str, str]:
    """By task the documents that are chosen; those of all tasks under ''."""
    return {task: ids for task, _, ids in (text.rpartition("=") for text in texts)}


def _places(texts: tuple[str, ...] | list[str]) -> dict[str, str]:
    from harness.errors import UserError, shown

    found = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise UserError(f"'{shown(text)}' is no DATASET=PATH, such as ai2_arc=data/arc.jsonl", place="--data")
        found[name] = path
    return found


def _check_folder(path: Path | None) -> None:
    """A folder that is written at the end: where it can't be, that is said before anything is measured."""
    from harness.errors import UserError
    from harness.input_file import why_no_path
    from harness.whole_file import why_no_folder

    if path is not None and (why := why_no_path(str(path)) or why_no_folder(path)):
        raise UserError(why, place="--lm-eval")
