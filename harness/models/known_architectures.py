"""Which architectures the installed `transformers` knows, read from its files: importing it takes seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import shown
from harness.spelling import nearest

_LISTS = ("auto_mappings.py", "configuration_auto.py")
_ENTRY = re.compile(r"""["']([\w.-]+)["']\s*[,:]\s*["']\w+Config["']""")
FEWEST = 100
"""Fewer are no list of all: another version keeps it elsewhere, and nothing is told."""


def why_unknown(config: Mapping[str, Any]) -> str | None:
    """Why no version of a model can be made of a `config.json`; None where its architecture is known, where code of
    the model's own makes it, and where nobody can tell."""
    kind = config.get("model_type")
    known = known_architectures()
    if not isinstance(kind, str) or kind in known or len(known) < FEWEST or config.get("auto_map"):
        return None
    return unknown_architecture(kind, nearest(kind, sorted(known)))


def unknown_architecture(kind: str, guess: str = "") -> str:
    """What is told of a `model_type` that is not known. guess: a word of a known one."""
    return (
        f"this version of transformers knows no architecture `{shown(kind)}` (`model_type` in config.json){guess}: "
        "`pip install --upgrade transformers`, or fix the name"
    )


@cache
def known_architectures() -> frozenset[str]:
    """Every `model_type`; none where transformers is not installed."""
    found = find_spec("transformers")
    places = [] if found is None else list(found.submodule_search_locations or ())
    texts = [file.read_text(encoding="utf-8") for place in places for file in _files(Path(place))]
    return frozenset(name for text in texts for name in _ENTRY.findall(text))


def _files(package: Path) -> list[Path]:
    files = [package / "models/auto" / name for name in _LISTS]
    return [file for file in files if file.is_file()]
