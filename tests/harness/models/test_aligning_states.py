"""A stage of a suite whose state was damaged, or that fails over something else while a state is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from harness.errors import UserError
from harness.models import aligning
from harness.models.alignment import Alignment
from harness.models.contract import ModelSource
from harness.models.stage import Making, state_file
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from tests.reference_impl.alignment.stages.conftest import make_base

STAGE = Alignment(
    "ppo",
    {"most": 12, "response": 4},
    {"rollouts": 24, "prompts": 4, "epochs": 4, "learning_rate": 1e-3},
    reward="judge",
)


class Killed(BaseException):
    """Stands in for what ends a process."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_base(folder / "base")
    run_stage("reward", folder / "base", folder / "judge", DataSettings(most=20), {"batch": 8}, Run())
    make(folder, folder / "straight")
    return folder


def make(models: Path, out: Path, *, kill_at: float = 2.0, judge: Path | None = None) -> list[float]:
    """The stage from its state, if there is one; returns the shares of it that were told."""
    heard: list[float] = []

    def on_step(done: float, text: str) -> None:
        heard.append(done)
        if done > kill_at:
            raise Killed

    def source(folder: Path) -> ModelSource:
        return ModelSource(folder.name, "reference", str(folder), "digest")

    asked = {"reward": source(judge or models / "judge")}
    making = Making(source(out), source(models / "base"), asked, state_file(out), on_step, None)
    aligning.make(STAGE, making)
    return heard


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture
def state(models: Path, tmp_path: Path) -> Path:
    """That of a stage which was killed after two thirds."""
    with pytest.raises(Killed):
        make(models, tmp_path / "out", kill_at=0.66)
    return state_file(tmp_path / "out")


def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(aligning, "notice", (sentences := list[str]()).append)
    return sentences


@pytest.mark.parametrize("earlier", [True, False])
def test_a_damaged_state_is_replaced_by_the_one_before_it_or_by_none(
    earlier: bool, state: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = state.with_name(f"{state.name}.good")
    good.unlink(missing_ok=True)
    if earlier:
        state.rename(good)
    state.write_bytes(b"damaged")
    sentences = told(monkeypatch)
    heard = make(models, tmp_path / "out")
    assert (heard[0] > 0.5) == earlier
    assert len(sentences) == 1
    assert ("goes on from the state before the last one" if earlier else "begins anew") in sentences[0]
    first, second = weights(models / "straight"), weights(tmp_path / "out")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not list(tmp_path.glob("out.state*"))


def test_both_states_damaged_begin_anew(
    state: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (state, state.with_name(f"{state.name}.good")):
        path.unlink(missing_ok=True)
        path.write_bytes(b"damaged")
    sentences = told(monkeypatch)
    assert make(models, tmp_path / "out")[0] < 0.5
    assert "begins anew" in sentences[-1] and (tmp_path / "out").is_dir()


def test_what_else_is_damaged_costs_no_state(
    state: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = tmp_path / "judge"
    shutil.copytree(models / "judge", judge)
    head = judge / "reward_head.safetensors"
    head.write_bytes(head.read_bytes()[:-3])
    before, sentences = state.read_bytes(), told(monkeypatch)
    with pytest.raises(UserError, match=r"reward_head.safetensors: it has \d+ bytes and should have"):
        make(models, tmp_path / "out", judge=judge)
    assert state.read_bytes() == before and not sentences
    assert make(models, tmp_path / "out")[0] > 0.5
