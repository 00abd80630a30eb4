"""`harness.train` and `harness train`: keys of a training, where it is trained, and whether it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import harness
from harness.cli.app import app
from harness.execution.resolve import resolve
from harness.models.stage import state_file
from harness.suite.load import load_suite

ASKED: dict[str, Any] = {"corpus": "microworld", "steps": 2, "schedule": "linear", "warmup": 0.5}
TYPED = ["train", "--corpus", "microworld", "--steps", "2", "--set", "schedule=linear", "--set", "warmup=0.5"]


@pytest.fixture(autouse=True)
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """Nothing is trained; what would be run, and how."""
    found: list[dict[str, Any]] = []

    def run(suite: dict[str, Any], **given: Any) -> None:
        found.append({"suite": suite, **given})
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.api.training.run", run)
    return found


def trained(**more: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        harness.train(**ASKED, **more)


def refused(*words: str) -> str:
    return str(CliRunner().invoke(app, [*TYPED, *words]).exception)


def test_any_key_may_be_set(ran: list[dict[str, Any]], tmp_path: Path) -> None:
    trained(save_suite=tmp_path / "mine.yaml")
    CliRunner().invoke(app, [*TYPED, "--save-suite", "typed.yaml"])
    assert ran[0]["suite"] == ran[1]["suite"]
    assert ran[0]["suite"]["models"]["nano"]["train"] == ASKED
    mine, typed = (yaml.safe_load((tmp_path / name).read_text()) for name in ("mine.yaml", "typed.yaml"))
    assert mine == typed


def test_a_training_that_was_cut_off_goes_on_unless_it_is_to_begin_anew(
    ran: list[dict[str, Any]], tmp_path: Path
) -> None:
    trained()
    [(name, entry)] = load_suite(ran[0]["suite"]).suite.models.items()
    state = state_file(Path(resolve(name, entry, None, False).source.path))
    state.parent.mkdir(parents=True, exist_ok=True)
    state.touch()
    trained()
    CliRunner().invoke(app, TYPED)
    assert state.is_file()
    trained(resume=False)
    assert not state.exists()
    state.touch()
    CliRunner().invoke(app, [*TYPED, "--no-resume"])
    assert not state.exists() and all(one.get("resume") is not True for one in ran[-2:])


def test_wrong_keys_are_said_of_their_options() -> None:
    assert refused("--set", "schedul=linear").startswith(
        "--set schedul: unknown key 'schedul'; did you mean 'schedule'"
    )
    assert refused("--set", "schedule=cosin").startswith("--set schedule: ")
    assert refused("--set", "steps=3") == "--set: `steps` has an option of its own that is given too; keep one"
    assert refused("--set", "corpus=x") == "--set: `corpus` is no key of a training; it has an option of its own"
    assert refused("--set", "warmup") == "--set: 'warmup' is no `key=value`"
    assert refused("--lr", "-1").startswith("--lr: ")


@pytest.mark.parametrize("gpus", [(), ("H200",)])
@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cuda", ""),
        ("cuda:0", ""),
        ("cuda:1", "'cuda:1' is chosen by the environment: write CUDA_VISIBLE_DEVICES=1 before the command"),
        ("mps", "on `cpu` and `cuda`, not on 'mps'"),
        ("gpu", "on `cpu` and `cuda`, not on 'gpu'; write cuda"),
        ("cpuu", "not on 'cpuu'; did you mean 'cpu'"),
    ],
)
def test_where_it_is_trained(
    device: str, said: str, gpus: tuple[str, ...], ran: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Machine:
        def __init__(self) -> None:
            self.gpus = gpus

    monkeypatch.setattr("harness.shorthand.device.fingerprint", Machine)
    trained(device="cpu")
    trained(device="auto")
    of_gpu = "models of suites are trained on the CPU" if gpus else "`cuda` asks for an NVIDIA GPU and none is visible"
    with pytest.raises(harness.WrongArgument, match=said or of_gpu) as told:
        harness.train(**ASKED, device=device)
    assert told.value.place == "device" and len(ran) == 2
