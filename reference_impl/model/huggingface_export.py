"""Our GPT written as a folder of `transformers`, like the folder that it was opened from: what was trained here is
again what it was, for every program that reads such folders.

Config, tokenizer, chat template and generation settings are the source's; the weights are the model's.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from reference_impl.model.gpt import GPT
from reference_impl.model.huggingface import state_to_huggingface
from reference_impl.model.huggingface_folder import WEIGHTS, open_folder
from reference_impl.model.huggingface_llama import tensors_to_llama

BESIDE_THE_WEIGHTS = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "vocab.txt", "spiece.model", "chat_template.jinja", "chat_template.json"),
    *("additional_chat_templates", "generation_config.json", "LICENSE", "LICENSE.txt", "NOTICE"),
)
"""Files (and a folder) that go along: those that say how text becomes ids and how the model is talked to."""


@torch.no_grad()
def export(gpt: GPT, source: Path, to: Path) -> None:
    """Write `to` whole or not at all: the model's weights in their own type, and what else is in `source`.

    source: a folder that `open_folder` reads, of the same shape. Raises ValueError where it is of another, or holds
    what isn't plain weights; FileExistsError where something is at `to`; OSError where it can't be written.
    """
    if open_folder(source).config != gpt.config:
        raise ValueError(f"{source / 'config.json'}: it describes another shape than the model's: {gpt.config}.")
    if to.exists():
        raise FileExistsError(f"{to}: something is there already; give another folder, or remove it.")
    told = json.loads((source / "config.json").read_bytes())
    told.pop("torch_dtype", None)
    told["dtype"] = str(gpt.dtype).removeprefix("torch.")
    to.parent.mkdir(parents=True, exist_ok=True)
    being_written = Path(tempfile.mkdtemp(prefix=f".{to.name}.", dir=to.parent))
    try:
        (being_written / "config.json").write_text(json.dumps(told, indent=2, allow_nan=False) + "\n")
        tensors = {name: tensor.cpu().contiguous() for name, tensor in _tensors(gpt, told["model_type"])}
        save_file(tensors, str(being_written / WEIGHTS), {"format": "pt"})
        for name in BESIDE_THE_WEIGHTS:
            if (source / name).is_dir():
                shutil.copytree(source / name, being_written / name)
            elif (source / name).is_file():
                shutil.copyfile(source / name, being_written / name)
        being_written.chmod(0o755)
        being_written.rename(to)
    except SafetensorError as error:  # its own name for a full disk
        raise OSError(f"{to}: the model can't be written ({error}); make room or give another place.") from error
    finally:
        shutil.rmtree(being_written, ignore_errors=True)


def _tensors(gpt: GPT, kind: str) -> Iterator[tuple[str, Tensor]]:
    """By their names in `transformers`; a tied head is its embedding, and not written."""
    state = gpt.state_dict()
    with torch.device("meta"):
        plain = GPT(gpt.config).state_dict()
    if strange := sorted(state.keys() ^ plain.keys()):
        raise ValueError(f"the model's weights are not plain ({strange[0]}): merge adapters, and don't quantize.")
    if kind == "llama":
        yield from tensors_to_llama(state, gpt.config)
        return
    for name, tensor in state_to_huggingface(state, gpt.config).items():
        if name != "lm_head.weight" or not gpt.config.tie_head:
            yield name, tensor
