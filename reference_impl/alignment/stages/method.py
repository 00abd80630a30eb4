"""The methods of alignment by name, and a stage of one of them from folder to folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Method:
    """A way of learning, with its settings."""

    about: str
    """What it does, in a sentence."""
    settings: str
    """Its frozen dataclass, as `module:class`: imported where it is used, for it brings torch."""
    run: str
    """What does it, as `module:function`."""
    preset: Mapping[str, Any] = field(default_factory=dict)
    """Settings that make this method of that class."""
    rewarded: bool = False
    """Whether it needs something that scores responses."""

    def made(self, given: Mapping[str, Any]) -> Any:
        """The settings with what was given. Raises ValueError and TypeError for what can't be."""
        return _named(self.settings)(**{**self.preset, **given})


_EXAMPLES = "reference_impl.alignment.stages.from_examples"
_REWARDS = "reference_impl.alignment.stages.from_rewards"


def _gradient(about: str, name: str) -> Method:
    settings = "reference_impl.alignment.policy_gradient:PolicyGradientSettings"
    from reference_impl.alignment.policy_gradient import NAMED

    return Method(about, settings, f"{_REWARDS}:run_policy_gradient", NAMED[name], rewarded=True)
