"""Tiny random models in folders of their own, synthetic runs, and a small suite that really runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from harness.results.run import Run

TEXT = [
    "The cat sat on the mat, and the dog sat on the cat.",
    "Ünïcödé: «naïve café», 東京, 🙂.",
    "def add(a, b):\n    return a + b\n",
]


@pytest.fixture(scope="session")
def tiny_tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE of 320 tokens."""
    from tests.tiny_models import save_byte_pairs

    return save_byte_pairs(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json", TEXT * 20, 320)


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer_file: Path) -> Path:
    """A Llama with grouped-query attention (4 heads over 2), a tied head, context 64."""
    from tests.tiny_models import llama, save_folder

    return save_folder(tmp_path_factory.mktemp("models") / "llama", llama(), tiny_tokenizer_file)


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer_file: Path) -> Path:
    """A GPT-2 with 2 layers of width 32, context 48."""
    from tests.tiny_models import gpt2, save_folder

    return save_folder(tmp_path_factory.mktemp("models") / "gpt2", gpt2(), tiny_tokenizer_file)


WORDS = (
    *("the", "cat", "sat", "on", "a", "mat", "and", "the", "dog", "ran", "to", "the", "red", "barn", "while", "a"),
    *("bird", "sang", "in", "the", "old", "tree", "by", "the", "river"),
)


@pytest.fixture(scope="session")
def test_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that whole runs share within a test session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty short documents as jsonl: the same bytes every time."""
    path = tmp_path_factory.mktemp("text") / "story.jsonl"
    lines = []
    for number in range(60):
        picked = [WORDS[(number * 7 + k * (number % 5 + 1)) % len(WORDS)] for k in range(40)]
        lines.append('{"text": "' + " ".join(picked) + '."}')
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def tiny_suite(story: Path) -> str:
    """One tiny reference model, three measures, two precisions: six cells, trained and measured in seconds."""
    return f"""
name: tiny
about: A suite for tests.
models:
  tiny: {{reference: nano, train: {{corpus: {story}, tokens: 4000, vocabulary: 300, context: 64, batch: 4}}}}
matrix: {{precision: [fp32, int8], device: cpu, threads: 1}}
measures:
  - perplexity: {{text: {story}, documents: 20}}
  - inference: {{prompt: 8, generate: 4, iterations: 3, warmup: 1}}
  - memory: {{context: 32}}
analyse:
  - quantization_cost: {{}}
expect:
  - {{metric: perplexity, where: {{precision: int8}}, against: {{precision: fp32}}, at_most: 1.2}}
  - {{metric: perplexity, where: {{precision: fp32}}, at_most: 300}}
"""


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, tiny_suite: str, test_cache: Path) -> Run:
    """A run of `tiny_suite` that went well; its suite is `tiny.yaml` beside the folder of runs."""
    import harness

    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(tiny_suite)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(test_cache))
        patch.setattr(
            "harness.execution.cell_results.most_taken", lambda launches, cores: 0.0
        )  # whatever else runs here
        return harness.run(str(folder / "tiny.yaml"), out=folder / "runs")


@pytest.fixture(scope="session")
def builders() -> ModuleType:
    """`tests/harness/builders.py`, imported when it is used: pandas takes a while."""
    return importlib.import_module("tests.harness.builders")


@pytest.fixture(scope="session")
def task_builders() -> ModuleType:
    """`tests/harness/task_builders.py`: runs of the measure `task`."""
    return importlib.import_module("tests.harness.task_builders")


@pytest.fixture(scope="session")
def full_run(builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """4 models x 4 precisions x perplexity, inference and memory, with findings and outcomes. Read only."""
    run: Run = builders.full_run(tmp_path_factory.mktemp("runs") / "quickstart-1")
    return run
