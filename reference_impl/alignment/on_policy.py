"""Learning from rollouts on the training loop: collect, then several steps on shuffled minibatches, and again.

The rollout in flight, its order, the KL coefficient and the sums behind an early stop are in the state's `held`, so
that a run which is killed between two minibatches goes on with the same rollout and the same bits.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.answered_tensors import NAMES, digest, from_tensors, to_tensors
from reference_impl.alignment.collecting import Drawn, Prompt, Sampler
from reference_impl.alignment.settings.rollouts import RolloutSettings
from reference_impl.training.loop import DivergenceError, loop
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, good_state, load_state

ORDER = "order"
"""The generator that orders minibatches."""
ROLLOUT, SCORING = "rollout", "scoring"
"""What is timed apart: drawing the responses, and all else that a rollout needs before its steps. The rest of a run's
seconds are its steps."""


@dataclass(frozen=True)
class Minibatch:
    """Some responses of the rollout in flight."""

    answered: tuple[Answered, ...]
    tokens: dict[str, Tensor]
    """By name, what was computed when the rollout was collected: (tokens,) each, flat, item after item."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the responses."""
        return tuple(len(item.response) for item in self.answered)

    def parts(self, count: int) -> list[Minibatch]:
        """Equal parts, one after the other; of each this process's share."""
        size = len(self.answered) // count
        own = processes.own_share(size)
        starts = range(0, len(self.answered), size)
        return [self.of(range(start + own.start, start + own.stop)) for start in starts]

    def of(self, indices: Sequence[int]) -> Minibatch:
        """Some of its responses."""
        starts = list(itertools.accumulate(self.lengths, initial=0))
        rows = [row for index in indices for row in range(starts[index], starts[index + 1])]
        found = {name: tensor[rows] for name, tensor in self.tokens.items()}
        return Minibatch(tuple(self.answered[index] for index in indices), found)


@dataclass(frozen=True)
class Rollout:
    """What a collected rollout leaves for its steps and for the next rollout."""

    answered: Sequence[Answered]
    tokens: Mapping[str, Tensor]
    """(tokens,) each."""
    values: Mapping[str, float]
    """Recorded; of every rollout the same names."""
    carried: Mapping[str, Tensor]
    """What the next rollout goes on from: KL coefficient, reward statistics."""
    graph: Mapping[str, Tensor] = field(default_factory=dict)
    """More of every token, with gradients, for its only step: never saved, as no state is between the two."""


Collect = Callable[[int, Mapping[str, Tensor]], Rollout]
"""(number of the rollout, what the last one carried)."""

OnRollout = Callable[[int, Mapping[str, float]], None]
"""Hears of a rollout that was collected: its number, which is how many were learned from, and what is recorded of it.
The policy is as it was when it drew it."""

Update = Callable[[Minibatch], Mapping[str, Tensor]]
"""Adds a minibatch's gradients; returns detached scalars, `approx_kl` among them: k3 of old policy and policy."""


def learn_from_rollouts(
    collect: Collect,
    update: Update,
    settings: RolloutSettings,
    state: TrainingState,
    *,
    algorithm: str,
    prompts: Sequence[tuple[int, ...]],
    before_step: Callable[[], None] = lambda: None,
    on_rollout: OnRollout = lambda number, values: None,
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Runs all rollouts of `settings`, changing `state` in place, and returns the reports.

    A report is the mean over the steps of `report_every` rollouts; where a rollout stopped early it is the mean over
    the steps that were done. saving: beside its file, `<file>.good` is the last state that was saved before a rollout
    whose policy had not collapsed. Raises what `collect` raises.
    """
    if not prompts:
        raise ValueError("there are no prompts to learn from: give one at least.")
    if resume and saving is None:
        raise ValueError("resuming needs to know where the state is: give saving=Saving(path, every).")
    if saving is not None:
        saving = replace(
            saving,
            identity=RunIdentity(
                {**saving.identity.settings, "algorithm": algorithm, **asdict(settings)},
                {**saving.identity.digests, "prompts": digest(prompts)},
            ),
        )
    steps = settings.rollouts * settings.steps_per_rollout
    order = state.generators[ORDER]
    in_flight: list[Minibatch] = []
    """The rollout that `held` keeps, taken apart once."""

    def batches(step: int) -> Minibatch | None:
        before_step()
        number, within = divmod(step, settings.steps_per_rollout)
        held = state.held
        if within == 0:
            carried = {name.removeprefix("carried."): held[name] for name in held if name.startswith("carried.")}
            in_flight.clear()
            try:
                with state.timed(SCORING):
                    rollout = collect(number, carried)
            except DivergenceError as error:
                raise DivergenceError(f"{error}{_kept(saving)}") from None
            on_rollout(number, rollout.values)
            if saving is not None and saving.path.exists():
                _keep_good(saving)
            held.clear()
            held.update(_held(rollout))
            in_flight.append(_rollout(held, rollout.graph))
        part = within % settings.minibatches
        if part == 0:
            held["order"] = torch.randperm(len(held["lengths"]), generator=order)
        if bool(held["stopped"]):
            return None
        size = settings.responses // settings.minibatches
        if not in_flight:
            in_flight.append(_rollout(held, {}))
        return in_flight[0].of(held["order"][part * size : (part + 1) * size].tolist())

    def objective(minibatch: Minibatch | None) -> Mapping[str, Tensor]:
        held = state.held
        recorded = {name.removeprefix("value."): held[name] for name in held if name.startswith("value.")}
        if minibatch is not None:
            values = update(minibatch)
            if float(values["approx_kl"]) > settings.approx_kl_stop and float(held["done"]) > 0:
                for parameter in state.parameters().values():
                    parameter.grad = None
                held["stopped"] = torch.ones(())
            else:
                for name, value in values.items():
                    held[f"sum.{name}"] = held.get(f"sum.{name}", torch.zeros_like(value)) + value
                held["done"] = held["done"] + 1
                return {**recorded, **values, "stopped_early": torch.zeros_like(values["approx_kl"])}
        # Nothing is learned: without gradients the optimizer leaves weights and moments alone. Reported is
        # the mean over the steps that were done, so that the mean over all steps is that, too.
        means = {name.removeprefix("sum."): held[name] / held["done"] for name in held if name.startswith("sum.")}
        return {**recorded, **means, "stopped_early": torch.ones_like(means["approx_kl"])}

    with torch.random.fork_rng(devices=[state.device] if state.device.type == "cuda" else []):
        if resume and saving is not None:
            load_state(saving.path, state, saving.identity)
        processes.wait()
        if processes.number():
            saving = None
        loop(
            objective,
            batches,
            steps,
            state,
            report_after=range(0, steps + 1, settings.report_every * settings.steps_per_rollout),
            on_report=on_report,
            saving=saving,
        )
    return tuple(state.curve)


def timed(sampler: Sampler, state: TrainingState) -> Sampler:
    """The sampler, its seconds counted as those of drawing responses."""

    def drawn(prompts: Sequence[Prompt], number: int) -> Sequence[Drawn]:
        with state.timed(ROLLOUT):
            return sampler(prompts, number)

    return drawn


def _held(rollout: Rollout) -> dict[str, Tensor]:
    held = to_tensors(rollout.answered)
    held |= {f"token.{name}": tensor for name, tensor in rollout.tokens.items()}
    held |= {f"carried.{name}": tensor for name, tensor in rollout.carried.items()}
    device = next(iter(rollout.tokens.values())).device
    held |= {f"value.{name}": torch.tensor(value, device=device) for name, value in rollout.values.items()}
    return held | {"stopped": torch.zeros(()), "done": torch.zeros((), device=device)}


def _rollout(held: Mapping[str, Tensor], graph: Mapping[str, Tensor]) -> Minibatch:
    tokens = {name.removeprefix("token."): held[name] for name in held if name.startswith("token.")}
    return Minibatch(tuple(from_tensors({name: held[name] for name in NAMES})), {**tokens, **graph})


def _keep_good(saving: Saving) -> None:
    """The saved file also under the name of the good one: a link where that can be: saves rename."""
    good, temporary = good_state(saving.path), saving.path.with_name(f".{saving.path.name}.good.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(saving.path, temporary)
    except OSError:  # a file system without links
        shutil.copyfile(saving.path, temporary)
    temporary.replace(good)


def _kept(saving: Saving | None) -> str:
    if saving is None or not good_state(saving.path).exists():
        return " No good state was saved before."
    return f" The last good state is in {good_state(saving.path)}."
