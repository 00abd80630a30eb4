"""Train a GPT from the shell and keep a checkpoint.

    python -m reference_impl.training --preset nano --text microworld --tokens 400000 --out checkpoints/nano
    python -m reference_impl.training --preset mini --text my/stories.jsonl --tokens 2000000 --out checkpoints/mine

Trains a tokenizer on the text, then the model, and shows how it goes. Of local text the last tenth is held out
for validation; microworld has its own split. The last line is one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Display

from reference_impl.model.gpt import GPT
from reference_impl.model.presets import PRESETS, preset
from reference_impl.text.files import read_documents
from reference_impl.text.packing import pack
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint
from reference_impl.training.loop import train
from reference_impl.training.result import Progress
from reference_impl.training.settings import TrainingSettings

HELD_OUT = 0.1
"""Part of local text that is for validation."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses, trains, saves; returns the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        settings = TrainingSettings(
            tokens=options.tokens,
            batch=options.batch,
            accumulation=options.accumulation,
            learning_rate=options.learning_rate,
            precision=options.precision,
            threads=options.threads,
            seed=options.seed,
        )
        with console.status("reading the text and training the tokenizer"):
            training_documents, validation_documents = _documents(options.text, options.field)
            tokenizer = ByteBPE.train(training_documents, options.vocabulary)
            train_tokens = pack(tokenizer, training_documents)
            validation_tokens = pack(tokenizer, validation_documents)
        torch.manual_seed(options.seed)
        model = GPT(preset(options.preset, tokenizer.size)).to(options.device)
        with progress_display(console, f"training {options.preset}") as show:
            result = train(
                model,
                train_tokens,
                validation_tokens,
                settings,
                show,
                validation_bytes=sum(tokenizer.token_bytes(validation_tokens[1:].tolist())),
            )
        save_checkpoint(options.out, model, tokenizer, result)
    except (ValueError, OSError, ArithmeticError) as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("stopped; nothing was saved", style="red")
        return 130
    summary = {
        "out": options.out,
        "parameters": result.parameters,
        "tokens": result.tokens,
        "seconds": round(result.seconds, 2),
        "tokens_per_second": round(result.tokens_per_second),
        "validation_loss": result.validation_loss,
        "bits_per_byte": result.bits_per_byte,
    }
    print(json.dumps(summary))
    return 0


@contextmanager
def progress_display(console: Console, title: str) -> Iterator[Callable[[Progress], None]]:
    """A bar with loss, validation loss, speed and time left, and the function that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}  validation {task.fields[validation]}  {task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Display(*columns, console=console) as display:
        task = display.add_task(title, total=None, loss="-", validation="-", speed="")

        def show(progress: Progress) -> None:
            display.update(
                task,
                total=progress.steps,
                completed=progress.step,
                loss=f"{progress.loss:.3f}",
                speed=f"{progress.tokens_per_second:,.0f} tokens/s",
            )
            if progress.validation_loss is not None:
                display.update(task, validation=f"{progress.validation_loss:.3f}")

        yield show


def _documents(text: str, field: str) -> tuple[list[str], list[str]]:
    """Training and validation documents of `microworld`, or of a file or folder for `read_documents`."""
    if text == "microworld":
        from reference_impl.text import microworld

        return microworld.documents("train"), microworld.documents("validation")
    documents = list(read_documents(text, field))
    if len(documents) >= 2 / HELD_OUT:
        kept = round(len(documents) * (1 - HELD_OUT))
        return documents[:kept], documents[kept:]
    ends = [round(len(document) * (1 - HELD_OUT)) for document in documents]  # few long ones: cut each
    return (
        [document[:end] for document, end in zip(documents, ends, strict=True)],
        [document[end:] for document, end in zip(documents, ends, strict=True)],
    )


def _parser() -> argparse.ArgumentParser:
    defaults = TrainingSettings()
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.training",
        description="Train a GPT and keep a checkpoint.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--preset", default="nano", help=f"shape of the model: {', '.join(PRESETS)}")
    add("--text", default="microworld", help="microworld, or a txt, jsonl, csv or parquet file, or a folder of them")
    add("--field", default="text", help="key or column that holds the text")
    add("--vocabulary", type=int, default=1024, help="tokens of the tokenizer to train")
    add("--tokens", type=int, default=defaults.tokens, help="training budget")
    add("--batch", type=int, default=defaults.batch, help="sequences per step")
    add("--accumulation", type=int, default=defaults.accumulation, help="micro-batches per step")
    add("--learning-rate", type=float, default=None, help="peak; by default chosen for the model's size")
    add("--precision", choices=("auto", "fp32", "bf16"), default=defaults.precision, help="of matrix products")
    add("--threads", type=int, default=None, help="CPU threads; by default torch's choice")
    add("--seed", type=int, default=defaults.seed, help="of weights and data order")
    add("--device", default="cpu", help="cpu, cuda or mps")
    add("--out", required=True, help="folder for the checkpoint")
    return parser


if __name__ == "__main__":
    sys.exit(main())
