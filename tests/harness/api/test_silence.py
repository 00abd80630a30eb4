"""The main calls in a fresh process, as a script makes them: nothing is printed, on stdout or stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CALLS = """
import warnings; warnings.simplefilter("default")
import harness
folder = {folder!r}
model = harness.load_model(folder)
harness.generate(model, "Once", max_tokens=2)
harness.generate(folder, "Once", max_tokens=2)
list(harness.stream(model, "Once", max_tokens=2))
harness.converse(model, template="plain", max_tokens=2)
held = harness.InMemory(model, name="held")
results = harness.perplexity([folder, held], text={text!r}, documents=2)
harness.eval(folder, "microworld_addition_1", limit=1)
{broken}
results.records, results.samples, results.table(), results.report(), repr(results), results._repr_html_()
harness.show(), harness.list_runs(), harness.list("tasks"), harness.compare(results, results)
models = {{"m": {{"transformers": folder}}}}
harness.plan({{"name": "x", "models": models, "measures": [{{"memory": {{"context": 16}}}}]}})
try:
    harness.run("nothing")
except harness.UserError:
    pass
"""
BROKEN = "print('printed')"
DAMAGED = """
cells = results.folder / "cells.jsonl"
cells.write_bytes(cells.read_bytes() + b"{torn")
assert harness.show(results.name).damage
"""


def _printed(code: str, folder: Path) -> tuple[str, str]:
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"}
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


def test_nothing_is_printed(llama_folder: Path, story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own: what is done once, such as comparing a model's KV cache, is done here."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    code = CALLS.format(folder=str(llama_folder), text=str(story), broken=DAMAGED)
    assert _printed(code, tmp_path) == ("", "")


def test_what_is_printed_is_seen(tmp_path: Path) -> None:
    """Known bad."""
    assert _printed(BROKEN, tmp_path) == ("printed\n", "")


def test_a_logger_takes_what_a_person_should_read(tmp_path: Path) -> None:
    code = "import logging; logging.basicConfig(); from harness.notice import notice; notice('a'); notice('a')"
    assert _printed(code, tmp_path) == ("", "WARNING:harness:a\n")
