"""A small GPT as a policy, item by item: slow and obvious."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Prompt
from reference_impl.alignment.policy import Head
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from tests.reference_impl.alignment.tabular import Draw

EOS = 0
CONFIG = GPTConfig(vocabulary=7, context=12, layers=1, heads=2, width=16)


class PlainGPT:
    def __init__(self, seed: int = 0, config: GPTConfig = CONFIG) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.gpt = GPT(config).eval()

    @property
    def module(self) -> nn.Module:
        return self.gpt

    @property
    def width(self) -> int:
        return self.gpt.config.width

    @property
    def head(self) -> Head:
        return Head(self.gpt.head.weight)

    def states(self, answered: Sequence[Answered]) -> Tensor:
        found = []
        for item in answered:
            tokens = torch.tensor([item.tokens])
            given = self.gpt.begin(tokens)
            found.append(self.gpt.features(tokens, given)[0, len(item.prompt) - 1 :])
        return torch.cat(found)

    def frozen(self) -> PlainGPT:
        other = PlainGPT(config=self.gpt.config)
        other.gpt.load_state_dict(self.gpt.state_dict())
        other.gpt.requires_grad_(False)
        return other


def sampler(policy: PlainGPT, new: int = 4, seed: int = 0) -> Callable[..., list[Draw]]:
    """A function of (seed, step) and the present weights."""

    def draw(prompts: Sequence[Prompt], step: int) -> list[Draw]:
        generator = torch.Generator().manual_seed(1_000_003 * seed + step)
        found = []
        for prompt in prompts:
            response: list[int] = []
            while len(response) < new and response[-1:] != [EOS]:
                tokens = torch.tensor([[*prompt, *response]])
                with torch.no_grad():
                    odds = policy.gpt(tokens)[0, -1].softmax(-1)
                response.append(int(torch.multinomial(odds, 1, generator=generator)))
            item = Answered(prompt, tuple(response), response[-1] == EOS)
            with torch.no_grad():
                found.append(Draw(item, tuple(token_log_probs(policy, [item]).log_probs.tolist())))
        return found

    return draw


PROMPTS: list[Prompt] = [(1, 2), (3,), (4, 5, 6), (2, 2)]


def likes(token: int) -> Callable[[Sequence[Answered]], Tensor]:
    return lambda answered: torch.tensor(
        [sum(t == token for t in item.response) / len(item.response) for item in answered]
    )
