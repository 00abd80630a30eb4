"""Pretraining: a GPT learns to predict the next token of a stream.

    torch.manual_seed(0)
    model = GPT(config)
    result = train(model, train_tokens, validation_tokens, TrainingSettings(tokens=500_000), print)

The same weights, tokens, settings, threads and machine give the same bits on a CPU, whether the run was straight or
killed and resumed.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace

import torch
from torch import Tensor

from reference_impl.model.gpt import GPT
from reference_impl.text.packing import Tokens
from reference_impl.training.accumulation import accumulate_gradients
from reference_impl.training.batches import Batch, training_batch
from reference_impl.training.loop import Guard, loop
from reference_impl.training.optimizer import default_learning_rate, make_optimizer
from reference_impl.training.precision import training_precision
from reference_impl.training.result import Progress, TrainingResult
from reference_impl.training.schedule import learning_rate_at
from reference_impl.training.settings import TrainingSettings
from reference_impl.training.state import Report, Stepping, TrainingState
from reference_impl.training.state_file import RunIdentity, Saving, load_state
from reference_impl.training.validation import Validation, validate

REPORTS = 100
"""How often a run reports, evenly spread (beside each validation)."""
NAME = "model"
"""What the run's state calls the module and the optimizer."""


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
    sequence, peak, precision = settings.sequence, settings.learning_rate, settings.precision
    assert sequence is not None and peak is not None and precision != "auto"
    _check_tokens(train_tokens, model, "training")
    _check_tokens(validation_tokens, model, "validation")

    per_step = settings.batch * sequence
    steps = math.ceil(settings.tokens / per_step)
    if saving:
        saving = replace(saving, identity=_identity(model, settings, train_tokens, validation_tokens))

    def batches(step: int) -> Batch:
        return training_batch(train_tokens, step, batch=settings.batch, sequence=sequence, seed=settings.seed)

    def objective(batch: Batch) -> Mapping[str, Tensor]:
        micro_batches = _micro_batches(batch, settings.accumulation, model.device)
        return {"loss": accumulate_gradients(model, micro_batches, precision)}

    def rate(step: int) -> float:
        return learning_rate_at(
            step,
            steps,
            peak,
            schedule=settings.schedule,
            warmup=settings.warmup,
            final=settings.final,
            decay=settings.decay,
        )

    def evaluate() -> Mapping[str, float]:
        batch = settings.batch // settings.accumulation
        found = validate(model, validation_tokens, batch=batch, sequence=sequence, precision=precision)
        return {"validation_loss": found.loss}

    stepping = Stepping(make_optimizer(model, settings, peak), rate, settings.gradient_clip)
    state = TrainingState({NAME: model}, {NAME: stepping})
    with _threads(settings.threads), _seeded(settings.seed, model.device):
        if resume and saving:
            load_state(saving.path, state, saving.identity)
        model.train()
        loop(
            objective,
            batches,
            steps,
            state,
            report_after=_spread(steps, REPORTS),
            on_report=lambda report: on_progress(_progress(report, per_step)),
            evaluate=evaluate,
            evaluate_after=_spread(steps, settings.validations),
            guard=Guard(settings.skips_in_a_row, settings.blow_up, math.log(model.config.vocabulary), "nats per token"),
            saving=saving,
        )
    model.eval()
    curve = tuple(_progress(report, per_step) for report in state.curve)
    validations = [point.validation_loss for point in curve if point.validation_loss is not None]
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
        curve=curve,
    )


def _progress(report: Report, per_step: int) -> Progress:
    tokens = report.step * per_step
    return Progress(
        step=report.step,
        steps=report.steps,
        tokens=tokens,
        loss=report.values["loss"],
        learning_rate=report.rates[NAME],
        tokens_per_second=tokens / report.seconds,
        validation_loss=report.values.get("validation_loss"),
    )


def _identity(model: GPT, settings: TrainingSettings, train: Tokens, validation: Tokens) -> RunIdentity:
    return RunIdentity(
        settings=asdict(model.config) | asdict(settings),
        digests={"train tokens": tokens_digest(train), "validation tokens": tokens_digest(validation)},
    )


def tokens_digest(tokens: Tokens) -> str:
    """SHA-256 of a stream of tokens, in pieces: a mapped one need not fit in memory."""
    digest = hashlib.sha256(str(tokens.dtype).encode())
    for start in range(0, len(tokens), 1 << 22):
        digest.update(tokens[start : start + (1 << 22)].tobytes())
    return digest.hexdigest()


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
