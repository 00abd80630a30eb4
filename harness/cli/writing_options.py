"""Options of the commands in which a model writes, what they make of them, and the line of figures at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import completing
from harness.cli.console import say
from harness.cli.preparing import NowAndThen

if TYPE_CHECKING:
    from harness import Written

Model = Annotated[
    str,
    typer.Argument(
        help="A folder, a hub id, asset:NAME, a preset, or a run's model (RUN:model).",
        autocompletion=completing.models,
    ),
]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", help="Tokens of an answer at most; left out, 128.")]
Temperature = Annotated[float, typer.Option("--temperature", help="0 is greedy: the most likely token each time.")]
TopK = Annotated[int | None, typer.Option("--top-k", help="Only the k most likely tokens.")]
TopP = Annotated[float, typer.Option("--top-p", help="Only the most likely tokens that reach this probability.")]
MinP = Annotated[
    float, typer.Option("--min-p", help="Only tokens with this share of the most likely one's probability.")
]
RepetitionPenalty = Annotated[
    float, typer.Option("--repetition-penalty", help="Above 1 makes tokens of the text so far less likely.")
]
Beams = Annotated[int, typer.Option("--beams", help="Above 1: beam search, whose text comes at its end.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the draws: the same seed writes the same text.")]
Stop = Annotated[
    list[str] | None,
    typer.Option("--stop", help=r"A string that ends the text, which is cut before it; \n is a line break."),
]
Precision = Annotated[str, typer.Option("--precision", help="fp32, bf16, int8, int4 ... (docs/quantization.md).")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="To compute with; left out, one for each core that others leave.")
]
System = Annotated[str | None, typer.Option("--system", help="What the model is told before the conversation.")]


def unescaped(text: str) -> str:
    """A stop string as it is meant: `\\n`, `\\t` and `\\\\` are a line break, a tab and a backslash."""
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\t", "\t") for part in parts)


def tell(sentence: str) -> None:
    """What is about to happen and takes time."""
    say(sentence, to_stderr=True)


def preparing() -> NowAndThen:
    """Says on stderr how far a download or a training is, every quarter."""
    return NowAndThen(tell, 4)


def figures(written: Written, reused: int | None = None) -> str:
    """What an answer took, in a line. reused: tokens of its prompt that were not read again."""
    parts = [_counted(written.tokens, "token")]
    took: Any = written.took
    if took is not None:
        parts[0] += f" in {_time(took.seconds)}"
        if took.tokens_per_second is not None:
            parts.append(f"{took.tokens_per_second:,.1f} tokens/s")
        if took.ttft is not None:
            cached = f" ({reused:,} of its tokens kept from before)" if reused else ""
            parts.append(f"TTFT {_time(took.ttft)} for a prompt of {written.prompt_tokens:,}{cached}")
        parts.append(f"memory {_mib(took.memory)} (weights {_mib(took.weight_bytes)}, KV cache {_mib(took.kv_bytes)})")
        parts += _fewer_threads()
    parts.append(ENDS[written.finish])
    return " · ".join(parts)


def _fewer_threads() -> list[str]:
    """With how many threads, where that is not one for each core: why an answer came slowly."""
    import torch

    from harness.threads import default_threads

    threads, most = torch.get_num_threads(), default_threads()
    return [f"{threads} of {most} threads"] if threads < most else []


ENDS = {
    "end": "ended by the model",
    "stop_string": "ended at a stop string",
    "length": "cut off at max_tokens",
    "interrupted": "interrupted",
}


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _time(seconds: float) -> str:
    from harness.number import duration

    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds)


def _mib(size: int) -> str:
    if size < 2**20:
        return f"{size / 2**10:,.0f} KiB"
    return f"{size / 2**20:,.{0 if size >= 10 * 2**20 else 1}f} MiB"
