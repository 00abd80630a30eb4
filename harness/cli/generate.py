"""`harness generate MODEL "prompt"`: what a model writes after a text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.answering import put, put_answer
from harness.cli.console import say
from harness.cli.options import RUNS, Out, TrustRemoteCode
from harness.cli.writing_options import (
    Beams,
    Device,
    MaxTokens,
    MinP,
    Model,
    Precision,
    RepetitionPenalty,
    Seed,
    Stop,
    System,
    Temperature,
    Threads,
    TopK,
    TopP,
    figures,
    preparing,
    tell,
    unescaped,
)
from harness.errors import UserError, shown

if TYPE_CHECKING:
    from harness import LanguageModel, Written

LARGEST_FILE = 64 << 20
"""Bytes of a prompt."""


def generate(
    model: Model,
    prompts: Annotated[
        list[str] | None, typer.Argument(help="What the model goes on from, each for itself; `-` reads standard input.")
    ] = None,
    file: Annotated[list[Path] | None, typer.Option("--file", help="A file whose text is a prompt.")] = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = 0.0,
    top_k: TopK = None,
    top_p: TopP = 1.0,
    min_p: MinP = 0.0,
    repetition_penalty: RepetitionPenalty = 1.0,
    beams: Beams = 1,
    length_penalty: Annotated[float, typer.Option("--length-penalty", help="Of beam search.")] = 1.0,
    seed: Seed = 0,
    stop: Stop = None,
    samples: Annotated[int, typer.Option("--samples", "-n", help="Texts of each prompt, each drawn for itself.")] = 1,
    chat: Annotated[bool, typer.Option("--chat", help="A prompt is a message; use the model's chat template.")] = False,
    system: System = None,
    precision: Precision = "fp32",
    device: Device = "auto",
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with all texts.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line of figures at the end.")] = False,
    trust_remote_code: TrustRemoteCode = False,
    out: Out = RUNS,
) -> None:
    """Let a model go on from a text. Several texts are written side by side, unless they go to a terminal.

    Example: harness generate asset:smollm2-135m-instruct "The capital of France is" --max-tokens 20
    """
    import harness

    texts = _prompts(prompts or [], file or [])
    settings: dict[str, Any] = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "beams": beams,
        "length_penalty": length_penalty,
        "seed": seed,
        "stop": tuple(map(unescaped, stop or ())),
    }
    harness.check_samples(samples, harness.writing_settings(**settings))
    if system and not chat:
        raise UserError("a system message is for a chat: add --chat, or write it into the prompt", place="--system")
    opened = harness.load_model(
        model,
        precision=precision,
        device=device,
        threads=threads,
        trust_remote_code=trust_remote_code,
        out=out,
        tell=tell,
        on_event=preparing(),
    )
    given = settings | {"chat": chat, "system": system}
    one = len(texts) * samples == 1
    if as_json or not (one or sys.stdout.isatty()):
        written = _side_by_side(opened, texts, samples, given)
        if as_json:
            _print_json(opened, texts, written, settings)
        else:
            for number, each in enumerate(written):
                for sample, answer in enumerate(each):
                    _heading(texts[number], number, sample, len(texts), samples)
                    put(answer.text + "\n")
    else:
        _streamed(opened, texts, samples, given, quiet)


def _streamed(model: LanguageModel, texts: list[str], samples: int, given: dict[str, Any], quiet: bool) -> None:
    import harness

    for number, text in enumerate(texts):
        for sample in range(samples):
            _heading(text, number, sample, len(texts), samples)
            writer = harness.stream(model, text, number=number, sample=sample, **given)
            try:
                put_answer(writer)
            finally:
                put("\n")
            written = writer.written
            if written.thought is not None and not written.text:
                say("the model was still thinking when it ended; let it write more (--max-tokens)", to_stderr=True)
            if written.cut:
                say(f"the prompt was too long: its first {written.cut:,} tokens were left out", to_stderr=True)
            if not quiet:
                say(figures(written), to_stderr=True)


def _side_by_side(model: LanguageModel, texts: list[str], samples: int, given: dict[str, Any]) -> list[list[Written]]:
    import harness

    return harness.write_all(model, texts, samples=samples, **given)


def _print_json(model: LanguageModel, texts: list[str], written: list[list[Written]], settings: dict[str, Any]) -> None:
    from harness import strict_json

    answers = [
        {
            "prompt": text,
            "sample": sample,
            "text": answer.text,
            "thought": answer.thought,
            "end": answer.finish,
            "tokens": answer.tokens,
            "prompt_tokens": answer.prompt_tokens,
            "dropped_prompt_tokens": answer.cut,
        }
        for text, each in zip(texts, written, strict=True)
        for sample, answer in enumerate(each)
    ]
    identity = model.identity
    about = {
        "name": identity.name,
        "digest": identity.digest,
        "precision": identity.precision,
        "device": identity.device,
    }
    kept = settings | {"stop": list(settings["stop"])}
    print(strict_json.dumps({"model": about, "settings": kept, "answers": answers}, indent=2))


def _heading(text: str, number: int, sample: int, texts: int, samples: int) -> None:
    """Which of several answers comes."""
    if texts * samples > 1:
        which = [f"prompt {number + 1}" if texts > 1 else "", f"sample {sample + 1}" if samples > 1 else ""]
        put(f"── {', '.join(filter(None, which))}: {shown(' '.join(text.split()), 60)}\n")


def _prompts(given: list[str], files: list[Path]) -> list[str]:
    """All prompts. Raises UserError where there is none, and for files that are no text."""
    if not given and not files:
        if sys.stdin is None or sys.stdin.isatty():
            raise UserError(
                "no prompt was given: write it behind the model, in quotes, or name a file (--file), or pipe it in",
                place="PROMPT",
            )
        given = ["-"]
    if given.count("-") > 1:
        raise UserError("standard input can be read once; leave one `-` out", place="PROMPT")
    texts = [_of_standard_input() if text == "-" else text for text in given]
    from harness.input_file import bytes_of_file

    return texts + [_text(bytes_of_file(path, LARGEST_FILE, "a prompt"), str(path)) for path in files]


def _of_standard_input() -> str:
    if sys.stdin is None:
        raise UserError("standard input is closed; write the prompt behind the model", place="-")
    return _text(sys.stdin.buffer.read(LARGEST_FILE), "standard input")


def _text(content: bytes, place: str) -> str:
    """A file's text, without the line break at its end."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"this is no UTF-8 text (byte {error.start:,}): save it as UTF-8", place=place) from None
    return text.removesuffix("\n").removesuffix("\r")
