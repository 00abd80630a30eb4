"""Runs of earlier versions: `python tests/stored/run.py` made `run-2.tar.xz`, a run folder without its report.html.

The number is the version of the format (`SCHEMA_VERSION`). They are to be read by every later version, so they are not
made again when the code changes: a later version reads them, migrates them, or refuses them by name. Where the format
gets a new version, a run of its own comes beside them. `run-1.tar.xz` is of the same suite, made by the commit 27d1e22,
which wrote no checksums.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from harness.results.record import SCHEMA_VERSION

ARCHIVE = Path(__file__).with_name(f"run-{SCHEMA_VERSION}.tar.xz")
TREE = Path(__file__).parents[2]
SUITE = """
name: every
about: Every measure once, on a model of 74,112 parameters that has learnt next to nothing.
models:
  tiny: {reference: nano, train: {corpus: microworld, tokens: 4000, vocabulary: 300, context: 64, batch: 4}}
matrix: {precision: [fp32, int8], device: cpu, threads: 1}
measures:
  - perplexity: {text: microworld/test, documents: 8, document_bytes: 200}
  - fidelity: {text: microworld/test, documents: 4, document_bytes: 200, prompt: 8, generate: 4}
  - inference: {prompt: 8, generate: 4, iterations: 3, warmup: 1}
  - memory: {context: 32}
  - diversity: {text: microworld/test, documents: 4, prompt: 4, generate: 8}
  - kv_cache: {generate: 16, iterations: 2}
  - training: {}
  - training_speed: {}
  - activations: {text: microworld/test, documents: 4}
  - in_context: {text: microworld/test, documents: 4, tokens: 32, sequences: 2}
  - in_context_regression: {steps: 2, batch: 2, sequences: 4}
  - task: {task: [microworld_facts, microworld_addition_1], documents: 8}
analyse:
  - quantization_cost: {}
expect:
  - {metric: perplexity, where: {precision: int8}, against: {precision: fp32}, at_most: 1.2}
  - {metric: perplexity, where: {precision: fp32}, at_most: 2}
"""


def _make() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "every.yaml").write_text(SUITE)
        command = [sys.executable, "-m", "harness", "run", f"{made}/every.yaml", "--out", f"{made}/runs"]
        # the perplexity that is expected to be at most 2 is not, which is exit code 1
        ended = subprocess.run(command, cwd=TREE, env=os.environ | {"PYTHONPATH": str(TREE)}, check=False)
        assert ended.returncode == 1
        (run,) = (folder / "runs").iterdir()
        (run / "report.html").unlink()
        with tarfile.open(ARCHIVE, "w:xz") as archive:
            archive.add(run, "every", filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The file without whose it is; no lock."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if entry.name.endswith(".lock") else entry


if __name__ == "__main__":
    _make()
