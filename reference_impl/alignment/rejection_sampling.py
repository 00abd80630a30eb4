"""Rejection-sampling fine-tuning: draw, keep the best responses, learn them as demonstrations, and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace

from reference_impl.alignment import processes
from reference_impl.alignment.answered_tensors import digest
from reference_impl.alignment.best_of_n import Best, best_of_n
from reference_impl.alignment.collecting import Prompt, Reward, Sampler
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.sft import sft
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state, save_state


def rejection_sampling(
    policy: Policy,
    prompts: Sequence[Prompt],
    sampler: Sampler,
    reward: Reward,
    settings: RejectionSettings,
    *,
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Trains the policy in place, and returns the reports of all rounds.

    A round is one `sft`, seeded by the settings' seed and its number; its reports also have what the round drew:
    `score` (mean of all responses), `best_score` (of the best ones) and `kept` (prompts with a response that was
    learned). saving, resume: the state of the round that goes on is kept as `sft` keeps it, and beside it, in
    `<file>.rounds`, the weights that it began with, from which its responses are drawn again.
    Raises ValueError where no response of a round reaches `at_least`.
    """
    if resume and saving is None:
        raise ValueError("resuming needs to know where the state is: give saving=Saving(path, every).")
    state = TrainingState({"policy": policy.module}, {})
    began = None if saving is None else saving.path.with_name(f"{saving.path.name}.rounds")
    if saving is not None:
        saving = _of_run(saving, prompts, settings)
        assert began is not None
        if resume and began.exists():
            load_state(began, state, saving.identity)
    for number in range(state.step, settings.rounds):
        started = time.perf_counter()
        best = best_of_n(prompts, settings.n, sampler, reward, number)
        seconds = time.perf_counter() - started + (state.curve[-1].seconds if state.curve else 0.0)
        told = _told(best, settings, number)
        learning = SFTSettings(**{one.name: getattr(settings, one.name) for one in fields(SFTSettings)})
        learning = replace(learning, seed=settings.seed + number)
        offset = state.curve[-1].step if state.curve else 0
        left = settings.rounds - number - 1

        def in_run(
            report: Report,
            offset: int = offset,
            left: int = left,
            told: dict[str, float] = told,
            seconds: float = seconds,
        ) -> Report:
            steps = offset + report.steps * (1 + left)  # of rounds to come as many as of this one
            return replace(
                report,
                step=offset + report.step,
                steps=steps,
                values={**told, **report.values},
                seconds=seconds + report.seconds,
            )

        reports = sft(
            policy,
            [one.answered for one in best if one.score >= settings.at_least],
            learning,
            on_report=lambda report, put=in_run: on_report(put(report)),  # type: ignore[misc]
            saving=saving,
            resume=resume and saving is not None and saving.path.exists(),
        )
        state.step, state.curve = number + 1, [*state.curve, *map(in_run, reports)]
        if saving is not None and began is not None and state.step < settings.rounds and processes.number() == 0:
            # First: a kill in between repeats this round; the next one can't go on from a state of this one.
            saving.path.unlink(missing_ok=True)
            save_state(began, state, saving.identity)
    if began is not None and processes.number() == 0:
        began.unlink(missing_ok=True)
    return tuple(state.curve)


def _told(best: Sequence[Best], settings: RejectionSettings, number: int) -> dict[str, float]:
    """What a round drew. Raises ValueError where nothing of it is kept."""
    everything = [score for one in best for score in one.scores]
    kept = sum(one.score >= settings.at_least for one in best)
    if not kept:
        raise ValueError(
            f"none of {len(everything)} responses of round {number} scores {settings.at_least:g} or more (the best "
            f"{max(everything):g}): lower at_least, or draw more per prompt."
        )
    return {
        "score": sum(everything) / len(everything),
        "best_score": sum(one.score for one in best) / len(best),
        "kept": float(kept),
    }


def _of_run(saving: Saving, prompts: Sequence[Prompt], settings: RejectionSettings) -> Saving:
    identity = RunIdentity(
        {**saving.identity.settings, "rejection": asdict(settings)},
        {**saving.identity.digests, "prompts": digest(prompts)},
    )
    return replace(saving, identity=identity)
