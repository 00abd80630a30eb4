"""Settings of supervised fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from reference_impl.alignment.settings.examples import ExampleSettings


@dataclass(frozen=True)
class SFTSettings(ExampleSettings):
    """Settings of supervised fine-tuning: those of every algorithm that learns from examples."""
