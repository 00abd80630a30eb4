"""`harness perplexity MODEL --text FILE`: how well models predict a text."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import RUNS, Fresh, NoCache, Out, Resume, SaveSuite, TrustRemoteCode


def perplexity(
    models: Annotated[
        list[str], typer.Argument(help="Folders, hub ids, asset:NAME, presets, or RUN:model.", metavar="MODEL")
    ],
    text: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="A file or folder of text; FILE#FIELD names a column.")
    ] = None,
    corpus: Annotated[
        list[str] | None, typer.Option("--corpus", help="A text by name: see `harness list corpora`.")
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
) -> None:
    """Measure perplexity, loss and bits per byte of models on a text.

    Example: harness perplexity asset:smollm2-135m-instruct --text notes.txt

    Exit code 0: it was measured; 2: bad input, or something failed.
    """
    from harness.cli.running import run_and_print, save_as_asked
    from harness.execution.allowed import Allowed
    from harness.results.exit_code import exit_code
    from harness.shorthand.model_name import named_models
    from harness.shorthand.pairs import nested
    from harness.shorthand.perplexity import perplexity_suite, texts_named
    from harness.shorthand.values import comma_separated

    suite = perplexity_suite(
        named_models(models, out, nested(settings or (), "--set")),
        texts_named(text or (), corpus or ()),
        window=window,
        stride=stride,
        documents=documents,
        bos=bos,
        precision=comma_separated(precision, "--precision"),
        device=device,
    )
    save_as_asked(suite, save_suite)
    run = run_and_print(
        suite,
        out=out,
        resume=resume,
        fresh=fresh,
        no_cache=no_cache,
        allowed=Allowed(trust_remote_code=trust_remote_code),
    )
    raise typer.Exit(exit_code(run))
