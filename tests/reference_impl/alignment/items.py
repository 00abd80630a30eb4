"""Items that tests of alignment read, the slow and obvious way to read them, and how close two gradients are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from tests.tiny_models import LLAMA, sharp_gpt

VOCABULARY, CONTEXT = 61, 24


def items(lengths: Sequence[tuple[int, int]], seed: int = 0, shared: bool = False) -> list[Answered]:
    """Random items of these lengths of prompt and response; shared: all with the first one's prompt."""
    generator = torch.Generator().manual_seed(seed)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(VOCABULARY, (count,), generator=generator).tolist())

    first = ids(lengths[0][0])
    return [Answered(first if shared else ids(prompt), ids(response), True) for prompt, response in lengths]


def gpt(llama: bool = False, **shape: object) -> GPT:
    """A small GPT with opinions: learned positions, or a Llama with grouped keys."""
    kind = LLAMA | {"kv_heads": 2} if llama else {}
    sizes = {"vocabulary": VOCABULARY, "context": CONTEXT, "layers": 2, "heads": 4, "width": 32}
    return sharp_gpt(GPTConfig(**(sizes | kind | shape)), sharpness=6.0)


def plain_states(model: GPT, answered: Sequence[Answered]) -> Tensor:
    """`Policy.states` by one forward pass per item."""
    rows = []
    for item in answered:
        tokens = torch.tensor([item.tokens])
        rows.append(model.features(tokens, model.begin(tokens))[0, len(item.prompt) - 1 :])
    return torch.cat(rows)


def plain_log_probs(states: Tensor, head: nn.Linear, answered: Sequence[Answered], temperature: float) -> Tensor:
    """Log-probabilities with all logits at once: (tokens,)."""
    found, start = [], 0
    for item in answered:
        logits = head(states[start : start + len(item.response)]) / temperature
        found.append(logits.log_softmax(-1).gather(-1, torch.tensor(item.response)[:, None])[:, 0])
        start += len(item.response) + 1
    return torch.cat(found)


def gradients(module: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    """Of everything that learns, by name."""
    module.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def assert_same(found: dict[str, Tensor], wanted: dict[str, Tensor], relative: float) -> None:
    """Each tensor is off by at most so much of its norm."""
    assert found.keys() == wanted.keys() and found
    for name, tensor in wanted.items():
        assert (found[name] - tensor).norm() <= relative * tensor.norm(), name
