"""The blocks of docs/policies.md run as they stand, one after the other, and the first one teaches what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_models import llama, save_byte_pairs, save_folder

BLOCKS = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[3] / "docs/policies.md").read_text(encoding="utf-8"), re.S
)


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_folder(tmp_path / "my-model", llama(), save_byte_pairs(tmp_path / "tokenizer.json", ["some text"], 300))
    named: dict[str, Any] = {}
    for block in BLOCKS:
        exec(block, named)
    curve = named["state"].curve
    assert curve[-1].values["reward"] > curve[0].values["reward"] + 0.2 and curve[-1].values["kl"] > 0.1
    assert (tmp_path / "my-trained-model" / "tokenizer.json").is_file() and len(BLOCKS) == 3
