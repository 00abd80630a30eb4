"""`python -m reference_impl.alignment` where it ends badly: a sentence, exit code 2, and nothing kept half."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from reference_impl.alignment import gpt_policy
from reference_impl.alignment.__main__ import main
from reference_impl.alignment.stages import reward_folder
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.learner import write_reward_head
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.result import read_result
from reference_impl.alignment.stages.run import Run
from reference_impl.alignment.value_head import RewardHead
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text import microworld
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training import state_file
from reference_impl.training.checkpoint import save_checkpoint
from tests.reference_impl.alignment.stages.conftest import make_base

ROOT = Path(__file__).parents[3]
ASKED = ["--data", "microworld/sums", "--most", 12, "--response", 6, "--rollouts", 6, "--prompts", 4]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ends") / "base"
    make_base(folder)
    return folder


def reward_model(base: Path, folder: Path, weight: float | None = None) -> Path:
    """One that was trained; weight: whose head holds this number in every place."""

    def spoiled(place: Path, head: RewardHead) -> None:
        if weight is not None:
            head.weight.data.fill_(weight)
        write_reward_head(place, head)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reward_folder, "write_reward_head", spoiled)
        run_stage("reward", base, folder, DataSettings(most=20), {"batch": 8}, Run())
    return folder


def ends(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str]:
    """Exit code, and what was said last."""
    code = main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, " ".join(err.splitlines()[-1:])


def test_a_reward_model_that_gives_nan_is_refused(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoiled = reward_model(base, tmp_path / "nan", float("nan"))
    code, said = ends(capsys, "ppo", "--start", base, "--reward", spoiled, "--out", tmp_path / "out", *ASKED)
    assert code == 2 and "the reward function gave nan for the response [" in said
    assert "4 of 4 scores are not finite" in said
    assert [path.name for path in tmp_path.iterdir()] == ["nan"]


def test_groups_of_equal_rewards_are_counted(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = reward_model(base, tmp_path / "flat", 0.0)
    options = ["--start", base, "--reward", flat, "--out", tmp_path / "out", *ASKED, "--kl-coefficient", 0]
    assert main(["grpo", *map(str, options)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dead_groups"] == 1.0
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "out"))
    assert all(torch.equal(before[name], after[name]) for name in before if "weight" in name)


def test_a_policy_that_collapses_stops_and_its_last_good_state_is_named(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entropy goes to 0 as its head grows with every rollout."""
    reward, rollouts = reward_model(base, tmp_path / "reward"), 0
    made = gpt_policy.GPTPolicy.decoder

    def sharper(self: Any) -> Any:
        nonlocal rollouts
        rollouts += 1
        if rollouts > 2:
            self.model.head.weight.data.mul_(1e4)
        return made(self)

    monkeypatch.setattr(gpt_policy.GPTPolicy, "decoder", sharper)
    out = tmp_path / "out"
    options = ["--start", base, "--reward", reward, "--out", out, *ASKED, "--save-every", 1, "--kl-limit", 1e9]
    code, said = ends(capsys, "ppo", *options)
    assert code == 2, said
    assert "the policy collapsed before rollout 2: its entropy is" in said and "state.safetensors.good" in said
    assert not out.exists() and (tmp_path / "out.state.safetensors.good").is_file()


def test_another_tokenizer_another_vocabulary_and_no_reward_model_are_refused(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reward = reward_model(base, tmp_path / "reward")
    tokenizer = ByteBPE.train(microworld.documents("validation")[:30], 280)
    other = tmp_path / "other"
    small = GPTConfig(vocabulary=tokenizer.size, context=128, layers=1, heads=2, width=16)
    save_checkpoint(other, GPT(small), tokenizer)
    out = tmp_path / "out"
    code, said = ends(capsys, "ppo", "--start", other, "--reward", reward, "--out", out, *ASKED)
    assert code == 2 and "the reward model reads tokens of another tokenizer" in said
    # One that says that its tokenizer is the same, but has fewer ids.
    smaller = reward_model(other, tmp_path / "smaller")
    monkeypatch.setattr(ByteBPE, "digest", "the same")
    code, said = ends(capsys, "ppo", "--start", base, "--reward", smaller, "--out", out, *ASKED)
    assert code == 2 and "is outside of the policy's vocabulary of" in said
    code, said = ends(capsys, "ppo", "--start", base, "--reward", base, "--out", out, *ASKED)
    assert code == 2 and "is no reward model: it has no reward_head.safetensors" in said
    assert not out.exists() and not list(tmp_path.glob("out*"))


def test_prompts_longer_than_the_context_are_counted_and_refused_where_none_is_left(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reward, rows = reward_model(base, tmp_path / "reward"), tmp_path / "rows.jsonl"
    asked = ["--data", rows, "--held-out", 0, "--response", 6, "--rollouts", 1, "--prompts", 2]
    rows.write_text("\n".join(json.dumps({"prompt": text}) for text in ("one two " * 500, "one")))
    code, said = ends(capsys, "ppo", "--start", base, "--reward", reward, "--out", tmp_path / "out", *asked)
    assert code == 0 and said.startswith("1 left out: the prompt is longer than 122 tokens")
    assert read_result(tmp_path / "out").learned_from == 1
    rows.write_text(json.dumps({"prompt": "one two " * 500}))
    code, said = ends(capsys, "ppo", "--start", base, "--reward", reward, "--out", tmp_path / "none", *asked)
    assert code == 2 and said.startswith("no row is left in token ids: 1 left out: the prompt is longer")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_full_disk_while_it_saves_leaves_the_last_state_whole(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    options = ["ppo", "--start", base, "--reward", "answers", *ASKED, "--save-every", 1]
    assert main([str(one) for one in [*options, "--out", tmp_path / "straight"]]) == 0
    written, saves = state_file.save_file, 0

    def full(tensors: Any, path: str, told: Any) -> None:
        nonlocal saves
        saves += 1
        if saves == 6:
            Path(path).write_bytes(b"half")
            raise error
        written(tensors, path, told)

    with monkeypatch.context() as patch:
        patch.setattr(state_file, "save_file", full)
        code, said = ends(capsys, *options, "--out", tmp_path / "out")
    assert code == 2 and "No space left on device" in said and "go on with --resume from" in said
    assert sorted(path.name for path in tmp_path.iterdir() if "straight" not in path.name) == [
        "out.state.safetensors", "out.state.safetensors.good"
    ]  # fmt: skip
    assert main([str(one) for one in [*options, "--out", tmp_path / "out", "--resume"]]) == 0
    assert same_weights(tmp_path / "straight", tmp_path / "out")


def test_a_file_that_really_does_not_fit_is_a_sentence(base: Path, tmp_path: Path) -> None:
    """The system itself refuses to write: files of this process are limited to less than the weights."""
    options = ["sft", "--start", base, "--most", 20, "--out", tmp_path / "out"]
    for more in ([], ["--save-every", 1]):  # the model at the end; a state on the way
        done = subprocess.run(
            [sys.executable, "-m", "reference_impl.alignment", *map(str, [*options, *more])],
            cwd=ROOT, capture_output=True, text=True, timeout=200, env=os.environ | {"OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        )  # fmt: skip
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
        assert "too large" in done.stderr.splitlines()[-1] and "make room" in done.stderr
        assert not list(tmp_path.iterdir())


def test_what_it_reads_is_not_replaced_and_a_bad_place_is_told_before_it_learns(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_file(base / "model.safetensors")
    code, said = ends(capsys, "sft", "--start", base, "--most", 20, "--out", base.parent / "x" / ".." / "base")
    assert code == 2 and said.endswith("is what this stage reads, and it would be replaced: give another folder.")
    assert all(torch.equal(tensor, before[name]) for name, tensor in load_file(base / "model.safetensors").items())
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("kept")
    (tmp_path / "file").write_text("kept")
    for place, sentence in ((tmp_path / "notes", "something else than a checkpoint"), (tmp_path / "file" / "x", "")):
        code, said = ends(capsys, "sft", "--start", base, "--most", 20, "--out", place)
        assert code == 2 and sentence in said and "steps" not in said
    assert (tmp_path / "notes" / "mine.txt").read_text() == "kept"


def same_weights(one: Path, other: Path) -> bool:
    first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_ppo_killed_at_twenty_random_instants_ends_in_the_same_bits(base: Path, tmp_path: Path) -> None:
    """kill -9 of the process itself, in a rollout, in a step or while it saves, again and again until it is done."""
    reward, draws = reward_model(base, tmp_path / "reward"), random.Random(5)
    # Of some seconds, so that the instants fall into the training and not before it.
    asked = [*ASKED[:4], "--response", 24, "--rollouts", 60, "--prompts", 8, "--samples", 4, "--save-every", 1]

    def run(out: Path, *more: Any) -> Sequence[str]:
        options = ["ppo", "--start", base, "--reward", reward, "--out", out, *asked, *more]
        return [sys.executable, "-m", "reference_impl.alignment", *map(str, options)]

    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    straight = subprocess.run(run(tmp_path / "straight"), cwd=ROOT, env=alone, capture_output=True, text=True)
    assert straight.returncode == 0, straight.stderr
    whole = time.monotonic() - began
    state, killed, steps = tmp_path / "out.state.safetensors", 0, []
    while killed < 20:
        with subprocess.Popen(
            run(tmp_path / "out", "--resume"), cwd=ROOT, env=alone, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            # From when it has begun to save anew: what comes before is the start of Python.
            saved = state.stat().st_mtime_ns if state.exists() else 0
            while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == saved):
                time.sleep(0.002)
            time.sleep(draws.uniform(0, whole / 40))
            process.send_signal(signal.SIGKILL)
            process.wait()
        killed += 1
        if (tmp_path / "out").exists():
            break
        steps.append(state_step(state))
    assert killed >= 10 and steps == sorted(steps), (killed, steps)
    last = subprocess.run(run(tmp_path / "out", "--resume"), cwd=ROOT, env=alone, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert same_weights(tmp_path / "straight", tmp_path / "out")
    values = [[report.values for report in read_result(tmp_path / name).reports] for name in ("straight", "out")]
    assert values[0] == values[1]
    assert not [path for path in tmp_path.iterdir() if "state" in path.name or path.name.endswith(".tmp")]


def state_step(path: Path) -> int:
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        return int(json.loads(file.metadata()["state"])["step"])
