"""The block of docs/assistant-corpus.md runs, and its numbers about the corpus are right."""

import re
from pathlib import Path

import pytest

from reference_impl.text import assistant
from reference_impl.text.assistant.world import DEEDS, facts

TEXT = (Path(__file__).parents[4] / "docs" / "assistant-corpus.md").read_text(encoding="utf-8")


def test_the_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [block] = re.findall(r"^```python\n(.*?)^```$", TEXT, re.S | re.M)
    exec(compile(block, "docs/assistant-corpus.md", "exec"), {})
    assert capsys.readouterr().out == "True\n"


def test_what_it_says_of_the_corpus() -> None:
    assert f"{len(facts())} facts" in TEXT and len(DEEDS) == 10 and "one of ten" in TEXT
    most = assistant.MOST_PROMPTS
    assert f"{most['train']:,} prompts in train and {most['test']} in the others" in " ".join(TEXT.split())
    assert assistant.BYTES == {"train": 5_000_000, "validation": 200_000, "test": 200_000}
