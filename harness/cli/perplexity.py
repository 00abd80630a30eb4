"""`harness perplexity MODEL --text FILE`: how well models predict a text."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import completing
from harness.cli.formats import FormatName
from harness.cli.options import RUNS, AddTo, Fresh, LogTo, NoCache, Out, Resume, SaveSuite, TrustRemoteCode
from harness.shorthand.options import PERPLEXITY as OPTIONS


def perplexity(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Folders, hub ids, asset:NAME, presets, or RUN:model.",
            metavar="MODEL",
            autocompletion=completing.models,
        ),
    ],
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text", "-t", help="A file or folder of text; FILE#FIELD names a column. Several times for several texts."
        ),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            "--corpus",
            help="A text by name: see `harness list corpora`. Beside --text, both are measured, each by itself.",
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option("--window", help="Tokens that the model sees at once; left out, its whole context.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option("--stride", help="Tokens between the starts of two windows; left out, half of one.")
    ] = None,
    documents: Annotated[
        int | None, typer.Option("--documents", help="How many documents, evenly spaced; left out, all.")
    ] = None,
    bos: Annotated[
        str, typer.Option("--bos", help="Whether a BOS comes before each document: auto, add or none.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="fp32, bf16, int8, int4 …, several with commas.")
    ] = "fp32",
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the models' entries: key=value.")
    ] = None,
    save_suite: SaveSuite = None,
    out: Out = RUNS,
    fresh: Fresh = False,
    no_cache: NoCache = False,
    resume: Resume = False,
    trust_remote_code: TrustRemoteCode = False,
    history: AddTo = None,
    log_to: LogTo = None,
    format_: FormatName = "table",
) -> None:
    """Measure perplexity, loss and bits per byte of models on a text.

    Example: harness perplexity asset:smollm2-135m-instruct --text notes.txt

    Exit code 0: it was measured; 2: bad input, or something failed.
    """
    import harness
    from harness.cli.running import run_and_print, typed
    from harness.report.output.written import format_of
    from harness.shorthand.pairs import nested
    from harness.shorthand.values import comma_separated

    format = format_of(format_)
    results = run_and_print(
        lambda on_event: harness.perplexity(
            models,
            text=text or (),
            corpus=corpus or (),
            window=window,
            stride=stride,
            documents=documents,
            bos=bos,
            precision=comma_separated(precision, "--precision"),
            device=device,
            settings=nested(settings or (), "--set"),
            out=out,
            save_suite=save_suite,
            command=typed(),
            resume=resume,
            fresh=fresh,
            cached=not no_cache,
            allowed=harness.Allowed(trust_remote_code=trust_remote_code),
            on_event=on_event,
        ),
        history=history,
        log_to=log_to or (),
        format=format,
        save_suite=save_suite,
        options=OPTIONS,
    )
    raise typer.Exit(results.exit_code)
