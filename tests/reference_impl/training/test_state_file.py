"""A run that was killed and resumed is the straight run, bit for bit; a state of another run is refused."""

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.training import pretraining
from reference_impl.training.checkpoint_folder import CorruptCheckpoint
from reference_impl.training.loop import DivergenceError
from reference_impl.training.pretraining import train
from reference_impl.training.result import Progress, TrainingResult
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.state import TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state, save_state

CONFIG = GPTConfig(vocabulary=16, context=16, layers=1, heads=2, width=32, dropout=0.2)
TOKENS = np.random.default_rng(0).integers(16, size=500).astype(np.uint16)
SETTINGS = TrainingSettings(tokens=120 * 64, batch=4, learning_rate=1e-2, threads=1, schedule="wsd", weight_decay=0.5)
STEPS = 120


def a_model(seed: int = 0, **changes: Any) -> GPT:
    torch.manual_seed(seed)
    return GPT(replace(CONFIG, **changes))


class Killed(BaseException):
    """Stands in for what ends a process."""


def killed_at(step: int) -> Any:
    def told(progress: Progress) -> None:
        if progress.step >= step:
            raise Killed

    return told


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(str(path), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def points(result: TrainingResult) -> list[Progress]:
    """The curve without its times."""
    return [replace(point, tokens_per_second=1.0) for point in result.curve]


def a_run(
    path: Path, every: int = 7, settings: TrainingSettings = SETTINGS, **given: Any
) -> tuple[GPT, TrainingResult]:
    model = given.pop("model", None) or a_model()
    return model, train(model, TOKENS, TOKENS[:100], settings, saving=Saving(path, every), **given)


def interrupted(path: Path, at: int = 50, **given: Any) -> None:
    """The last state is then of step 49, which is no report: the sums behind the next one are not empty."""
    with pytest.raises(Killed):
        a_run(path, on_progress=killed_at(at), **given)


@pytest.fixture
def straight(tmp_path: Path) -> tuple[GPT, TrainingResult, Path]:
    return *a_run(tmp_path / "straight"), tmp_path / "straight"


@pytest.mark.parametrize(
    "changes", [{}, {"accumulation": 2}, {"optimizer": "sgd"}, {"optimizer": "sgd", "betas": (0.0, 0.9)}]
)
def test_resumed_is_straight_bit_for_bit(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **changes)
    model, result = a_run(tmp_path / "straight", settings=settings)
    interrupted(tmp_path / "state", settings=settings)
    # Other weights to begin with and another random state around it: the file has them all.
    resumed, again = a_run(tmp_path / "state", settings=settings, model=a_model(seed=9), resume=True)
    for (name, ours), theirs in zip(resumed.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    assert points(again) == points(result)
    assert again.validation_loss == result.validation_loss
    last, last_straight = tensors_of(tmp_path / "state"), tensors_of(tmp_path / "straight")
    assert set(last) == set(last_straight)
    for name, tensor in last_straight.items():  # moments, sums, random state
        assert torch.equal(last[name], tensor), name


@pytest.mark.parametrize("forgotten", ["optimizer.", "random.", "sum.loss"])
def test_the_comparison_sees_what_a_state_leaves_out(tmp_path: Path, monkeypatch: Any, forgotten: str) -> None:
    model, result = a_run(tmp_path / "straight")
    interrupted(tmp_path / "state")
    honest = pretraining.load_state

    def forgetful(path: Path, state: Any, identity: Any) -> None:
        random, sums = torch.get_rng_state(), (state.sums, state.counted)
        honest(path, state, identity)
        if forgotten == "optimizer.":
            state.optimizers["model"].optimizer.state.clear()
        if forgotten == "random.":
            torch.set_rng_state(random)
        if forgotten == "sum.loss":
            state.sums, state.counted = sums

    monkeypatch.setattr(pretraining, "load_state", forgetful)
    resumed, again = a_run(tmp_path / "state", resume=True)
    same = all(torch.equal(a, b) for a, b in zip(resumed.parameters(), model.parameters(), strict=True))
    assert not same or points(again) != points(result)


PROGRAM = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
import test_state_file as t
from reference_impl.training.pretraining import train
from reference_impl.training.state import TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state, save_state
train(t.a_model(), t.TOKENS, t.TOKENS[:100], t.SETTINGS, lambda progress: t.time.sleep(3600 * (progress.step > 60)),
      saving=Saving(Path(sys.argv[1]), 7))
"""


def test_a_process_that_is_really_killed_goes_on(tmp_path: Path, straight: tuple[GPT, TrainingResult, Path]) -> None:
    program = PROGRAM.format(path=[str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "state")])
    deadline = time.monotonic() + 600
    while not (tmp_path / "state").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)  # somewhere before step 60, or waiting there
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = []
    resumed, again = a_run(tmp_path / "state", resume=True, on_progress=done.append)
    assert 1 < done[0].step < STEPS
    for ours, theirs in zip(resumed.parameters(), straight[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert points(again) == points(straight[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": replace(SETTINGS, learning_rate=2e-2)}, r"learning_rate 0\.01, not 0\.02"),
        ({"settings": replace(SETTINGS, seed=1)}, "seed 0, not 1"),
        ({"model": a_model(layers=2)}, "layers 1, not 2"),
        ({"tokens": TOKENS[::-1].copy()}, "other train tokens, not these"),
        ({"validation": TOKENS[:99]}, "other validation tokens, not these"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    interrupted(tmp_path / "state")
    model = changes.get("model", a_model())
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(ValueError, match=message + ".*resume with the same model, tokens and settings, or start again"):
        train(
            model,
            changes.get("tokens", TOKENS),
            changes.get("validation", TOKENS[:100]),
            changes.get("settings", SETTINGS),
            saving=Saving(tmp_path / "state", 7),
            resume=True,
        )
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with pytest.raises(CorruptCheckpoint, match="there is no such training state"):
        a_run(path, resume=True)
    interrupted(path)
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[-3] ^= 1
    for damaged, message in (
        (whole[:-1], "not a whole training state"),
        (b"nonsense", "not a whole training state"),
        (bytes(changed), "changed since it was written"),
        (whole.replace(b'\\"step\\":', b'\\"stop\\":', 1), "not a whole training state"),
        (whole.replace(b'\\"version\\":2', b'\\"version\\":3', 1), "of version 3; this program reads 1 and 2"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(CorruptCheckpoint, match=message):
            a_run(path, resume=True)


def test_a_full_disk_keeps_the_state_that_was_there(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "state"
    interrupted(path)
    before = path.read_bytes()

    def disk_full(tensors: Any, name: str, metadata: Any) -> None:
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reference_impl.training.state_file.save_file", disk_full)
    with pytest.raises(OSError, match="No space left"):
        a_run(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_a_run_that_diverges_keeps_its_last_good_state(tmp_path: Path, monkeypatch: Any) -> None:
    honest, calls = pretraining.accumulate_gradients, []

    def poisoned(model: Any, micro_batches: Any, precision: Any) -> Any:
        loss = honest(model, micro_batches, precision)
        calls.append(None)
        if len(calls) > 50:
            next(model.parameters()).grad[0] = float("nan")
        return loss

    monkeypatch.setattr(pretraining, "accumulate_gradients", poisoned)
    path = tmp_path / "state"
    with pytest.raises(DivergenceError, match=f"not finite in the last 1[0-9] steps.*The last good state is in {path}"):
        a_run(path)
    monkeypatch.undo()
    _, result = a_run(path, resume=True)
    assert result.skipped_steps <= 10  # those that had been skipped when it was saved
    assert np.isfinite(result.validation_loss)


def test_a_loss_that_blows_up_stops_the_run(tmp_path: Path) -> None:
    wild = replace(SETTINGS, learning_rate=30.0, warmup=0.5, weight_decay=0.0, gradient_clip=1e9)
    with pytest.raises(DivergenceError, match=r"the loss blew up to .* nats .*lower learning_rate.*last good state"):
        a_run(tmp_path / "state", every=1, settings=wild, model=a_model(norm="none"))
    assert (tmp_path / "state").is_file()


def test_settings_without_a_limit_are_the_same_after_they_were_read(tmp_path: Path) -> None:
    identity = RunIdentity({"clip": math.inf, "rates": (1.0, -math.inf)}, {})
    state = TrainingState({"model": torch.nn.Linear(1, 1)}, {})
    save_state(tmp_path / "state", state, identity)
    load_state(tmp_path / "state", state, identity)
    with pytest.raises(ValueError, match=r"clip 'Infinity', not 1\.0"):
        load_state(tmp_path / "state", state, RunIdentity({"clip": 1.0, "rates": (1.0, -math.inf)}, {}))
