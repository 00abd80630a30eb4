"""Responses as tensors and back, so that a training state keeps a rollout; and a digest of what is learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered

NAMES = ("prompts", "prompt_lengths", "responses", "lengths", "ended")


def to_tensors(answered: Sequence[Answered]) -> dict[str, Tensor]:
    """By `NAMES`: token ids flat, lengths, and whether each ended."""
    return {
        "prompts": torch.tensor([token for item in answered for token in item.prompt]),
        "prompt_lengths": torch.tensor([len(item.prompt) for item in answered]),
        "responses": torch.tensor([token for item in answered for token in item.response]),
        "lengths": torch.tensor([len(item.response) for item in answered]),
        "ended": torch.tensor([item.ended for item in answered]),
    }


def from_tensors(tensors: Mapping[str, Tensor]) -> list[Answered]:
    """What `to_tensors` was made of."""
    prompts = torch.split(tensors["prompts"], tensors["prompt_lengths"].tolist())
    responses = torch.split(tensors["responses"], tensors["lengths"].tolist())
    return [
        Answered(tuple(prompt.tolist()), tuple(response.tolist()), ended)
        for prompt, response, ended in zip(prompts, responses, tensors["ended"].tolist(), strict=True)
    ]


def digest(items: Iterable[object]) -> str:
    """SHA-256 of what a run learns from, as Python writes it: dataclasses of numbers, tuples of ids."""
    found = hashlib.sha256()
    for item in items:
        found.update(repr(item).encode() + b"\n")
    return found.hexdigest()
