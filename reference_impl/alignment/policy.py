"""What alignment needs of a model: states along responses, with gradients, and the head that makes logits of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from reference_impl.alignment.answered import Answered


class Head(NamedTuple):
    """The last layer: logits = states @ weight.T + bias."""

    weight: Tensor
    """(vocabulary, width)."""
    bias: Tensor | None = None
    """(vocabulary,)."""


class Policy(Protocol):
    """A model that responses are scored by and that learns."""

    @property
    def module(self) -> nn.Module:
        """What holds its parameters; those that learn have `requires_grad`."""

    def states(self, answered: Sequence[Answered]) -> Tensor:
        """What the head multiplies, at every token of every response: (sum of len(response) + 1, width), flat.

        An item with a response of n tokens has n + 1 rows, in order: row i is the state that predicts token i (row 0
        is the state at the prompt's last token), the last row the state after the last token (what a reward is read
        from). Items may share their prompt, which is then read once.
        """

    @property
    def head(self) -> Head:
        """Makes logits of states. A policy with padded vocabulary gives the rows of real ids alone."""
