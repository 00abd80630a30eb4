"""What an arm that runs a model does: opens it, then one unit of work at a time, on seeded token ids.

It runs in the arm's own environment, with the harness that is there: a call with a setup and arguments, as any user's.
So this module's name, and what its functions take, are a contract between versions of the harness.
What is timed is what `inference` times; a unit times its own part, so that prefill and decode are apart.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from harness.errors import Unsupported, UserError, told
from harness.gate.arms.model_part import Part
from harness.measures.measure import check_batch
from harness.models.contract import LanguageModel, ModelSource

if TYPE_CHECKING:
    from torch import Tensor

MEASURE = "probe"
"""What arms are compared by beside their speed."""


class Timed(NamedTuple):
    """What a call made, and the nanoseconds of the part of it that is timed."""

    value: Any
    wall_ns: int
    cpu_ns: int


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """What the harness refuses becomes the sentence that the arm ends with."""
    try:
        yield
    except (UserError, Unsupported) as error:
        sys.exit(str(error))


def opened(source: Mapping[str, Any], prompt: int, generate: int, batch: int, seed: int) -> dict[str, Any]:
    """The model and its prompt: what the units of work are given. source: fields of `ModelSource`."""
    import torch

    with told_in_a_sentence():
        model = _model(source)
        identity = model.identity
        if prompt + generate > identity.context:
            raise Unsupported(
                f"prompt + generate = {prompt + generate} tokens do not fit in this model's context of "
                f"{identity.context}; make --prompt or --generate smaller"
            )
        check_batch(identity, batch)
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(identity.vocabulary, (batch, prompt), generator=generator).to(identity.device)
        with torch.inference_mode():
            last = torch.tensor([prompt - 1], device=ids.device)
            logits = model.forward(ids, logits_at=last)[:, -1].float().cpu()
    return {"model": model, "prompt": ids, "generate": generate, "logits": logits}


def prefill(model: LanguageModel, prompt: Tensor, generate: int, logits: Tensor) -> Timed:
    """Reads the prompt, logits at the last token, and chooses one token. Returns the logits: (batch, vocabulary)."""
    clock, _ = _generated(model, prompt, 1)
    return Timed(logits, *clock.between(0, 1))


def decode(model: LanguageModel, prompt: Tensor, generate: int, logits: Tensor) -> Timed:
    """Writes `generate` tokens greedily after the prompt; the steps after the first token are timed, the prefill is
    not. Returns the logits of the prefill and the tokens (as text: a token is the same or not)."""
    clock, tokens = _generated(model, prompt, generate)
    return Timed([logits, str(tokens.tolist())], *clock.between(1, generate))


def generation(model: LanguageModel, prompt: Tensor, generate: int, logits: Tensor) -> Timed:
    """As `decode`, the prefill timed too."""
    clock, tokens = _generated(model, prompt, generate)
    return Timed([logits, str(tokens.tolist())], *clock.between(0, generate))


def training_begun(training: Mapping[str, Any], steps: int, device: str) -> tuple[Any]:
    """What `training` is given."""
    from harness.models.training_steps import TrainingSteps

    with told_in_a_sentence():
        return (TrainingSteps(training, steps, device),)


def training(steps: Any) -> Timed:
    """The first steps of a training, from fresh weights, whose making is not timed. Returns the loss of each."""
    model = steps.fresh()
    with told_in_a_sentence():
        clock = _Clock()
        clock()
        losses = steps(model)
        clock()
    return Timed(losses, *clock.between(0, 1))


UNITS: Mapping[Part, Callable[..., Timed]] = {
    "prefill": prefill,
    "decode": decode,
    "generation": generation,
    "training": training,
}
assert set(UNITS) == set(get_args(Part))


def probe_rows(source: Mapping[str, Any]) -> Any:
    """What the measure `probe` makes of the model: its rows as plain data (floats that are none in `strict_json`'s
    form), or the sentence with which it failed. A model that can't be opened ends the arm."""
    from harness import strict_json
    from harness.measures.registry import MEASURES

    with told_in_a_sentence():
        model = _model(source)
    measure = MEASURES[MEASURE]
    try:
        rows = measure.collect(_Loaded(model, ModelSource(**source)), measure.settings())
    except (UserError, Unsupported) as error:
        return str(error)
    except Exception as error:  # whatever a kernel under test raises
        return told(error)
    return [strict_json.tagged({name: _plain(value) for name, value in row.items()}) for row in rows]


def _plain(value: Any) -> Any:
    """Arrays as lists; the same floats."""
    return value.tolist() if hasattr(value, "tolist") else value


@dataclass
class _Clock:
    """Wall and CPU time, each time it is called."""

    wall: list[int] = field(default_factory=list)
    cpu: list[int] = field(default_factory=list)

    def __call__(self) -> int:
        self.cpu.append(time.process_time_ns())
        self.wall.append(time.perf_counter_ns())
        return self.wall[-1]

    def between(self, start: int, end: int) -> tuple[int, int]:
        """Wall and CPU nanoseconds from one call of the clock to another."""
        return self.wall[end] - self.wall[start], self.cpu[end] - self.cpu[start]


def _generated(model: LanguageModel, prompt: Tensor, generate: int) -> tuple[_Clock, Tensor]:
    """The clock was called at the start and after each token."""
    from harness.measures.timeline import generate_timed

    clock = _Clock()
    _, tokens = generate_timed(model, prompt, generate, clock)
    return clock, tokens


def _model(source: Mapping[str, Any]) -> LanguageModel:
    from harness.models.open import open_model

    return open_model(ModelSource(**source))


class _Loaded:
    """The model of a measure, which is open (`harness.measures.measure.Load`)."""

    unfinished = None
    asked: Mapping[str, ModelSource] = {}

    def __init__(self, model: LanguageModel, source: ModelSource) -> None:
        self._model = model
        self.source = source

    @property
    def library(self) -> Any:
        """No tasks are asked."""
        raise Unsupported("arms are not compared by tasks")

    def tell(self, done: float, text: str) -> None:
        """Nobody listens."""

    def other(self, name: str) -> LanguageModel:
        """No measure of arms asks other models."""
        raise Unsupported("arms are compared by measures that ask their own model alone")

    def __call__(self, precision: str | None = None) -> LanguageModel:
        return self._model
