"""`harness train`: one model, and the measure of its training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.errors import WrongArgument, shown
from harness.input_file import why_no_path

TOKENS = 1_000_000
"""Trained on where neither tokens nor steps are given."""


def training_suite(
    *,
    text: str | None = None,
    corpus: str | None = None,
    preset: str = "nano",
    name: str | None = None,
    **train: Any,
) -> dict[str, Any]:
    """The suite that trains a preset on a file or a corpus of that name, and tells what came of it.

    name: of the suite; left out, of text and preset. train: keys of a suite's `train:`, None where one is left out.
    Raises UserError for a text that is not there, and where text and corpus are both given, or neither.
    """
    if (text is None) == (corpus is None):
        known = "microworld, asset:shakespeare, data:NAME"
        both = "keep one of them" if text else f"name what to train on: a file or folder, or a text by name ({known})"
        raise WrongArgument(both, place="text, corpus")
    if text is not None:
        if why := why_no_path(text):
            raise WrongArgument(why, place="text")
        path = Path(text).expanduser()
        if not path.exists():
            raise WrongArgument(f"there is no file or folder '{shown(text)}'", place="text")
        if path.is_file() and not path.stat().st_size:
            raise WrongArgument(f"the file {shown(text)} is empty", place="text")
    source = text or corpus or ""
    keys = {key: value for key, value in train.items() if value is not None}
    if not {"tokens", "steps"} & keys.keys():
        keys["tokens"] = TOKENS
    return {
        "name": name or _name(source, preset),
        "about": f"{preset} trained on {Path(source).name}.",
        "models": {preset: {"reference": preset, "train": {"corpus": source, **keys}}},
        "measures": [{"training": {}}],
    }


def _name(source: str, preset: str) -> str:
    """Of letters, digits, dots, dashes and underscores, as suites are named."""
    stem = Path(source.rpartition(":")[2]).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{stem}-{preset}").strip("-.") or f"text-{preset}"
