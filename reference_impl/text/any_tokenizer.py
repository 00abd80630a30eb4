"""Whichever tokenizer a model was trained with."""

import json
import os
from pathlib import Path

from reference_impl.text.characters import FORMAT, Characters
from reference_impl.text.tokenizer import ByteBPE

Tokenizer = ByteBPE | Characters
"""What trains, packs and is kept in a checkpoint."""


def load_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """Reads the `tokenizer.json` of either kind. Raises OSError if it can't be read and ValueError if it is neither."""
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path}: not a tokenizer (not a file)")
    try:
        told = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a tokenizer ({str(error)[:300]})") from error
    if isinstance(told, dict) and told.get("format") == FORMAT:
        return Characters.load(path)
    return ByteBPE.load(path)
