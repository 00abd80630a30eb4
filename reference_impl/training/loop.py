"""The training loop: batches in, gradients, a guarded step, and now and then a report.

    torch.manual_seed(0)
    model = GPT(config)
    result = train(model, train_tokens, validation_tokens, TrainingSettings(tokens=500_000), print)

The same weights, tokens, settings, threads and machine give the same bits on a CPU, whether the run was straight or
killed and resumed. Between two reports nothing asks the device for a number, so a GPU never waits for Python.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from reference_impl.model.gpt import GPT
from reference_impl.text.packing import Tokens
from reference_impl.training.accumulation import accumulate_gradients
from reference_impl.training.batches import Batch, training_batch
from reference_impl.training.optimizer import default_learning_rate, guarded_step, make_optimizer
from reference_impl.training.precision import training_precision
from reference_impl.training.result import Progress, TrainingResult
from reference_impl.training.schedule import learning_rate_at
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.state import RunIdentity, TrainingState, load_state, save_state, tokens_digest
from reference_impl.training.validation import Validation, validate

REPORTS = 100
"""How often a run reports, evenly spread (beside each validation)."""


class DivergenceError(ArithmeticError):
    """Training gave up because gradients stopped being finite or the loss blew up."""


@dataclass(frozen=True)
class Saving:
    """Where and how often a run keeps its state (`state.py`)."""

    path: Path
    """One file, replaced each time."""
    every: int
    """Steps between two saves."""

    def __post_init__(self) -> None:
        """Refuse what can't be saved by."""
        if self.every < 1:
            raise ValueError(f"a state is saved every 1 or more steps, not every {self.every}.")


def train(
    model: GPT,
    train_tokens: Tokens,
    validation_tokens: Tokens,
    settings: TrainingSettings,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    validation_bytes: int | None = None,
    saving: Saving | None = None,
    resume: bool = False,
) -> TrainingResult:
    """Trains `model` in place, on the device that it is on, and leaves it in evaluation mode.

    train_tokens, validation_tokens: (time,) each, in memory or mapped (`pack`, `open_shard`).
    on_progress: called about `REPORTS` times, in this thread.
    validation_bytes: UTF-8 bytes of the validation text, if bits per byte are wanted.
    saving: where and how often the run's state is kept; it stays there, whatever ends the run.
    resume: go on from the state at `saving.path`; the weights of `model` are then replaced by the state's.
    Raises ValueError for tokens that don't fit the settings or the model and for a state of another run,
    CorruptCheckpoint for a state that can't be read, and DivergenceError after `settings.skips_in_a_row` steps without
    a finite gradient or when the loss blows up.
    """
    if resume and saving is None:
        raise ValueError("resuming needs to know where the state is: give saving=Saving(path, every).")
    settings = settled(settings, model)
    sequence, peak = settings.sequence, settings.learning_rate
    assert sequence is not None and peak is not None and settings.precision != "auto"
    _check_tokens(train_tokens, model, "training")
    _check_tokens(validation_tokens, model, "validation")

    per_step = settings.batch * sequence
    steps = math.ceil(settings.tokens / per_step)
    report_after = _spread(steps, REPORTS)
    validate_after = _spread(steps, settings.validations)
    save_after = set(range(saving.every, steps, saving.every)) if saving else set()
    state = TrainingState.at_start(model, make_optimizer(model, settings, peak))
    identity = _identity(model, settings, train_tokens, validation_tokens) if saving else None

    with _threads(settings.threads), _seeded(settings.seed, model.device):
        if resume and saving and identity:
            load_state(saving.path, state, identity)
        model.train()
        started = time.perf_counter()
        while state.step < steps:
            rate = learning_rate_at(
                state.step,
                steps,
                peak,
                schedule=settings.schedule,
                warmup=settings.warmup,
                final=settings.final,
                decay=settings.decay,
            )
            _step(state, train_tokens, settings, sequence, rate)
            reporting = state.step in report_after or state.step in validate_after
            if not reporting and state.step not in save_after:
                continue
            _stop_if_diverged(state, settings, steps, saving)
            state.seconds += time.perf_counter() - started
            if reporting and (state.curve or state.loss_steps):
                progress = _report(state, steps, per_step, rate)
                if state.step in validate_after:
                    found = validate(
                        model,
                        validation_tokens,
                        batch=settings.batch // settings.accumulation,
                        sequence=sequence,
                        precision=settings.precision,
                    )
                    progress = replace(progress, validation_loss=found.loss)
                state.curve.append(progress)
                on_progress(progress)
            if saving and identity and state.step in save_after:
                save_state(saving.path, state, identity)
            started = time.perf_counter()

    model.eval()
    validations = [point.validation_loss for point in state.curve if point.validation_loss is not None]
    validation = Validation(validations[-1] * (len(validation_tokens) - 1), len(validation_tokens) - 1)
    return TrainingResult(
        settings=settings,
        parameters=parameter_count(model),
        steps=steps,
        tokens=steps * per_step,
        epochs=steps * per_step / len(train_tokens),
        seconds=state.seconds,
        validation_loss=validations[-1],  # the last step is always validated
        best_validation_loss=min(validations),
        bits_per_byte=None if validation_bytes is None else validation.bits_per_byte(validation_bytes),
        skipped_steps=int(state.skipped),
        curve=tuple(state.curve),
    )


def _step(state: TrainingState, tokens: Tokens, settings: TrainingSettings, sequence: int, rate: float) -> None:
    """One step of the optimizer on the batch that is due. Asks the device for nothing."""
    assert settings.precision != "auto"
    batch = training_batch(tokens, state.step, batch=settings.batch, sequence=sequence, seed=settings.seed)
    micro_batches = _micro_batches(batch, settings.accumulation, state.model.device)
    loss = accumulate_gradients(state.model, micro_batches, settings.precision)
    skip = guarded_step(state.optimizer, rate, settings.gradient_clip)
    state.skipped += skip
    state.skipped_in_a_row = (state.skipped_in_a_row + 1) * skip
    state.loss_sum += torch.where(skip.bool(), 0.0, loss)
    state.loss_steps += 1 - skip
    state.step += 1


def _report(state: TrainingState, steps: int, per_step: int, rate: float) -> Progress:
    """The point of the curve that is due; begins the next mean. Where every step was skipped the last loss stands."""
    counted = int(state.loss_steps)
    mean_loss = float(state.loss_sum) / counted if counted else state.curve[-1].loss
    state.loss_sum.zero_()
    state.loss_steps.zero_()
    done = state.step * per_step
    return Progress(
        step=state.step,
        steps=steps,
        tokens=done,
        loss=mean_loss,
        learning_rate=rate,
        tokens_per_second=done / state.seconds,
    )


def _stop_if_diverged(state: TrainingState, settings: TrainingSettings, steps: int, saving: Saving | None) -> None:
    """Raises DivergenceError, with the place of the last good state, where going on makes no sense.

    Called before every report and every save, so a state of a run that has diverged never replaces a good one.
    """
    counted = int(state.loss_steps)
    loss = float(state.loss_sum) / counted if counted else 0.0
    limit = settings.blow_up * max(math.log(state.model.config.vocabulary), state.curve[0].loss if state.curve else 0.0)
    if int(state.skipped_in_a_row) >= min(settings.skips_in_a_row, steps):
        what = f"the gradient was not finite in the last {int(state.skipped_in_a_row)} steps"
    elif state.curve and loss > limit:
        what = f"the loss blew up to {loss:.3g} nats per token, where {limit:.3g} is the limit,"
    else:
        return
    kept = ""
    if saving:
        kept = f" The last good state is in {saving.path}." if saving.path.exists() else " No state was saved yet."
    raise DivergenceError(
        f"{what} up to step {state.step} of {steps}: lower learning_rate ({settings.learning_rate:.2g} at its peak), "
        f"warm up for longer, or check the weights it started from.{kept}"
    )


def _identity(model: GPT, settings: TrainingSettings, train: Tokens, validation: Tokens) -> RunIdentity:
    return RunIdentity(
        config=model.config,
        settings=settings,
        train_tokens=tokens_digest(train),
        validation_tokens=tokens_digest(validation),
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
