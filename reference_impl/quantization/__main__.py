"""Quantize a model once and keep it, from the shell.

    python -m reference_impl.quantization FOLDER --scheme int4 --out FOLDER-int4
    python -m reference_impl.quantization FOLDER --scheme int4-gptq --calibrate some/text.txt --out FOLDER-gptq

FOLDER: a checkpoint of ours, or a GPT-2 or Llama of transformers. What is written loads several times as fast and never
takes more memory than the quantized weights. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from reference_impl.model.gpt import GPT
from reference_impl.model.huggingface_folder import open_folder
from reference_impl.quantization.loading import assemble
from reference_impl.quantization.quantize import quantize_
from reference_impl.quantization.quantized_checkpoint import STORABLE, save_quantized
from reference_impl.quantization.weight_bytes import weight_bytes
from reference_impl.text.files import read_documents
from reference_impl.training.checkpoint import load_checkpoint
from reference_impl.training.checkpoint_folder import MANIFEST

WINDOWS, TOKENS = 16, 256
"""Of calibration text: windows, and tokens in each."""

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, quantize, write; returns the exit code."""
    options = _parser().parse_args(arguments)
    source = Path(options.folder)
    try:
        if (options.scheme == "int4-gptq") != (options.calibrate is not None):
            raise ValueError("--calibrate TEXT goes with --scheme int4-gptq, and with no other.")
        if (source / MANIFEST).is_file():
            model = load_checkpoint(source).model
        else:
            folder = open_folder(source)
            # GPTQ looks at the whole model in full precision; the others are stored block by block.
            stored = torch.float32 if options.scheme == "int4-gptq" else options.scheme
            model = assemble(folder.config, folder.tensors(), stored)
        if isinstance(model.head, torch.nn.Linear):
            batches = [] if options.calibrate is None else _calibration(source, options.calibrate, model)
            quantize_(model, options.scheme, calibration=batches)
        files = [source / name for name in TOKENIZER_FILES if (source / name).is_file()]
        save_quantized(options.out, model, options.scheme, files)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    summary = {"out": options.out, "scheme": options.scheme, "weight_bytes": weight_bytes(model)}
    print(json.dumps(summary, allow_nan=False))
    return 0


def _calibration(source: Path, text: str, model: GPT) -> list[Tensor]:
    """Windows of the text's beginning, each (1, time)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    length = min(TOKENS, model.config.context)
    ids: list[int] = []
    for document in read_documents(text, "text"):
        ids += tokenizer.encode(document).ids
        if len(ids) >= WINDOWS * length:
            break
    if len(ids) < length:
        raise ValueError(f"{text}: {len(ids)} tokens are too few to calibrate on; give at least {WINDOWS * length}.")
    return [torch.tensor([ids[i : i + length]]) for i in range(0, min(len(ids), WINDOWS * length) - length + 1, length)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.quantization", description="Quantize and keep a model."
    )
    parser.add_argument("folder", help="checkpoint, or GPT-2 or Llama folder of transformers")
    parser.add_argument("--scheme", choices=STORABLE, required=True)
    parser.add_argument("--out", required=True, help="folder for the quantized checkpoint")
    parser.add_argument(
        "--calibrate", metavar="TEXT", help="txt, jsonl, json, csv, tsv, parquet or arrow file, for int4-gptq"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
