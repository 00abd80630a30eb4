"""Align a model from the shell: a stage from folder to folder.

    python -m reference_impl.alignment sft --start checkpoints/base --data microworld --epochs 2 --out checkpoints/sft
    python -m reference_impl.alignment reward --start checkpoints/sft --data pairs.jsonl --out checkpoints/reward
    python -m reference_impl.alignment ppo --start checkpoints/sft --reward checkpoints/reward --out checkpoints/ppo
    python -m reference_impl.alignment dpo --start SmolLM2 --data pairs.jsonl --lora --lora-rank 8 --out checkpoints/dpo

Shows how it goes; the last line is one JSON object. Where it was stopped or killed, the same command goes on with
`--resume`. `accelerate launch … -m reference_impl.alignment …` does it in several processes (`processes.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from rich.console import Console

from reference_impl.alignment import processes
from reference_impl.alignment.settings.checkpoints import CheckpointSettings
from reference_impl.alignment.settings.described import Described, described, read_as
from reference_impl.alignment.settings.drawn import DrawnPairSettings
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.settings.scorers import scorers_in_words
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.method import METHODS, Method, run_stage
from reference_impl.alignment.stages.run import Run
from reference_impl.files import TextError
from reference_impl.training.state import Report

SHOWN = ("loss", "score", "kl", "accuracy", "margin", "entropy", "length")
"""Of a report, where it has them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses, runs the stage, keeps the model; returns the exit code."""
    options = vars(_parser().parse_args(arguments))
    console = Console(stderr=True)
    try:
        device = processes.start(options["device"])
    except ValueError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    try:
        return _done(options, device, console)
    finally:
        processes.end()


def _done(options: dict[str, Any], device: torch.device, console: Console) -> int:
    first = processes.number() == 0
    out = Path(options["out"])
    state = out.with_name(f"{out.name}.state.safetensors")

    def show(report: Report) -> None:
        if not first:
            return
        values = "  ".join(f"{name} {report.values[name]:.4g}" for name in SHOWN if name in report.values)
        console.print(f"{report.step:,} of {report.steps:,} steps  {values}", highlight=False, soft_wrap=True)

    method = METHODS[options["method"]]
    try:
        lora = LoRA(**_given(options, described(LoRA), "lora_")) if options["lora"] else None
        if lora is None and _given(options, described(LoRA), "lora_"):
            raise ValueError("settings of an adapter need --lora, which makes one.")
        pairs = _given(options, described(DrawnPairSettings), "drawn_") if method.drawable else {}
        if pairs and "reward" not in pairs:
            raise ValueError("settings of drawn pairs need --drawn-reward, which scores the responses.")
        moments = _given(options, described(CheckpointSettings), "checkpoints_") if method.keeps_checkpoints else {}
        result = run_stage(
            options["method"],
            Path(options["start"]),
            out,
            DataSettings(**_given(options, described(DataSettings))),
            _given(options, described(method.settings)),
            Run(show, state, options["save_every"], resumes=options["resume"]),
            reward=options.get("reward"),
            drawn=DrawnPairSettings(**pairs) if pairs else None,
            checkpoints=CheckpointSettings(**moments) if moments else None,
            lora=lora,
            device=device,
        )
    except (ValueError, OSError, ArithmeticError, TextError) as error:
        who = "" if first else f"process {processes.number()}: "
        kept = f"; go on with --resume from {state}" if isinstance(error, OSError) and state.is_file() else ""
        console.print(f"{who}{error}{kept}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        kept = f"go on with --resume from {state}" if state.is_file() else "nothing was saved"
        console.print(f"stopped; {kept}", style="red", soft_wrap=True)
        return 130
    if not first:
        return 0
    if result.merged_adapter:
        console.print(f"started from the adapter {result.merged_adapter}, merged into its base", highlight=False)
    for sentence in result.excluded:
        console.print(sentence, highlight=False, soft_wrap=True)
    told = {"out": str(out), "method": result.method, "learned_from": result.learned_from, "seconds": result.seconds}
    last = {name: value if value == value else str(value) for name, value in result.last.items()}  # NaN is no JSON
    print(json.dumps({**told, **last}, allow_nan=False))
    return 0


def _given(options: dict[str, Any], fields: Iterator[Described], before: str = "") -> dict[str, Any]:
    """What was said of fields, as their types. Raises ValueError in the shell's words."""
    found = {}
    for one in fields:
        text = options.get(before + one.name)
        if text is not None:
            try:
                found[one.name] = read_as(one.type, text)
            except ValidationError as error:
                why = error.errors()[0]["msg"]
                raise ValueError(f"--{before}{one.name} {text}: {why}.".replace("_", "-")) from None
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.alignment", description="Align a model: a stage from folder to folder."
    )
    methods = parser.add_subparsers(dest="method", required=True, metavar="METHOD")
    for name, method in METHODS.items():
        _add_options(methods.add_parser(name, help=method.about, description=method.about), method)
    return parser


def _add_options(parser: argparse.ArgumentParser, method: Method) -> None:
    add = parser.add_argument
    add(
        "--start",
        required=True,
        help="the model that learns: a checkpoint of ours, a transformers folder, a hub id of the local cache, or an "
        "adapter of peft",
    )
    add("--out", required=True, help="folder for what comes of it")
    if method.rewarded:
        add("--reward", required=True, help=f"folder of a reward model, or {scorers_in_words()}")
    add("--save-every", type=int, default=50, help="steps between two saves of the run's state, beside the folder")
    add("--resume", action="store_true", help="go on from that state, with the same options")
    add("--device", help="of one process: cpu, cuda, cuda:1 … (default: cpu; several processes have each their own)")
    add("--lora", action="store_true", help="only an adapter of a transformers model learns")
    for before, settings, preset in (
        ("", DataSettings, {}),
        ("", method.settings, method.preset),
        ("lora_", LoRA, {}),
        *([("drawn_", DrawnPairSettings, {})] if method.drawable else []),
        *([("checkpoints_", CheckpointSettings, {})] if method.keeps_checkpoints else []),
    ):
        for one in described(settings, **preset):
            default = "" if one.default is None else f" (default: {one.default})"
            add(
                f"--{before}{one.name}".replace("_", "-"),
                metavar="VALUE",
                help=(one.about + default).replace("%", "%%"),
            )


if __name__ == "__main__":
    sys.exit(main())
