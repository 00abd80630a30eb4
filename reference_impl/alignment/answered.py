"""What alignment learns from: a prompt and one response to it, in token ids."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answered:
    """A prompt with a response. Where the response begins and ends is known by these lengths, never by token ids."""

    prompt: tuple[int, ...]
    """One token at least: what the response is conditioned on."""
    response: tuple[int, ...]
    """What is scored and learned; the EOS token that ended it included."""
    ended: bool
    """Whether the last token of the response is the EOS token; False where it was cut off at the longest length."""

    def __post_init__(self) -> None:
        """Refuse what has nothing to condition on or nothing to learn."""
        if not self.prompt:
            raise ValueError("the prompt is empty, so nothing predicts the first token: begin it with the BOS token.")
        if not self.response:
            raise ValueError("the response is empty, so there is nothing to learn: give it the EOS token at least.")

    @property
    def tokens(self) -> tuple[int, ...]:
        """Prompt and response."""
        return self.prompt + self.response
