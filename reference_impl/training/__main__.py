"""Train a GPT from the shell and keep a checkpoint.

    python -m reference_impl.training --preset nano --text microworld --tokens 400000 --out checkpoints/nano
    python -m reference_impl.training --preset mini --text my/stories.jsonl --tokens 2000000 --out checkpoints/mine

Trains a tokenizer on the text, then the model, and shows how it goes. Of local text the last tenth is held out
for validation; microworld has its own split. The last line is one JSON object. With `--save-every 500` a run that was
stopped, killed or has diverged goes on with the same command and `--resume`.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Display

from reference_impl.model.gpt import GPT
from reference_impl.model.presets import PRESETS, preset
from reference_impl.text.any_tokenizer import Tokenizer
from reference_impl.text.characters import Characters
from reference_impl.text.files import read_documents
from reference_impl.text.packing import pack
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint
from reference_impl.training.pretraining import train
from reference_impl.training.result import Progress
from reference_impl.training.run_lock import alone
from reference_impl.training.schedule import DECAYS
from reference_impl.training.settings import OptimizerName, TrainingSettings
from reference_impl.training.state_file import Saving

HELD_OUT = 0.1
"""Part of local text that is for validation."""

SAVE_EVERY = 1000
"""Steps between two saves of a run that is resumed without saying."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses, trains, saves; returns the exit code."""
    options = _parser().parse_args(arguments)
    out = Path(options.out)
    state = out.with_name(f"{out.name}.state.safetensors")
    console = Console(stderr=True)
    try:
        settings = TrainingSettings(
            tokens=options.tokens,
            batch=options.batch,
            accumulation=options.accumulation,
            learning_rate=options.learning_rate,
            schedule=options.schedule,
            warmup=options.warmup,
            optimizer=options.optimizer,
            betas=tuple(options.betas),
            precision=options.precision,
            threads=options.threads,
            seed=options.seed,
        )
        with console.status("reading the text and training the tokenizer"):
            training_documents, validation_documents = _documents(options.text, options.field)
            tokenizer = _tokenizer(options.tokenizer, training_documents, validation_documents, options.vocabulary)
            train_tokens = pack(tokenizer, training_documents)
            validation_tokens = pack(tokenizer, validation_documents)
        torch.manual_seed(options.seed)
        config = preset(options.preset, tokenizer.size, options.context)
        model = GPT(replace(config, dropout=options.dropout)).to(options.device)
        wants_state = options.save_every is not None or options.resume
        saving = (
            Saving(state, SAVE_EVERY if options.save_every is None else options.save_every) if wants_state else None
        )
        with alone(state if wants_state else None), progress_display(console, f"training {options.preset}") as show:
            result = train(
                model,
                train_tokens,
                validation_tokens,
                settings,
                show,
                validation_bytes=sum(tokenizer.token_bytes(validation_tokens[1:].tolist())),
                saving=saving,
                resume=options.resume,
            )
        save_checkpoint(options.out, model, tokenizer, result)
        state.unlink(missing_ok=True)
    except (ValueError, OSError, ArithmeticError) as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        kept = f"go on with --resume from {state}" if state.is_file() else "nothing was saved"
        console.print(f"stopped; {kept}", style="red", soft_wrap=True)
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
    told = {name: str(value) if value != value else value for name, value in summary.items()}  # NaN is no JSON
    print(json.dumps(told, allow_nan=False))
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
    """Training and validation documents of `microworld` or `assistant`, or of a file or folder for `read_documents`."""
    if text == "microworld":
        from reference_impl.text import microworld

        return microworld.documents("train"), microworld.documents("validation")
    if text == "assistant":
        from reference_impl.text import assistant

        return assistant.documents("train"), assistant.documents("validation")
    documents = list(read_documents(text, field))
    if len(documents) >= 2 / HELD_OUT:
        kept = round(len(documents) * (1 - HELD_OUT))
        return documents[:kept], documents[kept:]
    ends = [round(len(document) * (1 - HELD_OUT)) for document in documents]  # few long ones: cut each
    return (
        [document[:end] for document, end in zip(documents, ends, strict=True)],
        [document[end:] for document, end in zip(documents, ends, strict=True)],
    )


def _tokenizer(kind: str, training: list[str], validation: list[str], vocabulary: int) -> Tokenizer:
    """A tokenizer for the text; a character that only the validation text has would have no token otherwise."""
    if kind == "characters":
        return Characters.train([*training, *validation])
    return ByteBPE.train(training, vocabulary)


def _parser() -> argparse.ArgumentParser:
    defaults = TrainingSettings()
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.training",
        description="Train a GPT and keep a checkpoint.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--preset", default="nano", help=f"shape of the model: {', '.join(PRESETS)}")
    add(
        "--text",
        default="microworld",
        help="microworld or assistant, or a txt, jsonl, json, csv, tsv, parquet or arrow file, or a folder of them",
    )
    add("--field", default="text", help="key or column that holds the text")
    add("--tokenizer", choices=("bpe", "characters"), default="bpe", help="byte-level BPE, or one token per character")
    add("--vocabulary", type=int, default=1024, help="tokens of the BPE to train")
    add("--context", type=int, default=None, help="longest sequence; by default the preset's")
    add("--tokens", type=int, default=defaults.tokens, help="training budget")
    add("--batch", type=int, default=defaults.batch, help="sequences per step")
    add("--accumulation", type=int, default=defaults.accumulation, help="micro-batches per step")
    add("--learning-rate", type=float, default=None, help="peak; by default chosen for the model's size")
    add("--schedule", choices=tuple(DECAYS), default=defaults.schedule, help="of the learning rate")
    add("--warmup", type=float, default=defaults.warmup, help="part of the steps in which the learning rate rises")
    add("--optimizer", choices=get_args(OptimizerName), default=defaults.optimizer, help="sgd: no adaptive rates")
    add("--betas", type=float, nargs=2, default=list(defaults.betas), help="0 first leaves momentum out")
    add("--dropout", type=float, default=0.0, help="probability of dropping an activation")
    add("--precision", choices=("auto", "fp32", "bf16"), default=defaults.precision, help="of matrix products")
    add("--threads", type=int, default=None, help="CPU threads; by default torch's choice")
    add("--seed", type=int, default=defaults.seed, help="of weights and data order")
    add("--device", default="cpu", help="cpu, cuda or mps")
    add("--out", required=True, help="folder for the checkpoint")
    add(
        "--save-every", type=int, default=None, help="steps between two saves of the run's state, beside the checkpoint"
    )
    add("--resume", action="store_true", help="go on from that state, with the same options")
    return parser


if __name__ == "__main__":
    sys.exit(main())
