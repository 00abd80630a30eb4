"""`harness train --text FILE`: a model of one's own, in one line."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import can_go_back, make_console, print_folded
from harness.cli.interrupting import as_ctrl_c
from harness.cli.options import RUNS, AddTo, Fresh, LogTo, NoCache, Out, SaveSuite
from harness.cli.preparing import NowAndThen, going, ready
from harness.cli.running import checked_trackers, pass_on, typed
from harness.shorthand.options import TRAIN as OPTIONS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from harness import Event, Results


def train(
    text: Annotated[str | None, typer.Option("--text", help="A file or a folder of text to train on.")] = None,
    corpus: Annotated[
        str | None,
        typer.Option("--corpus", help="A text by name in its place: microworld, asset:shakespeare, data:NAME."),
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="Shape of the model; `harness list models` has them.")
    ] = "nano",
    tokens: Annotated[int | None, typer.Option("--tokens", help="Tokens to train on; left out, 1,000,000.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Steps in place of tokens.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Sequences per step; left out, 4.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--lr", help="Peak learning rate; left out, by size.")] = None,
    context: Annotated[int | None, typer.Option("--context", help="Context in tokens; left out, 256.")] = None,
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", help="bpe, or characters; left out, bpe.")] = None,
    vocabulary: Annotated[int | None, typer.Option("--vocabulary", help="Tokens of the BPE; left out, 1024.")] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Of matrix products: fp32 or bf16; left out, bf16 where it pays.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the first weights and the order of the data.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other key of `train:` (docs/training.md): schedule=linear, warmup=0.1."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto or cpu, where these models are trained.")] = "auto",
    name: Annotated[str | None, typer.Option("--name", help="Of the run; left out, of text and preset.")] = None,
    save_suite: SaveSuite = None,
    out: Out = RUNS,
    resume: Annotated[
        bool, typer.Option(help="Go on with a training that was cut off, which happens by itself, or begin it anew.")
    ] = True,
    fresh: Fresh = False,
    no_cache: NoCache = False,
    history: AddTo = None,
    log_to: LogTo = None,
) -> None:
    """Train a small model on a text. Interrupted or killed, the same command goes on where it last kept its state
    (about every minute); --no-resume begins anew.

    Example: harness train --text notes.txt --preset nano, then harness generate notes-nano "Once upon a time"
    """
    import harness
    from harness.errors import UserError
    from harness.shorthand.in_options import told_in_options
    from harness.shorthand.pairs import nested

    as_ctrl_c()
    options: dict[str, Any] = {
        "tokens": tokens,
        "steps": steps,
        "batch": batch,
        "learning_rate": learning_rate,
        "context": context,
        "tokenizer": tokenizer,
        "vocabulary": vocabulary,
        "precision": precision,
        "seed": seed,
    }
    more = nested(settings or (), "--set")
    if twice := [key for key in more if options.get(key) is not None]:
        raise UserError(f"`{twice[0]}` has an option of its own that is given too; keep one", place="--set")
    if of_others := [key for key in more if key in ("corpus", *inspect.signature(harness.train).parameters)]:
        raise UserError(f"`{of_others[0]}` is no key of a training; it has an option of its own", place="--set")
    trackers = checked_trackers(history, log_to or ())
    progress = _Progress(make_console())
    try:
        with progress, told_in_options({f"train.{key}": f"--set {key}" for key in more} | {**OPTIONS}):
            results = harness.train(
                text,
                corpus=corpus,
                preset=preset,
                name=name,
                device=device,
                out=out,
                save_suite=save_suite,
                command=typed(),
                resume=resume,
                fresh=fresh,
                cached=not no_cache,
                on_event=progress,
                **(options | more),
            )
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on where the training last kept its state", err=True)
        raise
    progress.end(results)
    pass_on(results, history, trackers)
    raise typer.Exit(results.exit_code)


class _Progress:
    """Shows a training: a line that changes in a terminal, lines now and then elsewhere; samples of text in both."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._now_and_then = NowAndThen(self._say, 10)

    def __enter__(self) -> _Progress:
        if can_go_back(self._console):
            self._status = self._console.status("")
            self._status.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._status is not None:
            self._status.__exit__(None, None, None)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        from rich.text import Text

        from harness import Preparing

        if not isinstance(event, Preparing) or not event.text:
            return
        if event.sample:
            self._say(f"  it writes: {event.sample}")
        elif event.done >= 1:
            self._say(ready(event))
        elif self._status is not None:
            self._status.update(Text(going(event), no_wrap=True, overflow="ellipsis"))
        else:
            self._now_and_then(event)

    def end(self, results: Results) -> None:
        """What came of it, and how to go on."""
        [cell] = results.cells
        if cell.status != "ok":
            self._say(f"the training failed: {cell.reason}")
            return
        [(title, model)] = results.manifest.models.items()
        self._say(f"{title}: {model.get('text', 'trained')}")
        name = results.manifest.suite
        self._say(f'run {results.folder}\ngo on with: harness generate {name} "Once upon a time"')

    def _say(self, text: str) -> None:
        print_folded(self._console, text)
