"""The training loop: batches in, gradients, a guarded step, and now and then a report.

    torch.manual_seed(0)
    model = GPT(config)
    result = train(model, train_tokens, validation_tokens, TrainingSettings(tokens=500_000), print)

The same weights, tokens, settings, threads and machine give the same bits on a CPU. Between two reports
nothing asks the device for a number, so a GPU never waits for Python.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from reference_impl.model.gpt import GPT
from reference_impl.text.packing import Tokens
from reference_impl.training.accumulation import accumulate_gradients
from reference_impl.training.batches import Batch, training_batch
from reference_impl.training.optimizer import default_learning_rate, guarded_step, make_optimizer
from reference_impl.training.precision import training_precision
from reference_impl.training.schedule import learning_rate_at
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.validation import Validation, validate

REPORTS = 100
"""How often a run reports, evenly spread (beside each validation)."""


class DivergenceError(ArithmeticError):
    """Training gave up because gradients stopped being finite."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: what a progress display shows, and one point of the loss curve."""

    step: int
    """Steps done."""
    steps: int
    """Steps in all."""
    tokens: int
    """Tokens trained on so far."""
    loss: float
    """Mean training loss since the last report, nats per token."""
    learning_rate: float
    """Of the last step."""
    tokens_per_second: float
    """Training speed since the start, validation not counted."""
    validation_loss: float | None = None
    """Nats per token, where the validation tokens were just passed over."""


@dataclass(frozen=True)
class TrainingResult:
    """What came of a run."""

    settings: TrainingSettings
    """As they were used: nothing in them is None or auto any more."""
    parameters: int
    """All parameters, tied ones once."""
    steps: int
    tokens: int
    """Trained on; repeated ones count again."""
    epochs: float
    """Passes over the training tokens."""
    seconds: float
    """Training alone, without validation."""
    validation_loss: float
    """After the last step: nats per token over the full pass."""
    best_validation_loss: float
    """Lowest of all validations."""
    bits_per_byte: float | None
    """The same as `validation_loss`, where the bytes of the validation text were given."""
    skipped_steps: int
    """Steps left out because their gradient wasn't finite."""
    curve: tuple[Progress, ...]
    """Every report."""

    @property
    def tokens_per_second(self) -> float:
        """Training speed, validation not counted."""
        return self.tokens / self.seconds


def train(
    model: GPT,
    train_tokens: Tokens,
    validation_tokens: Tokens,
    settings: TrainingSettings,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    validation_bytes: int | None = None,
) -> TrainingResult:
    """Trains `model` in place, on the device that it is on, and leaves it in evaluation mode.

    train_tokens, validation_tokens: (time,) each, in memory or mapped (`pack`, `open_shard`).
    validation_bytes: UTF-8 bytes of the validation text, if bits per byte are wanted.
    on_progress: called about `REPORTS` times, in this thread.
    Raises ValueError for tokens that don't fit the settings or the model, and DivergenceError after
    `settings.skips_in_a_row` steps without a finite gradient.
    """
    device = next(model.parameters()).device
    settings = settled(settings, model)
    sequence, peak = settings.sequence, settings.learning_rate
    assert sequence is not None and peak is not None and settings.precision != "auto"
    _check_tokens(train_tokens, model, "training")
    _check_tokens(validation_tokens, model, "validation")

    per_step = settings.batch * sequence
    steps = math.ceil(settings.tokens / per_step)
    report_after = _spread(steps, REPORTS)
    validate_after = _spread(steps, settings.validations)
    optimizer = make_optimizer(model, settings, peak)

    skipped, skipped_in_a_row, loss_sum = torch.zeros(3, device=device)
    curve: list[Progress] = []
    training_seconds, last_report = 0.0, 0
    validation: Validation | None = None
    best = math.inf

    with _threads(settings.threads), _seeded(settings.seed, device):
        started = time.perf_counter()
        for step in range(steps):
            model.train()
            batch = training_batch(train_tokens, step, batch=settings.batch, sequence=sequence, seed=settings.seed)
            loss = accumulate_gradients(model, _micro_batches(batch, settings.accumulation, device), settings.precision)
            rate = learning_rate_at(step, steps, peak, settings.warmup, settings.final)
            skip = guarded_step(optimizer, rate, settings.gradient_clip)

            skipped += skip
            skipped_in_a_row = (skipped_in_a_row + 1) * skip
            loss_sum += torch.where(skip.bool(), 0.0, loss)

            done = step + 1
            if done not in report_after and done not in validate_after:
                continue
            if skipped_in_a_row >= min(settings.skips_in_a_row, steps):
                raise DivergenceError(
                    f"the gradient was not finite in the last {int(skipped_in_a_row)} steps up to step {done} of "
                    f"{steps} (learning rate {rate:.2g}): lower learning_rate, or check the weights it started from."
                )
            mean_loss = float(loss_sum) / (done - last_report)
            training_seconds += time.perf_counter() - started
            validation_loss = None
            if done in validate_after:
                validation = validate(
                    model,
                    validation_tokens,
                    batch=settings.batch // settings.accumulation,
                    sequence=sequence,
                    precision=settings.precision,
                )
                validation_loss = validation.loss
                best = min(best, validation_loss)
            progress = Progress(
                step=done,
                steps=steps,
                tokens=done * per_step,
                loss=mean_loss,
                learning_rate=rate,
                tokens_per_second=done * per_step / training_seconds,
                validation_loss=validation_loss,
            )
            curve.append(progress)
            on_progress(progress)
            loss_sum.zero_()
            last_report = done
            started = time.perf_counter()

    model.eval()
    assert validation is not None  # the last step is always validated
    return TrainingResult(
        settings=settings,
        parameters=parameter_count(model),
        steps=steps,
        tokens=steps * per_step,
        epochs=steps * per_step / len(train_tokens),
        seconds=training_seconds,
        validation_loss=validation.loss,
        best_validation_loss=best,
        bits_per_byte=None if validation_bytes is None else validation.bits_per_byte(validation_bytes),
        skipped_steps=int(skipped),
        curve=tuple(curve),
    )


def settled(settings: TrainingSettings, model: GPT) -> TrainingSettings:
    """`settings` with everything that was left open decided for this model and its device.

    Raises ValueError if the sequence is longer than the model's context.
    """
    parameters = parameter_count(model)
    sequence = settings.sequence or model.config.context
    if sequence > model.config.context:
        raise ValueError(
            f"a sequence of {sequence} doesn't fit the model's context of {model.config.context}: shorten `sequence`."
        )
    device = next(model.parameters()).device
    return replace(
        settings,
        sequence=sequence,
        learning_rate=settings.learning_rate or default_learning_rate(parameters),
        precision=training_precision(settings.precision, device, parameters),
        threads=settings.threads or torch.get_num_threads(),
    )


def parameter_count(model: torch.nn.Module) -> int:
    """All parameters, tied ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def _check_tokens(tokens: Tokens, model: GPT, which: str) -> None:
    """Out-of-range ids fail deep inside an embedding otherwise. A mapped shard's range is its header's."""
    if len(tokens) and int(tokens.max()) >= model.config.vocabulary:
        raise ValueError(
            f"the {which} tokens go up to {int(tokens.max())}, but the model's vocabulary ends at "
            f"{model.config.vocabulary - 1}: use the tokenizer that the model was made for."
        )


def _micro_batches(batch: Batch, parts: int, device: torch.device) -> list[Batch]:
    inputs, targets = batch
    return [
        (piece.to(device, non_blocking=True), wanted.to(device, non_blocking=True))
        for piece, wanted in zip(inputs.chunk(parts), targets.chunk(parts), strict=True)
    ]


def _spread(steps: int, times: int) -> set[int]:
    """`times` numbers of done steps, evenly spread, the last one being all of them."""
    return {math.ceil(steps * index / times) for index in range(1, times + 1)}


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout follows `seed`; the caller's random state is as before afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
