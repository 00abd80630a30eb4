"""One model of characters, told in two ways: with tokens and logits, and with no more than texts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harness.models.cache_behavior import without_cache
from harness.models.contract import GeneratedText, ModelIdentity, Prompt, TextScore
from reference_impl.text.characters import Characters

ORDER = 18
IDENTITY = ModelIdentity(
    name="characters",
    kind="test",
    digest="d",
    precision="fp32",
    device="cpu",
    context=1000,
    cache=without_cache("it counts characters"),
)


class Counts:
    """How often each character stands after the last few, with a half more of each."""

    def __init__(self, text: str) -> None:
        self.tokenizer = Characters.train([text])
        self.after: dict[str, Counter[str]] = defaultdict(Counter)
        for order in range(ORDER + 1):
            for place in range(order, len(text)):
                self.after[text[place - order : place]][text[place]] += 1

    def log_probs(self, before: str) -> list[float]:
        """Of each character of the alphabet."""
        seen = next(self.after[end] for at in range(ORDER + 1) if (end := before[-ORDER:][at:]) in self.after)
        total = math.log(seen.total() + len(self.tokenizer.alphabet) / 2)
        return [math.log(seen[character] + 0.5) - total for character in self.tokenizer.alphabet]

    def likeliest(self, before: str) -> str:
        """The first of those that are the likeliest."""
        found = self.log_probs(before)
        return self.tokenizer.alphabet[found.index(max(found))]


class Texts:
    """Says how likely texts are and writes some; has no tokens."""

    identity = IDENTITY

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[TextScore]:
        return [self._score(before, after) for before, after in pairs]

    def loglikelihood_rolling(self, texts: Sequence[str]) -> list[float]:
        return [self._score("", text).log_prob for text in texts]

    def generate_until(self, prompts: Sequence[Prompt]) -> list[GeneratedText]:
        return [self._written(prompt) for prompt in prompts]

    def _score(self, before: str, after: str) -> TextScore:
        alphabet, total, greedy = self._counts.tokenizer.alphabet, 0.0, True
        for place, character in enumerate(after):
            found = self._counts.log_probs(before + after[:place])
            total += found[alphabet.index(character)]
            greedy &= found.index(max(found)) == alphabet.index(character)
        return TextScore(total, greedy)

    def _written(self, prompt: Prompt) -> GeneratedText:
        text = ""
        while len(text) < prompt.max_new:
            text += self._counts.likeliest(prompt.text + text)
            if any(text.endswith(stop) for stop in prompt.until):
                return GeneratedText(text, "stop_string")  # whoever asks cuts it
        return GeneratedText(text, "length")


class WithLogits:
    """The same model with a token for each character."""

    identity = IDENTITY.model_copy(update={"vocabulary": 0, "tokenizer_digest": "characters"})

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self.tokenizer: Any = _Tokenizer(counts.tokenizer)
        self.identity = self.identity.model_copy(
            update={"vocabulary": counts.tokenizer.size, "embedding_rows": counts.tokenizer.size}
        )

    @property
    def config(self) -> ModelIdentity:
        return self.identity

    def new_cache(self, batch: int, length: int, *, sliding: bool = False) -> Any:
        raise AssertionError("it has none")

    def forward(
        self,
        tokens: Tensor,
        cache: Any = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        at = range(tokens.shape[1]) if logits_at is None else logits_at.tolist()
        texts = [self.tokenizer.decode(row) for row in tokens.tolist()]
        return torch.tensor([[self._counts.log_probs(text[: place + 1]) for place in at] for text in texts])


class _Tokenizer:
    """Characters, with what the contract asks beside."""

    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()

    def __init__(self, characters: Characters) -> None:
        self._characters = characters
        self.added: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._characters, name)
