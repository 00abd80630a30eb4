"""What is timed of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from harness.errors import WrongArgument, shown
from harness.limits import LARGEST_SEED, MOST_BATCH, MOST_TOKENS
from harness.spelling import nearest

Part = Literal["prefill", "decode", "generation", "training"]
"""prefill: the prompt, with logits at its last token. decode: the steps after the first token, by themselves.
generation: both. training: some optimizer steps."""
MOST_STEPS = 10_000


def part_of(text: str) -> Part:
    """The part that a text names. Raises UserError."""
    for part in get_args(Part):
        if part == text:
            found: Part = part
            return found
    raise WrongArgument(
        f"is one of {', '.join(get_args(Part))}, not '{shown(text)}'{nearest(text, get_args(Part))}", place="time"
    )


@dataclass(frozen=True)
class ModelWork:
    """One unit of work of a model."""

    part: Part = "decode"
    prompt: int = 128
    """Tokens of each prompt, drawn by `seed` from the vocabulary."""
    generate: int = 32
    """Tokens that are written after it, no fewer and no more: 2 at least, for there to be a decode step."""
    batch: int = 1
    """Prompts at once."""
    steps: int = 4
    """Of the optimizer, where training is timed."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what can't be done, naming the argument."""
        for name, least, most in (
            ("prompt", 1, MOST_TOKENS),
            ("generate", 2, MOST_TOKENS),
            ("batch", 1, MOST_BATCH),
            ("steps", 1, MOST_STEPS),
            ("seed", 0, LARGEST_SEED),
        ):
            if not least <= getattr(self, name) <= most:
                raise WrongArgument(f"is a number from {least:,} to {most:,}", place=name)

    def __str__(self) -> str:
        many = "" if self.batch == 1 else f" of {self.batch} prompts"
        match self.part:
            case "prefill":
                return f"prefill of {self.prompt} tokens{many}"
            case "decode":
                return f"decode of {self.generate} tokens after {self.prompt}{many}"
            case "generation":
                return f"generation of {self.generate} tokens after {self.prompt}{many}"
            case "training":
                return f"training, {self.steps} step{'s' if self.steps > 1 else ''}"
