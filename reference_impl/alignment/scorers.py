"""Scores of responses without a model: verifiable rewards, and controls. `settings/scorers.py` has their names."""

from __future__ import annotations

from reference_impl.alignment.data import microworld
from reference_impl.alignment.data.rows import Prompt


def right_answer(prompt: Prompt, response: str, ended: bool) -> float:
    """1 where a response arrives at the prompt's answer, else 0 (`data.microworld.reward`)."""
    return microworld.reward(prompt, response)


def same_for_all(prompt: Prompt, response: str, ended: bool) -> float:
    """0, whatever is said."""
    return 0.0
