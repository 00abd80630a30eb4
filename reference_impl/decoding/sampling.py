"""From logits to the next token: which tokens may be drawn, with what probability, and the draw itself.

Pure functions on logits (batch, vocabulary), each a few lines, so that every rule can be checked by hand. Their order
is that of `distribution`:

    repetition penalty -> temperature -> top-k -> top-p -> min-p -> softmax

Each filter sees what the one before it left. Tokens are ranked by (logit from high to low, id from low to high), so
every tie is broken by the lowest id: top-k keeps exactly k tokens, greedy takes the lowest id among equals.
Everything is computed in float64: a cumulative sum over 50,000 probabilities in float32 is off by more than the
probability of most tokens.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Impossible settings raise `ValueError` when they are made."""

    temperature: float = 1.0
    """Logits are divided by it. 0 means greedy: the most likely token, the lowest id among equals."""
    top_k: int | None = None
    """Only the k most likely tokens (Fan et al. 2018); None: all."""
    top_p: float = 1.0
    """Only the smallest set of most likely tokens whose probability reaches p, the token that crosses p included
    (nucleus sampling, Holtzman et al. 2020); 1: all."""
    min_p: float = 0.0
    """Only tokens with at least this share of the most likely token's probability (Nguyen et al. 2024); 0: all."""
    repetition_penalty: float = 1.0
    """Tokens of the prompt and the continuation have positive logits divided and negative ones multiplied by it
    (CTRL, Keskar et al. 2019, section 4.1, which divides only and so rewards tokens with negative logits); 1: none."""
    seed: int = 0
    """Of the draws of one request, together with its prompt and the two numbers below (`request_generator`)."""
    sample: int = 0
    """Which of several continuations of one prompt under one seed this is: each is an independent draw."""
    step: int = 0
    """Which of several rounds of draws it is part of, such as the step of a training that draws anew each time."""

    def __post_init__(self) -> None:
        """Refuse what no distribution can be made from."""
        for name, good, rule in (
            ("temperature", _is_number(self.temperature) and self.temperature >= 0, "at least 0 (0 is greedy)"),
            (
                "top_k",
                self.top_k is None or (_is_whole(self.top_k) and self.top_k >= 1),
                "a whole number from 1, or None",
            ),
            ("top_p", _is_number(self.top_p) and 0 < self.top_p <= 1, "above 0 and at most 1 (1 keeps all)"),
            ("min_p", _is_number(self.min_p) and 0 <= self.min_p <= 1, "at least 0 (keeps all) and at most 1"),
            ("repetition_penalty", _is_number(self.repetition_penalty) and self.repetition_penalty > 0, "above 0"),
            *(
                (name, _is_whole(value) and 0 <= value < 1 << 64, "a whole number from 0 below 2^64")
                for name, value in (("seed", self.seed), ("sample", self.sample), ("step", self.step))
            ),
        ):
            if not good:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)!r}.")


GREEDY = Sampling(temperature=0.0)


def distribution(logits: Tensor, sampling: Sampling, seen: Tensor | None = None) -> Tensor:
    """The probabilities that the next token is drawn with.

    logits: (batch, vocabulary), any floating type. seen: (batch, vocabulary) bool, the tokens of the text so far; only
    read with a repetition penalty. Returns (batch, vocabulary) float64; temperature 0 gives a one-hot row.
    Raises ValueError for logits that have no distribution (NaN, +inf, or nothing but -inf), and for a repetition
    penalty without `seen`.
    """
    check_logits(logits)
    logits = logits.double()
    if sampling.repetition_penalty != 1:
        if seen is None:
            raise ValueError("a repetition penalty needs the tokens that were seen.")
        logits = penalize_repetition(logits, seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    # The highest logit is taken off first: dividing by a tiny temperature would overflow.
    logits = (logits - logits.amax(-1, keepdim=True)) / sampling.temperature
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p < 1:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p > 0:
        logits = keep_min_p(logits, sampling.min_p)
    return logits.softmax(-1)


def check_logits(logits: Tensor) -> None:
    """Raise ValueError unless every row has a highest logit that is a finite number."""
    if not bool(logits.amax(-1).isfinite().all()):
        raise ValueError(
            "the model's logits are not numbers (NaN or infinite): its weights are damaged, or its type overflows; "
            "load it again, or run it in fp32."
        )


def penalize_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the seen tokens less likely (penalty > 1). logits: (batch, vocabulary); seen: the same shape, bool."""
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """The k highest logits of each row, the others -inf; ties are broken by the lowest id, so exactly k stay."""
    if k >= logits.size(-1):
        return logits
    return _keep_only(logits, ranked(logits, k))


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """The nucleus: the shortest prefix of the ranked tokens whose probability reaches p; the others -inf.

    The token that crosses p is in it and nothing after it, so at least one token stays. p = 1 removes nothing.
    """
    if p >= 1:
        return logits
    probabilities = logits.softmax(-1)
    # The nucleus mostly lies within the first few hundred tokens: sorting the whole vocabulary takes 8 times as long.
    few = min(512, logits.size(-1))
    ids = ranked(logits, few)
    if bool((probabilities.gather(-1, ids).sum(-1) < p).any()):
        ids = ranked(logits, logits.size(-1))
    inside = in_nucleus(probabilities.gather(-1, ids), p)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter_(-1, ids, inside)
    return logits.masked_fill(~kept, -math.inf)


def in_nucleus(probabilities: Tensor, p: float) -> Tensor:
    """Which entries of rows that fall from high to low belong to the nucleus: (batch, n) -> bool, the same shape.

    An entry is outside when those before it already reach p (Holtzman et al. 2020, equation 2).
    """
    before = probabilities.cumsum(-1).roll(1, -1)
    before[..., 0] = 0
    return before < p


def keep_min_p(logits: Tensor, share: float) -> Tensor:
    """Tokens with at least `share` of the most likely token's probability; the others -inf."""
    probabilities = logits.softmax(-1)
    return logits.masked_fill(probabilities < share * probabilities.amax(-1, keepdim=True), -math.inf)


def ranked(logits: Tensor, k: int) -> Tensor:
    """Ids of the k highest logits of each row, from high to low and equals from low id to high: (batch, k).

    torch.topk breaks ties as it likes and a stable sort reads the whole vocabulary; here topk finds the k-th value and
    only equals at that value are counted out.
    """
    if k == logits.size(-1):
        return logits.sort(dim=-1, descending=True, stable=True).indices
    threshold = logits.topk(k, dim=-1).values[..., -1:]
    above, equal = logits > threshold, logits == threshold
    room = k - above.sum(-1, keepdim=True)
    kept = above | equal & (equal.cumsum(-1) <= room)
    ids = kept.nonzero()[:, 1].view(len(logits), k)
    order = logits.gather(-1, ids).sort(dim=-1, descending=True, stable=True).indices
    return ids.gather(-1, order)


def draw(probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """One token of each row: the first whose cumulative probability, in the order of ids, exceeds the row's number.

    probabilities: (batch, vocabulary), need not sum to one exactly. uniforms: (batch,), in [0, 1). Returns (batch,)
    int64. A token of probability 0 is never drawn.
    """
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1]
    target = torch.minimum(uniforms.to(total) * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target[:, None], right=True)[:, 0]


def request_generator(seed: int, prompt: Sequence[int], sample: int = 0, step: int = 0) -> torch.Generator:
    """The stream of random numbers of one request: determined by these four, by nothing around it.

    The prompt is part of it so that two prompts under one seed are independent draws, the others so that several
    continuations of one prompt are. The first sample of step 0 has the stream of a request that knows of neither.
    """
    key = (seed, step, list(prompt), sample) if step or sample else (seed, list(prompt))
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def _keep_only(logits: Tensor, ids: Tensor) -> Tensor:
    kept = torch.full_like(logits, -math.inf)
    return kept.scatter_(-1, ids, logits.gather(-1, ids))
