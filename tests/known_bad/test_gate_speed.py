"""Real slowdowns, planted in a small project of its own and in a copy of ours, which lockstep must find; and changes
that cost no time, which it must pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.gate.arms.arm import ArmChoice
from harness.gate.change.ci import Asked, Change, judge_change
from harness.gate.lockstep.ab import ab
from harness.gate.verdict import Verdict
from tests.known_bad.planted import planted, sound

DECODING = '''
"""Decoding with a cache of keys and values, in NumPy."""

import numpy as np

WIDTH, TOKENS = 96, 40


def inputs():
    drawn = np.random.default_rng(0)
    weights = [drawn.normal(size=(WIDTH, WIDTH)).astype(np.float32) / WIDTH**0.5 for _ in range(4)]
    return weights, drawn.normal(size=(TOKENS, WIDTH)).astype(np.float32)


def attended(query, keys, values):
    scores = keys @ query / WIDTH**0.5
    weights = np.exp(scores - scores.max())
    return (weights / weights.sum()) @ values


def decode(weights, tokens):
    to_query, to_key, to_value, to_output = weights
    keys, values = np.zeros_like(tokens), np.zeros_like(tokens)
    written = []
    for step, token in enumerate(tokens):
        keys[step] = token @ to_key
        values[step] = token @ to_value
        written.append(attended(token @ to_query, keys[: step + 1], values[: step + 1]) @ to_output)
    return np.concatenate(written)
'''
SUITE = """
name: decoding
calls:
  decode: {call: "decoding:decode", setup: "decoding:inputs", threads: 1, tolerance: 0.001, margin: 0.2}
"""
ONE_STEP = "        keys[step] = token @ to_key\n        values[step] = token @ to_value\n"
EVERY_STEP = (
    ONE_STEP
    + "        for past in range(step):\n"
    + ONE_STEP.replace("    keys", "        keys")
    .replace("    values", "        values")
    .replace("[step]", "[past]")
    .replace("token @", "tokens[past] @")
)
WIDE = ONE_STEP + "        token = (token.astype(np.float64) @ np.eye(WIDTH)).astype(np.float32)\n"
COPIED = ONE_STEP + "        kept = [np.array(weight) for weight in weights]\n"
"""Of 4 * 96 * 96 * 4 bytes, 147 kB, in each step: as much as a step reads."""
RENAMED = DECODING.replace("written", "outputs").replace("step", "place")


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(autouse=True)
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 40_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)


def judged(head: str, folder: Path, patch: pytest.MonkeyPatch) -> Change:
    """A project whose head is this, judged by the whole command."""
    project = folder / "project"
    project.mkdir()
    (project / "decoding.py").write_text(DECODING)
    (project / "suite.yaml").write_text(SUITE)
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "base")
    (project / "decoding.py").write_text(head)
    patch.chdir(project)
    return judge_change(Asked(base="HEAD", suite="suite.yaml", out=folder / "out", minutes=3, seed=1))


@pytest.mark.parametrize("step", [EVERY_STEP, WIDE, COPIED], ids=["recomputed cache", "wider product", "extra copy"])
def test_a_slowdown_fails(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = DECODING.replace(ONE_STEP, step)
    assert head != DECODING
    change = judged(head, tmp_path, monkeypatch)
    assert change.result.verdict is Verdict.FAIL and "slower by" in change.result.reason, change.result.reason


def test_a_refactoring_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = judged(RENAMED, tmp_path, monkeypatch)
    assert change.result.verdict in (Verdict.PASS, Verdict.MINOR), change.result.reason


ARM = '''
"""What `harness.gate.arms.model_work` times, without its documents: a small GPT of random weights, in bf16."""

import torch

from reference_impl.inference.engine import Engine
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.quantization.quantize import quantize_


def opened():
    torch.manual_seed(0)
    model = GPT(GPTConfig(context=128, layers=2, heads=4, SIZE)).eval()
    quantize_(model, "bf16")
    return {"engine": Engine(model), "tokens": torch.arange(96)[None]}


def decode(engine, tokens):
    cache = engine.new_cache(1, 112)
    written = [engine(tokens, cache, logits_at=torch.tensor([95])).argmax(-1)]
    while len(written) < 16:
        written.append(engine(written[-1], cache).argmax(-1))
    return torch.cat(written, 1)[0].tolist()
'''


SMALL, LARGE = "vocabulary=4096, width=256", "vocabulary=32768, width=512"
"""Weights of 5 and of 46 MB in bf16."""


BUSY = 0.5
"""Of the cores' time, what other programs took: a gate may then be undecided, but not wrong."""


@pytest.mark.parametrize(
    ("name", "size", "verdict"),
    [
        pytest.param("recomputed-cache", SMALL, Verdict.FAIL, marks=pytest.mark.nightly),  # the easiest to see
        pytest.param("extra-copy", SMALL, Verdict.FAIL, marks=pytest.mark.slow),  # of 2 MB: a step reads 5 MB
        # 45 %; of weights that the processor's cache holds, 10 % or none
        pytest.param("fp32-product", LARGE, Verdict.FAIL, marks=pytest.mark.nightly),
        pytest.param("refactoring", SMALL, Verdict.PASS, marks=pytest.mark.slow),
    ],
)
def test_slowdowns_of_our_own_engine(
    name: str, size: str, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decoding_arm.py").write_text(ARM.replace("SIZE", size))
    head = planted(name, tmp_path / "code", tmp_path)
    base, other = ArmChoice(path=str(sound(tmp_path).path)), ArmChoice(path=str(head.path))
    found = ab(
        base,
        other,
        call="decoding_arm:decode",
        setup="decoding_arm:opened",
        margin=0.1,
        threads=1,
        out=tmp_path / "out",
        seed=1,
    )
    if found.outcome.verdict is Verdict.INCONCLUSIVE and (found.outcome.others or 0) > BUSY:
        pytest.skip(f"this machine is too busy to say: {found.outcome.reasons[0]}")
    assert found.outcome.verdict is verdict, found.outcome.reasons
