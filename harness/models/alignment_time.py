"""Seconds that a stage of alignment would take on a machine, from what determines its work: how long its examples are,
how often they are learned, how many responses are drawn and read.

Arithmetic, not a measurement: `harness.execution.training_pace` corrects it by stages of its method that were done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models.alignment import Alignment
from harness.models.resolved import Resolved
from harness.models.training import Training
from reference_impl.alignment.data.rows import Demonstration, Preference, Prompt, PromptText
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.examples import ExampleSettings
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.settings.rollouts import RolloutSettings
from reference_impl.alignment.stages.data_settings import MICROWORLD, SUMS
from reference_impl.alignment.stages.method import METHODS
from reference_impl.alignment.stages.reading import rows_of
from reference_impl.files import TextError

RESPONSE = 64
"""Most tokens of a response that is drawn, where a suite doesn't say: `from_rewards.RESPONSE`, which imports torch."""
STEP = 0.008
"""Seconds that an optimizer step takes, however small the model: two cores, a model of 80,000 parameters."""
TOKEN = 0.0007
"""Seconds that one more token of all responses of a rollout takes, however small the model."""
READABLE = 32 << 20
"""Bytes of data that a plan reads; of larger ones nothing is foretold."""
TURN = 8
"""Characters that a chat template adds to a turn."""


@dataclass(frozen=True)
class Lengths:
    """What a stage learns from, in tokens."""

    examples: int
    prompt: float
    """Mean of a prompt."""
    responses: tuple[float, ...]
    """Means of the responses that each example has: one of a demonstration, two of a preference, none of a prompt."""


def seconds_of_stage(model: Resolved, matmul: int, asked: int, rate: float, read: float) -> float | None:
    """Seconds that the last stage of a model, one of alignment, would take once its process has started; None where
    nothing is known of its data.

    matmul: parameters that take part in matrix products. asked: those of the models that it asks, together. rate:
    FLOP/s. read: seconds to read all weights once, which each token of all responses of a rollout costs.
    """
    stage = model.training
    if not isinstance(stage, Alignment):
        return 0.0  # a copy of weights that another stage leaves
    try:
        settings = METHODS[stage.method].made(stage.recipe)
        lengths = _lengths(stage, model)
    except (ValueError, TypeError, TextError, OSError):
        return None  # the run says what is wrong with them
    if lengths is None:
        return None
    if isinstance(settings, RejectionSettings):
        drawn = lengths.examples * settings.n
        length = _drawn_length(stage, model, lengths)
        draw = _drawing(drawn, lengths.prompt, length, matmul, rate, read)
        judged = 2.0 * asked * drawn * (lengths.prompt + length) / rate
        return settings.rounds * (draw + judged + _learning(lengths, (length,), settings, matmul, rate))
    if isinstance(settings, ExampleSettings):
        known = isinstance(settings, DPOSettings) and settings.variant != "simpo"
        reference = 2.0 * matmul * lengths.examples * (lengths.prompt + sum(lengths.responses)) if known else 0.0
        return _learning(lengths, lengths.responses, settings, matmul, rate) + reference / rate
    assert isinstance(settings, RolloutSettings)
    length = _drawn_length(stage, model, lengths)
    trunks = 2 if isinstance(settings, PPOSettings) and settings.critic == "own" else 1
    tokens = settings.responses * (lengths.prompt + length)
    values = trunks if isinstance(settings, PPOSettings) else 0
    passes = (2 + values) * matmul + asked  # policy, reference, values, reward
    flops = tokens * (2.0 * passes + 6.0 * trunks * matmul * settings.epochs)
    draw = _drawing(settings.responses, lengths.prompt, length, matmul, rate, read)
    return settings.rollouts * (draw + flops / rate + STEP * (settings.steps_per_rollout + 1))


def _learning(
    lengths: Lengths, responses: Sequence[float], settings: ExampleSettings, matmul: int, rate: float
) -> float:
    """Seconds to learn examples: forward and backward passes over all tokens, a shared prompt once."""
    steps = settings.steps(lengths.examples)
    tokens = steps * settings.batch * (lengths.prompt + sum(responses))
    return 6.0 * matmul * tokens / rate + STEP * steps * settings.micro_batches


def _drawing(responses: int, prompt: float, length: float, matmul: int, rate: float, read: float) -> float:
    """Seconds to draw responses side by side: prompts are read at once, then all weights for each token."""
    return 2.0 * matmul * responses * (prompt + length) / rate + length * (read + TOKEN)


def _drawn_length(stage: Alignment, model: Resolved, lengths: Lengths) -> float:
    """Tokens of a response that is drawn: mostly as many as it may have, of a model that ends few."""
    most = stage.settings.response or RESPONSE
    context = _context(model)
    return most if context is None else min(most, max(context - lengths.prompt, 1.0))


def _lengths(stage: Alignment, model: Resolved) -> Lengths | None:
    """Raises what reading its data raises."""
    settings, kind = stage.settings, _kind(stage)
    if settings.data not in (MICROWORLD, SUMS):
        path = Path(settings.data).expanduser()
        files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
        if settings.data.startswith("hub:") or sum(one.stat().st_size for one in files) > READABLE:
            return None
    rows: Sequence[Demonstration | Preference | Prompt] = rows_of(kind, settings)[0]
    if not rows:
        return None
    each, most = _characters_per_token(model), _context(model) or math.inf

    def mean(texts: Sequence[int], limit: int | None) -> float:
        return min(sum(texts) / len(texts) / each, limit or most, most)

    prompts = mean([_characters(row.prompt) for row in rows], settings.prompt)
    written = [
        [len(row.response)] if isinstance(row, Demonstration)
        else [len(row.chosen), len(row.rejected)] if isinstance(row, Preference)
        else []
        for row in rows
    ]  # fmt: skip
    responses = tuple(mean(column, settings.response) for column in zip(*written, strict=True))
    return Lengths(max(1, round(len(rows) * (1 - settings.held_out))), prompts, responses)


def _kind(stage: Alignment) -> Any:
    """What its rows are: demonstrations, preferences or prompts."""
    if METHODS[stage.method].rewarded:
        return Prompt
    return Demonstration if stage.method == "sft" else Preference


def _characters(prompt: PromptText) -> int:
    return len(prompt) if isinstance(prompt, str) else sum(len(turn.content) + TURN for turn in prompt)


def _characters_per_token(model: Resolved) -> float:
    """About how many a token has, by the size of the vocabulary: measured on microworld's texts with 300 to 2048
    tokens (1.4 to 3.3), and 4.2 where it is large."""
    training = model.first.training
    if not isinstance(training, Training):
        return 4.2
    if training.tokenizer == "characters":
        return 1.0
    return min(max(1.3 + 0.55 * (math.log2(training.vocabulary) - 8), 1.0), 4.2)


def _context(model: Resolved) -> int | None:
    training = model.first.training
    return training.context if isinstance(training, Training) else None
