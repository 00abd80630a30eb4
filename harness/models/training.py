"""Training a reference model for a suite: the request as data, and its execution in a worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.corpora.training import HELD_OUT, training_texts
from harness.errors import UserError
from harness.models.encoded_corpus import encoded
from harness.models.stage import Making
from harness.notice import notice
from harness.number import duration
from reference_impl.model.config import FFN as FFN
from reference_impl.model.config import GPTConfig, Positions
from reference_impl.model.config import Norm as Norm
from reference_impl.model.presets import preset
from reference_impl.training.schedule import ScheduleName as ScheduleName
from reference_impl.training.settings import OptimizerName as OptimizerName
from reference_impl.training.settings import Precision, TrainingSettings

if TYPE_CHECKING:
    from reference_impl.training.result import TrainingResult

VALIDATIONS = 2
"""Full passes over the validation text, where nothing else is said: half-way and at the end."""
WORK_BETWEEN_STATES = 2e12
"""FLOPs: about a minute of two cores."""
SAMPLED = (0.25, 0.5, 0.75)
"""Parts of a training after which it shows what the model writes."""
CHARACTERS = 96
"""Size that a character tokenizer is taken to have before its text was read: for plans alone."""

TokenizerName = Literal["bpe", "characters"]
"""bpe: byte-level, trained on the corpus. characters: one token for each character of the corpus."""
PositionsName = Positions
TrainingPrecision = Precision


@dataclass(frozen=True)
class Training:
    """Everything that determines a trained reference model, beside the code and the corpus' bytes."""

    preset: str
    corpus: str
    vocabulary: int
    context: int
    seed: int
    tokenizer: TokenizerName = "bpe"
    held_out: float = HELD_OUT
    """Part of a corpus without splits of its own that is for validation."""
    shape: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `GPTConfig` that differ from the preset's."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `TrainingSettings` that differ from its defaults; `steps` may stand for `tokens`."""
    after: Training | None = None
    """The stage before this one: its weights are where this one starts, its tokenizer is kept."""

    @property
    def first(self) -> Training:
        """The stage that starts from nothing."""
        return self if self.after is None else self.after.first

    @property
    def method(self) -> str:
        """See `Stage`."""
        return "pretrain"

    @property
    def what(self) -> str:
        """See `Stage`."""
        return f"train {self.preset} on {self.corpus}"

    @property
    def length(self) -> str:
        """See `Stage`."""
        return f"{self.settings().tokens:,} tokens"

    @property
    def texts(self) -> tuple[str, ...]:
        """See `Stage`. The first stage's are among them: its tokenizer is made of them."""
        corpora = dict.fromkeys((self.first.corpus, self.corpus))
        return tuple(text for corpus in corpora for text in training_texts(corpus))

    @property
    def work(self) -> float:
        """See `Stage`."""
        from reference_impl.model.counting import training_flops

        settings = self.settings()
        return training_flops(self.config(), settings.tokens, settings.sequence or self.context)

    def config(self, vocabulary: int | None = None) -> GPTConfig:
        """The shape of the model. Raises ValueError for an unknown preset and a shape that can't be."""
        if vocabulary is None:
            vocabulary = CHARACTERS if self.tokenizer == "characters" else self.vocabulary
        named = preset(self.preset, vocabulary=vocabulary, context=self.context)
        given: dict[str, Any] = dict(self.shape)
        if "width" in given:
            given.setdefault("ffn_width", 0)  # what the preset settled goes with the preset's width
        if "heads" in given:
            given.setdefault("kv_heads", 0)
        return replace(named, **given)

    def settings(self) -> TrainingSettings:
        """How it is trained. Raises ValueError for what can't be trained with."""
        given = {"validations": VALIDATIONS, "seed": self.seed, **self.recipe}
        if (steps := given.pop("steps", None)) is not None:
            sequence = given.get("sequence") or self.context
            given["tokens"] = steps * given.get("batch", TrainingSettings.batch) * sequence
        if "betas" in given:
            given["betas"] = tuple(given["betas"])  # a list where it was read back from JSON
        return TrainingSettings(**given)

    def check(self, *, place: str) -> None:
        """UserError where the shape or the settings make no sense, or a sequence is longer than the context."""
        try:
            self.config()
            settings = self.settings()
        except ValueError as error:
            raise UserError(str(error), place=place) from None
        if settings.sequence is not None and settings.sequence > self.context:
            raise UserError(
                f"sequences of {settings.sequence} tokens don't fit the context of {self.context}", place=place
            )


def read(stage: Training) -> None:
    """See `Maker.read`."""
    encoded(stage)


def make(stage: Training, making: Making) -> dict[str, Any]:
    """See `Maker.make`."""
    start = None if making.start is None else Path(making.start.path)
    return train(stage, Path(making.source.path), making.on_step, start, making.state, making.on_sample)


def train(
    training: Training,
    folder: Path,
    on_step: Callable[[float, str], None],
    start: Path | None = None,
    state: Path | None = None,
    on_sample: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train the model and save its checkpoint in `folder`; returns the summary that the manifest keeps.

    The tokenizer is trained on the first stage's train part; it and the encoded corpus are cached for the next size.
    start: the folder that the stage before this one was kept in, where there is one. state: a file in which the state
    of a longer training is kept while it goes, so that after a kill it goes on from there to the same bits; it is gone
    at the end. `on_step` hears the share done and the last loss; `on_sample` now and then what the model writes.
    """
    import torch

    from reference_impl.model.gpt import GPT
    from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint
    from reference_impl.training.loop import DivergenceError
    from reference_impl.training.pretraining import train as train_gpt
    from reference_impl.training.result import Progress
    from reference_impl.training.state_file import CorruptState, OtherRun, Saving

    tokenizer, train_tokens, validation_tokens, validation_bytes = encoded(training)
    sequence = training.settings().sequence or training.context
    if len(train_tokens) <= sequence:
        raise UserError(
            f"the text has {len(train_tokens):,} tokens to train on, too few for sequences of {sequence}: give more "
            "text, or a shorter `context`"
        )
    torch.manual_seed(training.seed)
    model = GPT(training.config(tokenizer.size))
    if start is not None:
        model.load_state_dict(load_checkpoint(start).model.state_dict())

    samples_left = [*SAMPLED]

    def told(progress: Progress) -> None:
        done = progress.step / progress.steps
        left = (progress.steps - progress.step) * progress.tokens / progress.step / progress.tokens_per_second
        rate = f"{progress.tokens_per_second:,.0f} tokens/s"
        on_step(done, f"loss {progress.loss:.3f} nats/token, {rate}, {duration(left)} left")
        if on_sample is not None and samples_left and done >= samples_left[0]:
            from harness.models.training_sample import written_by

            samples_left.pop(0)
            on_sample(written_by(model, tokenizer, validation_tokens))

    every = _steps_between_states(training)
    saving = None if state is None or every is None else Saving(state, every)

    def trained(resume: bool) -> TrainingResult:
        return train_gpt(
            model,
            train_tokens,
            validation_tokens,
            training.settings(),
            told,
            validation_bytes=validation_bytes,
            saving=saving,
            resume=resume,
        )

    try:
        try:
            result = trained(saving is not None and saving.path.is_file())
        except (CorruptState, OtherRun) as error:  # a damaged one, or of another number of threads; nothing was changed
            assert saving is not None
            notice(f"this training begins anew: {error}")
            saving.path.unlink(missing_ok=True)
            result = trained(False)
    except DivergenceError as error:
        raise UserError(str(error)) from error
    save_checkpoint(folder, model, tokenizer, training=result)
    if state is not None:
        state.unlink(missing_ok=True)
    return trained_summary(folder)


def _steps_between_states(training: Training) -> int | None:
    """After how many steps the state of a training is kept; None where it is over before that is worth it."""
    from reference_impl.model.counting import training_flops

    settings = training.settings()
    sequence = settings.sequence or training.context
    per_step = settings.batch * sequence
    steps = -(-settings.tokens // per_step)
    every = max(1, round(WORK_BETWEEN_STATES / training_flops(training.config(), per_step, sequence)))
    return every if every < steps else None


def trained_summary(folder: Path) -> dict[str, Any]:
    """How a checkpoint was trained, as its folder says; empty where it does not say."""
    path = folder / "training.json"
    if not path.is_file():
        return {}
    try:
        return _summary(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # it says nothing that can be read; the weights are checked when they are opened


def _summary(told: dict[str, Any]) -> dict[str, Any]:
    kept = ("parameters", "tokens", "epochs", "seconds", "validation_loss", "bits_per_byte", "skipped_steps")
    summary = {name: told[name] for name in kept if told.get(name) is not None}
    bits = f", {told['bits_per_byte']:.3f} bits/byte" if told.get("bits_per_byte") is not None else ""
    text = (
        f"{told['parameters']:,} parameters, {told['tokens']:,} tokens in {told['seconds']:.0f} s, "
        f"validation {told['validation_loss']:.3f} nats/token{bits}"
    )
    return summary | {"settings": told["settings"], "text": text}
