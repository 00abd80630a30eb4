"""Several processes learn what one learns. The quick tests play the processes one after the other, the slow ones start
two."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from reference_impl.alignment import processes
from reference_impl.alignment.dpo import dpo_gradients, reference_log_probs
from reference_impl.alignment.on_policy import Minibatch
from reference_impl.alignment.policy_gradient import policy_gradients
from reference_impl.alignment.ppo import Critic, ppo_gradients
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.reward_training import reward_gradients
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.policy_gradient import named
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.sft import sft_gradients
from reference_impl.alignment.value_head import RewardHead, ValueHead
from tests.reference_impl.alignment import in_processes
from tests.reference_impl.alignment.in_processes import CONFIG, EOS, PROMPTS, answers, learned, pairs, policy

SCRIPT = Path(in_processes.__file__)
ROOT = SCRIPT.parents[3]
Values = Mapping[str, Tensor]


@contextmanager
def as_process(number: int, count: int = 2) -> Iterator[None]:
    """This process is one of several; nothing is added up, so that gradients stand where they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "count", lambda: count)
        patch.setattr(processes, "number", lambda: number)
        patch.setattr(processes, "add_up", lambda modules, values: dict(values))
        yield


def _minibatch(*names: str) -> Minibatch:
    found, generator = answers(), torch.Generator().manual_seed(0)
    tokens = sum(len(item.response) for item in found)
    drawn = {name: torch.randn(tokens, generator=generator) * 0.3 for name in names}
    return Minibatch(tuple(found), drawn | {"log_probs": drawn["log_probs"] - 2.3, "live": torch.ones(tokens)})


def _sft() -> tuple[list[nn.Module], Callable[[], Values]]:
    learning, items = policy(), answers()
    return [learning.module], lambda: sft_gradients(learning, [items[:5], items[5:]])


def _dpo() -> tuple[list[nn.Module], Callable[[], Values]]:
    learning, of = policy(), pairs()
    known = reference_log_probs(learning, of)
    return [learning.module], lambda: dpo_gradients(learning, [(of, known)], DPOSettings())


def _reward() -> tuple[list[nn.Module], Callable[[], Values]]:
    model = RewardModel(policy(), RewardHead(CONFIG.width, 1))
    return [model.module], lambda: reward_gradients(model, [pairs()[:7], pairs()[7:]], RewardSettings(center=0.01))


def _ppo() -> tuple[list[nn.Module], Callable[[], Values]]:
    learning, head = policy(), ValueHead(CONFIG.width)
    settings = PPOSettings(prompts=12, micro_batches=3)
    minibatch = _minibatch("log_probs", "values", "advantages", "returns")
    return [learning.module, head], lambda: ppo_gradients(learning, Critic(head), minibatch, settings)


def _policy_gradient(name: str) -> Callable[[], tuple[list[nn.Module], Callable[[], Values]]]:
    def made() -> tuple[list[nn.Module], Callable[[], Values]]:
        learning, settings = policy(), named(name, prompts=6, samples=2, micro_batches=2, longest=9)
        minibatch = _minibatch("log_probs", "reference", "advantages")
        return [learning.module], lambda: policy_gradients(learning, minibatch, settings)

    return made


GRADIENTS = {
    "sft": _sft,
    "dpo": _dpo,
    "reward": _reward,
    "ppo": _ppo,
    **{name: _policy_gradient(name) for name in ("grpo", "dr_grpo", "dapo", "rloo")},
}


def gradients(modules: Sequence[nn.Module]) -> Tensor:
    parameters = [p for module in modules for p in module.parameters()]
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])


@pytest.mark.parametrize("algorithm", GRADIENTS)
@pytest.mark.parametrize("count", [2, 3])
def test_the_shares_of_all_processes_add_up_to_the_step_of_one(algorithm: str, count: int) -> None:
    modules, step = GRADIENTS[algorithm]()
    whole = {name: float(value) for name, value in step().items()}
    expected = gradients(modules)
    assert float(expected.norm()) > 1e-3
    shared, apart = [], GRADIENTS[algorithm]
    parts = []
    for number in range(count):
        modules, step = apart()
        with as_process(number, count):
            shared.append(step())
        parts.append(gradients(modules))
    assert all(float(part.norm()) > 0 for part in parts)
    found = torch.stack(parts).sum(0)
    assert float((found - expected).norm() / expected.norm()) < 1e-5
    for name in whole.keys() - {"tokens"}:
        assert sum(float(one[name]) for one in shared) == pytest.approx(whole[name], rel=1e-4, abs=1e-6), name
    mean = torch.stack(parts).mean(0)  # the gradients averaged are another step
    assert float((mean - expected).norm() / expected.norm()) > 0.1


def test_counts_of_the_process_alone_are_another_step() -> None:
    learning, items = policy(), answers()
    sft_gradients(learning, [items])
    expected = gradients([learning.module])
    for scale in (1.0, 0.5):  # neither their sum nor their mean
        learning = policy()
        for half in (items[:4], items[4:]):
            sft_gradients(learning, [half])
        found = gradients([learning.module]) * scale
        assert float((found - expected).norm() / expected.norm()) > 0.01


def test_equal_items_are_of_one_process_and_nothing_is_lost() -> None:
    items = [*PROMPTS, *PROMPTS]
    assert processes.places_by_value(items) == [list(range(12))]
    for count in (2, 3, 5, 40):
        with as_process(0, count):
            found = processes.places_by_value(items)
        assert sorted(place for places in found for place in places) == list(range(12)) and len(found) == min(count, 5)
        assert all(found)
        of = [{items[place] for place in places} for places in found]
        assert sum(map(len, of)) == len(set(items))  # no value in two lists


def test_too_small_a_micro_batch_is_refused() -> None:
    with as_process(0, 8), pytest.raises(ValueError, match=r"a micro-batch of 6 can't be shared by 8 processes"):
        sft_gradients(policy(), [answers()[:6], answers()[6:]])


def test_one_process_joins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in processes.LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    assert processes.start() == torch.device("cpu")
    assert not torch.distributed.is_initialized() and processes.count() == 1 and processes.number() == 0
    with pytest.raises(ValueError, match=r"there is no device nowhere here"):
        processes.start("nowhere")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"leave --device cuda:1 out"):
        processes.start("cuda:1")


LAUNCH = [
    sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
    "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
]  # fmt: skip
ALONE = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def launch(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Two processes on the CPU."""
    return subprocess.run(
        [*LAUNCH, *map(str, arguments)], env=os.environ | ALONE, cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def differences(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    """By algorithm, the largest relative difference of a weight tensor (those near 0 count as 0.1)."""
    assert found.keys() == expected.keys()
    worst: dict[str, float] = {}
    for name, tensor in expected.items():
        algorithm = name.partition(".")[0]
        difference = float((found[name] - tensor).norm() / tensor.norm().clamp_min(0.1))
        worst[algorithm] = max(worst.get(algorithm, 0.0), difference)
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["", "averaged", "own counts"])
def test_two_processes_learn_what_one_learns(defect: str, tmp_path: Path) -> None:
    done = launch(SCRIPT, tmp_path / "weights", defect)
    assert done.returncode == 0, done.stderr
    found = differences(load_file(tmp_path / "weights"), learned())
    # rejection sampling learns by `sft`
    bad = {"": set(), "averaged": set(in_processes.LEARNED), "own counts": {"sft", "rejection"}}[defect]
    for algorithm, difference in found.items():
        assert (difference > 1e-4) if algorithm in bad else (difference < 1e-5), found


@pytest.mark.slow
def test_a_stage_in_two_processes_is_that_of_one_and_speaks_once(tmp_path: Path) -> None:
    from reference_impl.alignment.__main__ import main
    from tests.reference_impl.alignment.stages.conftest import make_base

    make_base(tmp_path / "base")
    options: list[Any] = ["sft", "--start", tmp_path / "base", "--most", 40, "--batch", 8, "--epsilon", "1e-4"]
    assert main([str(one) for one in [*options, "--out", tmp_path / "one"]]) == 0
    done = launch("-m", "reference_impl.alignment", *options, "--out", tmp_path / "two", "--save-every", 1)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 and done.stderr.count("5 of 5 steps") == 1
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert max(differences(two, one).values()) < 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "one", "two"]


WATCHED = "import os, time\nfrom reference_impl.alignment import processes\n"


def test_a_process_whose_launcher_is_gone_ends_and_says_so(tmp_path: Path) -> None:
    """A child that watches its parent, which ends at once and leaves it behind."""
    parent = (
        "import subprocess, sys, time\n"
        f"child = {WATCHED + 'processes.LOOKING = 0.05; processes._end_with(int(os.environ[chr(80)]))'!r}\n"
        "import os\n"
        "subprocess.Popen([sys.executable, '-c', child], env=os.environ | {'P': str(os.getpid())})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], env=os.environ | ALONE, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr  # returns when the child has closed its streams, which it shares
    assert "process 0: its launcher is gone, so it ends; start again with --resume" in done.stderr


def _runs(pid: int) -> bool:
    """Whether there is such a process, and it isn't one that ended and that nobody has asked after."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_launcher_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        WATCHED + "processes.start()\nos.write(1, b'pid %d\\n' % os.getpid())\nprocesses.wait()\ntime.sleep(200)\n"
    )
    launcher = subprocess.Popen(
        [*LAUNCH, script], env=os.environ | ALONE, cwd=ROOT, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
    )
    assert launcher.stdout is not None
    found = [int(launcher.stdout.readline().split()[1]) for _ in range(2)]
    launcher.kill()
    launcher.communicate(timeout=60)  # ends when the last one that holds its streams has ended
    assert len(set(found)) == 2 and not any(_runs(one) for one in found)


@pytest.mark.slow
def test_what_one_process_finds_wrong_ends_all(tmp_path: Path) -> None:
    """A reward that is NaN for one prompt alone: neither process waits for the other for ever."""
    script = tmp_path / "script.py"
    script.write_text(
        "import torch\n"
        "from reference_impl.alignment import processes\n"
        "from tests.reference_impl.alignment.in_processes import *\n"
        "processes.start()\n"
        "learning = policy()\n"
        "spoiled = lambda all: torch.tensor([float('nan') if one.prompt == (7, 8) else 1.0 for one in all])\n"
        "try:\n"
        "    policy_gradient(learning, FrozenCopy(learning), PROMPTS, sampler(learning), spoiled,\n"
        "                    named('grpo', prompts=6, samples=2))\n"
        "except ValueError as error:\n"
        "    print(processes.number(), error)\n"
        "processes.end()\n"
    )
    done = launch(script)
    assert done.returncode == 0, done.stderr
    assert sorted(line[:1] for line in done.stdout.splitlines()) == ["0", "1"]
    assert done.stdout.count("the reward function gave nan") == 2
    assert f"prompt {[7, 8]}" in done.stdout and EOS == 0
