"""Real losses of quality, planted in a copy of the code, which two runs must show: each state measures the same models
by its own code, in processes of its own, and the gate judges. A change that is none must pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.comparison.gate_entry import GateEntry
from harness.corpora.probe_text import DOCUMENTS
from harness.gate.change.side import measured
from harness.gate.judgment import GateResult
from harness.gate.stored.stored_runs import judge_runs
from harness.gate.verdict import Verdict
from harness.results.run import Run
from harness.suite.load import parse_suite
from harness.suite.schema import Suite
from reference_impl.model.config import GPTConfig
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint
from tests.known_bad.planted import planted, sound
from tests.tiny_models import byte_tokenizer, llama, save_folder, trained_gpt

CONFIG = GPTConfig(vocabulary=400, context=128, layers=2, heads=2, width=64)
TURNS = "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}\n{% endfor %}"
TEMPLATE = TURNS + "{{ '<|assistant|>\n' }}"
"""Its last line break is an expression's, as SmolLM2's is: one at the end of the text is not part of a template."""
SUITE = """
name: quality
models:
  ours: {reference: ours, matrix: {precision: [fp32, bf16, int4]}}
  theirs: {transformers: theirs, matrix: {precision: fp32}}
matrix: {device: cpu, threads: 1}
measures:
  - probe: {documents: 12, tokens: 96, continued: 1, generate: 6}
"""
OURS = ["ours bf16", "ours fp32", "ours int4"]
ALL = [*OURS, "theirs fp32"]


def suite_of() -> Suite:
    return parse_suite(SUITE)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small GPT that has learned a little, and a Llama with a chat template."""
    folder = tmp_path_factory.mktemp("models")
    tokenizer = ByteBPE.train(DOCUMENTS, CONFIG.vocabulary)
    save_checkpoint(folder / "ours", trained_gpt(CONFIG, tokenizer, DOCUMENTS, 60, steps=50), tokenizer)
    byte_tokenizer(("<|endoftext|>",)).save(str(folder / "made.json"))
    save_folder(folder / "theirs", llama(max_position_embeddings=256), folder / "made.json", TEMPLATE)
    return folder


@pytest.fixture(scope="module")
def base(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return measured(sound(models), suite_of(), tmp_path_factory.mktemp("runs") / "base", [], lambda said: None)


def judged(name: str, base: Run, models: Path, folder: Path) -> GateResult:
    head = measured(planted(name, folder / "code", models), suite_of(), folder / "head", [], lambda said: None)
    return judge_runs(base, head, [GateEntry(metric="probe_bits_per_byte", kl_margin=0.001)])


def failed(result: GateResult) -> list[str]:
    assert len(result.rows) == len(ALL)
    return sorted(f"{row.at['model']} {row.at['precision']}" for row in result.rows if row.verdict is Verdict.FAIL)


def test_a_refactoring_passes(base: Run, models: Path, tmp_path: Path) -> None:
    result = judged("refactoring", base, models, tmp_path)
    assert result.verdict is Verdict.PASS, result.reason
    assert all("bit for bit" in row.reason for row in result.rows)


@pytest.mark.parametrize(
    ("name", "fails", "told"),
    [
        ("int4-scales", ["ours int4"], "nats per token is above 0.001"),
        pytest.param("attention-scale", OURS, "nats per token is above 0.001", marks=pytest.mark.slow),
        pytest.param("stop-token", ALL, "an answer no longer ends at token 0", marks=pytest.mark.slow),
        pytest.param("template-space", ["theirs fp32"], "with other white space", marks=pytest.mark.slow),
    ],
)
def test_a_loss_of_quality_fails_where_it_is(
    name: str, fails: list[str], told: str, base: Run, models: Path, tmp_path: Path
) -> None:
    result = judged(name, base, models, tmp_path)
    assert result.verdict is Verdict.FAIL and told in result.reason, result.reason
    assert failed(result) == fails
