"""The reference that a policy is kept near: the policy as it was, which never learns.

A whole model is copied (`FrozenCopy`); one with an adapter needs no copy, since without the adapter it is the model
that it was (`AdapterOff`). Both compute without gradients, and both say so when they are no longer what they were: a
reference that trains along makes every KL divergence small, and nothing else shows it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.lora import is_adapted
from reference_impl.alignment.policy import Head, Policy
from reference_impl.training.weights_digest import bit_sums, weights_digest

if TYPE_CHECKING:
    from reference_impl.alignment.transformers_policy import TransformersPolicy


class ReferenceChanged(RuntimeError):
    """The weights of a reference are not those it began with."""

    def __init__(self) -> None:
        super().__init__(
            "the reference's weights changed since it was made, so KL divergences from it mean nothing: make the "
            "reference a copy, and give the optimizer the policy's parameters alone."
        )


class FrozenCopy:
    """A policy of the same weights that shares none of them."""

    def __init__(self, policy: Policy) -> None:
        self._policy = copy.deepcopy(policy)
        self._policy.module.requires_grad_(False).eval()
        self.digest = weights_digest(_weights(self._policy.module))
        """SHA-256 of its weights: what a run that resumes must find again."""
        self._sums = bit_sums(_weights(self._policy.module).values())

    @property
    def module(self) -> nn.Module:
        """What holds its parameters, none of which learns."""
        return self._policy.module

    @property
    def head(self) -> Head:
        """Makes logits of states."""
        weight, bias = self._policy.head
        return Head(weight.detach(), None if bias is None else bias.detach())

    @torch.no_grad()
    def states(self, answered: Sequence[Answered]) -> Tensor:
        """See `Policy.states`; without gradients. Raises ReferenceChanged where weights are not those it began with."""
        if not torch.equal(bit_sums(_weights(self._policy.module).values()), self._sums):
            raise ReferenceChanged
        return self._policy.states(answered)


class AdapterOff:
    """A policy with an adapter, without it."""

    def __init__(self, policy: TransformersPolicy) -> None:
        """Raises ValueError where the model has no adapter, and where more than the adapter learns."""
        if not is_adapted(policy.model):
            raise ValueError("the policy has no adapter to switch off: take FrozenCopy as its reference.")
        self._policy = policy
        if learning := _learning_base(policy.model):
            raise ValueError(
                f"{learning[0]} learns and is no part of the adapter, so switching the adapter off does not bring the "
                "model back as it was: freeze it, or take FrozenCopy as the reference."
            )
        self.digest = weights_digest(self._base())
        """SHA-256 of the weights below the adapter."""
        self._sums = bit_sums(self._base().values())

    @property
    def module(self) -> nn.Module:
        """The policy's own module: of its parameters the reference uses those that don't learn."""
        return self._policy.module

    @property
    def head(self) -> Head:
        """Makes logits of states."""
        weight, bias = self._policy.head
        return Head(weight.detach(), None if bias is None else bias.detach())

    @torch.no_grad()
    def states(self, answered: Sequence[Answered]) -> Tensor:
        """See `Policy.states`; without the adapter and without gradients.

        Raises ReferenceChanged where weights below the adapter are not those it began with.
        """
        model: Any = self._policy.model
        if _learning_base(model) or not torch.equal(bit_sums(self._base().values()), self._sums):
            raise ReferenceChanged
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        with model.disable_adapter():
            found = self._policy.states(answered)
        for parameter in learning:  # peft freezes adapters that it switches off
            parameter.requires_grad_(True)
        return found

    def _base(self) -> dict[str, Tensor]:
        return {
            name: p for name, p in _weights(self._policy.model).items() if not _is_adapter(self._policy.model, name)
        }


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _is_adapter(model: Any, name: str) -> bool:
    return model.base_model.prefix in name or ".modules_to_save." in name


def _learning_base(model: nn.Module) -> list[str]:
    return [name for name, p in model.named_parameters() if p.requires_grad and not _is_adapter(model, name)]
