"""A policy that is a table: one row of logits for every prefix of every response, so that all responses can be listed.

Ids: EOS is 0; a prompt is one id from PROMPT on. A response ends with EOS, or is cut off at the longest length. The
state of a prefix is one-hot, so a head on it is a table, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Prompt
from reference_impl.alignment.policy import Head
from reference_impl.alignment.token_log_probs import per_response, token_log_probs

EOS = 0
PROMPT = 100


class Table(nn.Module):
    """What learns."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)


class Tabular:
    """The policy. Its initial logits are random normal numbers times `spread`."""

    def __init__(
        self, prompts: int = 2, vocabulary: int = 3, longest: int = 3, spread: float = 1.0, seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:  # fmt: skip
        self.vocabulary, self.longest = vocabulary, longest
        self.prompts: list[Prompt] = [(PROMPT + index,) for index in range(prompts)]
        prefixes = [
            prefix
            for length in range(longest + 1)
            for prefix in itertools.product(range(vocabulary), repeat=length)
            if EOS not in prefix[:-1]
        ]
        self.rows = {
            (prompt, prefix): row for row, (prompt, prefix) in enumerate(itertools.product(self.prompts, prefixes))
        }
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(vocabulary, len(self.rows), generator=generator, dtype=torch.float64) * spread
        self.module: nn.Module = Table(logits.to(dtype))

    @property
    def table(self) -> nn.Parameter:
        found = self.module.logits
        assert isinstance(found, nn.Parameter)
        return found

    @property
    def width(self) -> int:
        return len(self.rows)

    @property
    def head(self) -> Head:
        return Head(self.table)

    def states(self, answered: Sequence[Answered]) -> Tensor:
        rows = [
            self.rows[item.prompt, item.response[:length]]
            for item in answered
            for length in range(len(item.response) + 1)
        ]
        return torch.nn.functional.one_hot(torch.tensor(rows), self.width).to(self.table.dtype)

    def responses(self, prompt: Prompt) -> list[Answered]:
        """All of them."""
        return [
            Answered(prompt, tokens, tokens[-1] == EOS)
            for length in range(1, self.longest + 1)
            for tokens in itertools.product(range(self.vocabulary), repeat=length)
            if EOS not in tokens[:-1] and (tokens[-1] == EOS or length == self.longest)
        ]

    def all_responses(self) -> list[Answered]:
        return [item for prompt in self.prompts for item in self.responses(prompt)]

    def log_probabilities(self, answered: Sequence[Answered], temperature: float = 1.0) -> Tensor:
        """Of whole responses, with gradients."""
        scored = token_log_probs(self, answered, temperature)
        return per_response(scored.log_probs, scored.lengths)

    def probabilities(self, prompt: Prompt, temperature: float = 1.0) -> Tensor:
        """Of all responses to a prompt."""
        return self.log_probabilities(self.responses(prompt), temperature).exp().detach()

    def copy(self) -> Tabular:
        """The same policy, frozen."""
        other = Tabular(len(self.prompts), self.vocabulary, self.longest, dtype=self.table.dtype)
        other.table.data = self.table.detach().clone()
        other.module.requires_grad_(False)
        return other


@dataclass(frozen=True)
class Draw:
    answered: Answered
    log_probs: tuple[float, ...]


def sampler(policy: Tabular, temperature: float = 1.0, seed: int = 0) -> Callable[..., list[Draw]]:
    """Independent samples of the present policy, a function of (seed, step)."""

    def draw(prompts: Sequence[Prompt], step: int) -> list[Draw]:
        generator = torch.Generator().manual_seed(1_000_003 * seed + step)
        found: list[Draw | None] = [None] * len(prompts)
        with torch.no_grad():
            for prompt in dict.fromkeys(prompts):
                places = [place for place, other in enumerate(prompts) if other == prompt]
                all_of = policy.responses(prompt)
                scored = token_log_probs(policy, all_of, temperature)
                told = torch.split(scored.log_probs, list(scored.lengths))
                odds = per_response(scored.log_probs, scored.lengths).exp()
                drawn = torch.multinomial(odds, len(places), replacement=True, generator=generator).tolist()
                for place, index in zip(places, drawn, strict=True):
                    found[place] = Draw(all_of[index], tuple(told[index].tolist()))
        return [item for item in found if item is not None]

    return draw


def table_reward(policy: Tabular, seed: int = 7, spread: float = 1.0) -> Callable[[Sequence[Answered]], Tensor]:
    """A score for each response that depends on all of it: a random number, the same for the same response."""
    generator = torch.Generator().manual_seed(seed)
    of = {
        item: float(score)
        for item, score in zip(
            policy.all_responses(),
            torch.randn(len(policy.all_responses()), generator=generator).mul(spread).tolist(),
            strict=True,
        )
    }
    return lambda answered: torch.tensor([of[item] for item in answered])


def gibbs(reference: Tabular, prompt: Prompt, reward: Callable[[Sequence[Answered]], Tensor], beta: float) -> Tensor:
    """reference * exp(reward / beta) / Z over all responses to a prompt."""
    tilted = reference.probabilities(prompt).log() + reward(reference.responses(prompt)).double() / beta
    return tilted.softmax(0)


def kl(p: Tensor, q: Tensor) -> float:
    """KL(p || q) in nats."""
    return float((p * (p.log() - q.log())).sum())


def largest_kl(
    policy: Tabular, reference: Tabular, reward: Callable[[Sequence[Answered]], Tensor], beta: float
) -> float:
    """KL(policy || Gibbs policy), of the worst prompt."""
    return max(kl(policy.probabilities(p), gibbs(reference, p, reward, beta)) for p in policy.prompts)
