"""`kv_cache`: what the cache of keys and values saves when a text is generated token by token.

Without it every new token means reading the whole text again: n tokens cost 1 + 2 + ... + n = n(n + 1)/2 token
positions instead of n. The positions are counted as they go through the model, not computed; the times are measured in
turn, on the same tokens. The logits of both ways are compared, because a cache that is quick and wrong saves nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from harness.errors import Unsupported, UserError
from harness.limits import MOST_ITERATIONS, MOST_LAUNCHES, MOST_TOKENS, check_in_all
from harness.measures.cost import Passes
from harness.measures.going import Going
from harness.measures.measure import LAUNCH, Facts, Measure, Sample, Settings
from harness.models.contract import LanguageModel
from harness.models.token_ids import why_unknown
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor


class KVCacheSettings(Settings):
    """Settings of `kv_cache`."""

    generate: int = Field(default=1000, ge=2, le=MOST_TOKENS)
    """Tokens to generate from one start token, greedily."""
    iterations: int = Field(default=3, ge=1, le=MOST_ITERATIONS)
    """Times that both ways are timed, in turn, per launch."""
    launches: int = Field(default=1, ge=1, le=MOST_LAUNCHES)
    """Fresh processes. Three or more give an interval that holds from one launch to the next."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        positions = self.generate * (self.generate + 1) // 2
        check_in_all(launches=self.launches, iterations=self.iterations, positions=positions)
        return self


POSITIONS_CACHED = Metric(
    name="positions_cached",
    unit="positions",
    direction=Direction.LOWER,
    definition="Token positions that went through the model with a cache: n for n tokens from one start token.",
    counted=True,
)
POSITIONS_UNCACHED = Metric(
    name="positions_uncached",
    unit="positions",
    direction=Direction.NONE,
    definition="Token positions that went through the model when the text is read again for each token: n(n + 1)/2.",
    counted=True,
)
SECONDS_CACHED = Metric(
    name="seconds_cached",
    unit="s",
    direction=Direction.LOWER,
    rounds="seconds_cached",
    definition="Time to generate the tokens with a cache: n forward passes of one token and their argmax.",
    depends_on="time",
)
SECONDS_UNCACHED = Metric(
    name="seconds_uncached",
    unit="s",
    direction=Direction.NONE,
    rounds="seconds_uncached",
    definition="Time to generate the same tokens without: n forward passes of 1 to n tokens and their argmax, "
    "logits at the last token only.",
    depends_on="time",
)
SPEEDUP = Metric(
    name="cache_speedup",
    unit="ratio",
    direction=Direction.HIGHER,
    definition="seconds_uncached / seconds_cached of the same iteration; geometric mean over iterations or launches.",
    depends_on="time",
)
ERROR = Metric(
    name="cache_error",
    unit="nats",
    direction=Direction.LOWER,
    definition="Largest difference between a generated token's log-probability with the cache and in one pass over the "
    "whole text without.",
)


def positions_with_cache(tokens: int) -> int:
    """Token positions computed to generate so many tokens from one start token with a cache: each text token once."""
    return tokens


def positions_without_cache(tokens: int) -> int:
    """The same without a cache: 1 + 2 + ... + n = n(n + 1)/2, the whole text for each new token."""
    return tokens * (tokens + 1) // 2


def collect(load: Callable[[], LanguageModel], settings: KVCacheSettings) -> list[Sample]:
    """One launch, one row per iteration."""
    model = load()
    if settings.generate > model.identity.context:
        raise Unsupported(
            f"{settings.generate} tokens from one start token do not fit in this model's context of "
            f"{model.identity.context}"
        )
    behavior = model.identity.cache
    if not behavior.serves(settings.generate):
        raise Unsupported(
            f"no KV cache serves {settings.generate} tokens of this model, because {behavior.reason}: there is nothing "
            "to measure"
        )
    counted = Counted(model)
    text, error = _checked(model, settings.generate)
    without_cache(counted, text[:, :8])  # warm-up; the cached way is warm from the check
    rows: list[Sample] = []
    going = Going(load, settings.iterations, "iterations")
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for iteration in range(settings.iterations):
            row: Sample = {"iteration": iteration, "time": time.time(), "error": error}
            ways = [("cached", with_cache), ("uncached", without_cache)]
            for name, way in ways if iteration % 2 == 0 else ways[::-1]:
                counted.positions = 0
                start = time.perf_counter_ns()
                way(counted, text)
                row |= {f"seconds_{name}": (time.perf_counter_ns() - start) / 1e9}
                row |= {f"positions_{name}": counted.positions}
            rows.append(row)
            going()
    finally:
        gc.enable()
        gc.unfreeze()
    return rows


class Counted:
    """A model that counts the token positions it is given."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.positions = 0

    def __call__(self, tokens: Tensor, **given: Any) -> Tensor:
        """Logits of the next token: see `LanguageModel.forward`."""
        self.positions += tokens.numel()
        return self.model.forward(tokens, **given)


def with_cache(model: Counted, text: Tensor) -> list[int]:
    """Greedy choice after each token of the text, reading each once. text: (1, n). Returns n ids."""
    cache = model.model.new_cache(1, text.shape[1], sliding=True)
    return [int(model(text[:, t : t + 1], cache=cache)[0, -1].argmax()) for t in range(text.shape[1])]


def without_cache(model: Counted, text: Tensor) -> list[int]:
    """The same, reading the text up to it again for each token."""
    import torch

    chosen = []
    for t in range(text.shape[1]):
        at = torch.tensor([t], device=text.device)
        chosen.append(int(model(text[:, : t + 1], logits_at=at)[0, -1].argmax()))
    return chosen


def _checked(model: LanguageModel, count: int) -> tuple[Tensor, float]:
    """The text that both ways read (start token and all generated ones but the last), and the cache's error in it."""
    import numpy as np
    import torch

    from harness.scoring.loglikelihood import token_nlls

    first = [*model.identity.start, 0][0]
    if (why := why_unknown(model, [first])) is not None:
        raise UserError(f"its start token: {why}", place=model.identity.name)
    cache, ids, cached = model.new_cache(1, count, sliding=True), [first], []
    for _ in range(count):
        token = torch.tensor([ids[-1:]], device=model.identity.device)
        log_probs = model.forward(token, cache=cache)[0, -1].float().log_softmax(-1)
        if bool(log_probs.isnan().any()):
            raise UserError(
                f"the model's logits are not numbers (NaN) after {len(ids)} tokens: "
                "run it in fp32, or train or fetch it again"
            )
        ids.append(int(log_probs.argmax()))
        cached.append(float(log_probs[ids[-1]]))
    plain = -next(iter(token_nlls(model, [ids[:count]], model.identity.context, max(model.identity.context // 2, 1))))
    return torch.tensor([ids[:count]], device=model.identity.device), float(np.abs(plain - cached[: count - 1]).max())


def summarize(samples: pd.DataFrame, settings: KVCacheSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows of all launches (their column `launch` says which; absent means one)."""
    import numpy as np

    from harness.statistics.intervals import geometric_mean

    launches = samples[LAUNCH] if LAUNCH in samples else samples["iteration"] * 0
    columns = samples[["seconds_cached", "seconds_uncached"]].assign(
        cache_speedup=samples["seconds_uncached"] / samples["seconds_cached"]
    )
    how, unit = "t over logs of iterations (lacks the variance between launches)", "iterations"
    if launches.nunique() >= 3:
        columns = columns.apply(np.log).groupby(launches).mean().apply(np.exp)
        how, unit = "t over logs of launches", "launches"
    found = []
    for metric in (SECONDS_CACHED, SECONDS_UNCACHED, SPEEDUP):
        value, low, high, n = geometric_mean(columns[metric.name])
        given = how if low is not None else f"none: one of {unit}"
        found.append(Measurement(metric=metric, value=value, low=low, high=high, interval=given, n=n, n_unit=unit))
    for metric in (POSITIONS_CACHED, POSITIONS_UNCACHED):
        found.append(Measurement(metric=metric, value=float(samples[metric.name].iloc[0])))
    return [*found, Measurement(metric=ERROR, value=float(samples["error"].max()))]


KV_CACHE = Measure(
    name="kv_cache",
    version=1,
    about="What the KV cache saves: token positions and seconds with and without it, and whether both say the same.",
    settings=KVCacheSettings,
    metrics=(SECONDS_CACHED, SECONDS_UNCACHED, SPEEDUP, POSITIONS_CACHED, POSITIONS_UNCACHED, ERROR),
    isolated=True,
    needs_peaks=False,
    fills=(("generate",),),
    collect=collect,
    summarize=summarize,
    passes=lambda settings, shape: Passes(settings.generate, settings.generate, settings.generate),
)
