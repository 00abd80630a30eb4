"""What a suite's gated times come to: both states do the same work, each by its own code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.gate.arms.arm_process import environment_of
from harness.gate.change.project import State
from harness.gate.change.speed_pairs import arms_of, speed_pairs
from harness.models.reference import save_throwaway
from harness.suite.load import load_suite


def test_each_state_s_own_code_goes_before_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the base and the head are the same code, and pass whatever was changed."""
    save_throwaway(str(tmp_path / "model"))
    (tmp_path / "suite.yaml").write_text(
        "name: timed\nmodels: {tiny: {reference: model}}\nmeasures: [{inference: {prompt: 8, generate: 4}}]\n"
        "gate: [{metric: decode_rate}]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    loaded = load_suite("suite.yaml")
    (pair,) = speed_pairs(loaded)
    states = {side: State(side, side * 40, False, Path(f"/state/{side}"), tmp_path) for side in ("a", "b")}
    arms = arms_of(pair, loaded.suite, states, None, 1, False, lambda said: None)  # type: ignore[arg-type]
    for side, arm in arms.items():
        folders = environment_of(arm, 1, {})["PYTHONPATH"].split(os.pathsep)
        assert folders[:2] == [f"/state/{side}", "/elsewhere"]
    assert arms["a"].settings == arms["b"].settings
