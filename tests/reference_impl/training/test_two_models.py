"""The loop with two models, two optimizers and rollouts between its steps: killed and resumed, bit for bit.

A policy writes rollouts with a generator of its own, a rule rewards them, and several steps learn from each: a policy
gradient with a learned baseline, which is what alignment asks of the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.training.loop import DivergenceError, Guard, loop
from reference_impl.training.optimizer import make_optimizer
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.state import Report, Stepping, TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state

CONFIG = GPTConfig(vocabulary=8, context=6, layers=1, heads=2, width=16, dropout=0.1)
STEPS, PER_ROLLOUT, EVERY = 60, 4, 9
LIKED = 3
"""The token that is rewarded."""
IDENTITY = RunIdentity({"liked": LIKED, "betas": (0.9, 0.95)}, {"prompts": "none"})
SETTINGS = TrainingSettings(tokens=1, weight_decay=0.0)


class Critic(nn.Module):
    """Says what a rollout will earn, and counts what it was asked: a buffer that changes too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CONFIG.vocabulary, 4)
        self.read_out = nn.Linear(4, 1)
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (rollouts, time). Returns (rollouts,)."""
        self.asked += len(tokens)
        return self.read_out(self.embedding(tokens).mean(1))[:, 0]


class Run:
    """A run whose parts the state names."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.policy, self.critic = GPT(CONFIG).train(), Critic()
        self.rollouts = torch.Generator().manual_seed(seed)
        steppings = {
            name: Stepping(make_optimizer(module, SETTINGS, rate), lambda step, rate=rate: rate, clip)  # type: ignore[misc]
            for name, module, rate, clip in (("policy", self.policy, 0.005, 1.0), ("critic", self.critic, 0.05, 5.0))
        }
        self.state = TrainingState(
            {"policy": self.policy, "critic": self.critic}, steppings, {"rollouts": self.rollouts}
        )

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Some rows of the last rollout, and their rewards; a new one every PER_ROLLOUT steps."""
        if step % PER_ROLLOUT == 0:
            tokens = torch.zeros(8, 1, dtype=torch.long)
            with torch.no_grad():
                for _ in range(CONFIG.context - 1):
                    odds = self.policy(tokens)[:, -1].softmax(-1)
                    tokens = torch.cat((tokens, torch.multinomial(odds, 1, generator=self.rollouts)), 1)
            self.state.held = {"tokens": tokens, "rewards": (tokens[:, 1:] == LIKED).float().mean(1)}
        chosen = torch.randperm(8, generator=self.rollouts)[:4]
        return self.state.held["tokens"][chosen], self.state.held["rewards"][chosen]

    def objective(self, batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        tokens, rewards = batch
        expected = self.critic(tokens)
        log_odds = self.policy(tokens[:, :-1]).log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0].sum(1)
        loss = -((rewards - expected.detach()) * log_odds).mean()
        value_loss = (expected - rewards).square().mean()
        (loss + value_loss).backward()
        return {"loss": loss.detach(), "value_loss": value_loss.detach(), "reward": rewards.mean()}

    def go(self, path: Path, kill_at: int = STEPS + 1, load: Any = load_state) -> list[Report]:
        """Straight on from the state, with reports every 5 steps and saves every EVERY steps."""

        def heard(report: Report) -> None:
            if report.step >= kill_at:
                raise Killed

        with torch.random.fork_rng():
            torch.manual_seed(11)
            if path.exists():
                load(path, self.state, IDENTITY)
            loop(
                self.objective,
                self.batch,
                STEPS,
                self.state,
                report_after=range(5, STEPS + 1, 5),
                on_report=heard,
                saving=Saving(path, EVERY, IDENTITY),
            )
        return [replace(report, seconds=0.0) for report in self.state.curve]


class Killed(BaseException):
    """Stands in for what ends a process."""


def killed(path: Path) -> None:
    with pytest.raises(Killed):
        Run().go(path, kill_at=30)
    kept = load_file(path)  # after 27 steps: between two reports, and between two rollouts
    assert kept["held.tokens"].shape == (8, 6) and float(kept["sum.counted"]) == 2


def same(run: Run, other: Run) -> bool:
    pairs = [*zip(run.state.parameters().values(), other.state.parameters().values(), strict=True)]
    pairs += zip(run.state.buffers().values(), other.state.buffers().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_killed_and_resumed_is_straight_bit_for_bit(tmp_path: Path) -> None:
    straight = Run()
    curve = straight.go(tmp_path / "straight")
    killed(tmp_path / "state")
    resumed = Run(seed=9)  # other weights and another random state to begin with: the file has them all
    assert resumed.go(tmp_path / "state") == curve
    assert same(resumed, straight)
    assert torch.equal(resumed.rollouts.get_state(), straight.rollouts.get_state())
    last, last_straight = load_file(tmp_path / "state"), load_file(tmp_path / "straight")
    assert set(last) == set(last_straight)
    assert [name for name, tensor in last_straight.items() if not torch.equal(last[name], tensor)] == []


def test_both_models_learn_and_every_value_is_in_the_curve(tmp_path: Path) -> None:
    run = Run()
    curve = run.go(tmp_path / "state")
    assert [report.step for report in curve] == list(range(5, STEPS + 1, 5))
    assert set(curve[0].values) == {"loss", "value_loss", "reward"}
    assert curve[0].rates == {"policy": 0.005, "critic": 0.05}
    assert curve[-1].values["reward"] > 1.5 * curve[0].values["reward"]
    assert float(run.critic.asked) == STEPS * 4


PARTS = [
    "policy weights",
    "critic weights",
    "policy optimizer",
    "critic optimizer",
    "generator",
    "held",
    "buffer",
    "sums",
]


@pytest.mark.parametrize("forgotten", PARTS)
def test_the_comparison_sees_what_a_state_leaves_out(tmp_path: Path, forgotten: str) -> None:
    straight = Run()
    curve = straight.go(tmp_path / "straight")
    path = tmp_path / "state"
    killed(path)
    run = Run(seed=9)
    name = forgotten.split()[0]

    def forget() -> None:
        if forgotten.endswith("weights"):
            getattr(run, name).load_state_dict(getattr(Run(seed=9), name).state_dict())
        elif forgotten.endswith("optimizer"):
            run.state.optimizers[name].optimizer.state.clear()
        elif forgotten == "generator":
            run.rollouts.manual_seed(1)
        elif forgotten == "held":
            run.state.held = {name: tensor.roll(3, 0) for name, tensor in run.state.held.items()}
        elif forgotten == "buffer":
            run.critic.asked.zero_()
        else:
            run.state.sums.clear()

    def forgetful(path: Path, state: TrainingState, identity: RunIdentity) -> None:
        load_state(path, state, identity)
        forget()

    assert run.go(path, load=forgetful) != curve or not same(run, straight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.state.modules.pop("critic"), "other parameters .critic"),
        (lambda run: run.state.generators.clear(), "other generators .rollouts on one side alone., not these"),
        (
            lambda run: run.state.optimizers.update({"actor": run.state.optimizers.pop("policy")}),
            "an optimizer 'policy'",
        ),
    ],
)
def test_a_run_of_other_parts_is_refused_and_left_as_it_was(tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "state"
    killed(path)
    run = Run(seed=9)
    change(run)
    before = [parameter.clone() for parameter in run.policy.parameters()]
    with pytest.raises(ValueError, match=message):
        load_state(path, run.state, IDENTITY)
    assert all(torch.equal(a, b) for a, b in zip(run.policy.parameters(), before, strict=True))


def test_a_gradient_that_is_not_finite_leaves_the_whole_step_out_of_the_means(tmp_path: Path) -> None:
    run = Run()

    def broken(batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        values = run.objective(batch)
        if run.state.step in (1, 2):
            run.critic.read_out.weight.grad = torch.full_like(run.critic.read_out.weight, float("nan"))
            return dict.fromkeys(values, torch.tensor(float("nan")))
        return values

    loop(broken, run.batch, 5, run.state, report_after={5})
    assert float(run.state.skipped) == 2
    assert all(value == value for value in run.state.curve[0].values.values())


def test_giving_up_says_what_to_do(tmp_path: Path) -> None:
    run = Run()

    def growing(batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        return run.objective(batch) | {"loss": torch.tensor(10.0**run.state.step)}  # type: ignore[operator]

    with pytest.raises(
        DivergenceError, match=r"blew up to .* nats, where 30 is the limit, .* \(0.005, 0.05 at its peak\)"
    ):
        loop(growing, run.batch, 9, run.state, report_after=range(9), guard=Guard(10, 3.0, 10.0, "nats"))
