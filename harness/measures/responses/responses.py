"""`responses`: what a model answers to prompts, and what a judge says of it.

The prompt is the unit of every interval: samples of one prompt share it.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from harness import strict_json
from harness.errors import Unsupported
from harness.measures.cost import one_context
from harness.measures.going import Going
from harness.measures.measure import Facts, Load, Measure, Sample, with_notes
from harness.measures.responses.answering import Response, answers
from harness.measures.responses.judging import asked_of, verdicts
from harness.measures.responses.settings import ResponseSettings, seconds_to_answer
from harness.models.contract import LanguageModel
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd


class ResponsesSettings(ResponseSettings):
    """Settings of `responses`."""

    judge: str | None = Field(default=None, min_length=1)
    """What scores the responses: a rule (`gold`, `answers`, `shorter`, `longer`), or a reward model of the suite by its
    name."""
    proxy: str | None = Field(default=None, min_length=1)
    """A second judge, such as the reward model that a policy was trained on: its score is kept beside, and how often it
    agrees with `judge` about two responses to one prompt."""
    reference: str | None = Field(default=None, min_length=1)
    """A model of the suite: how far the responses' distribution is from its own. Needs `temperature: 1`."""

    @model_validator(mode="after")
    def _at_temperature_1(self) -> Self:
        if self.reference is not None and self.temperature != 1:
            raise ValueError(
                f"`reference` needs `temperature: 1`, not {self.temperature:g}: the divergence is of the models' own "
                "distributions, over responses that were drawn from them"
            )
        return self


SCORE = Metric(
    name="response_score",
    unit="score",
    direction=Direction.HIGHER,
    definition="Mean over prompts of the mean score that the judge gives to their responses, in the judge's unit. "
    "Responses that it can't score (empty ones) are left out.",
    headline=True,
)
PROXY = Metric(
    name="response_proxy_score",
    unit="score",
    direction=Direction.NONE,
    definition="The same by the second judge, `proxy`.",
)
AGREEMENT = Metric(
    name="proxy_accuracy",
    unit="fraction",
    direction=Direction.HIGHER,
    definition="Of two responses to one prompt that the judge scores unequally, the share whose better one `proxy` "
    "scores higher too, its ties half: over neighboring pairs of the samples of each prompt. 0.5 is chance.",
)
PART = Metric(
    name="response_part",
    unit="score",
    direction=Direction.NONE,
    definition="The same of one of the parts that the judge's score is made of (a share, where the part is 0 or 1).",
)
KL = Metric(
    name="response_kl",
    unit="nats/response",
    direction=Direction.NONE,
    definition="KL(model || reference): the sum over the prefixes of each response, its end included, of the "
    "divergence of the whole next-token distributions, averaged over responses, then over prompts. Temperature 1.",
    headline=True,
)
LENGTH = Metric(
    name="response_tokens",
    unit="tokens",
    direction=Direction.NONE,
    definition="Mean tokens of a response, the one that ends it included.",
)
ENDED = Metric(
    name="responses_ended",
    unit="fraction",
    direction=Direction.HIGHER,
    definition="Share of responses that the model ended itself; the others were cut off at `max_new`.",
)
DISTINCT = Metric(
    name="distinct_responses",
    unit="fraction",
    direction=Direction.NONE,
    definition="Different texts over all responses. Falls with their number: compare equal numbers. A model that says "
    "one thing to everything has 1 / responses.",
)
UNSCORED = Metric(
    name="responses_unscored",
    unit="responses",
    direction=Direction.LOWER,
    definition="Responses that the judge could not score: empty ones, or prompts that say nothing to judge by.",
    detail=True,
)


def collect(load: Load, settings: ResponsesSettings) -> list[Sample]:
    """One row per response."""
    from harness.corpora.alignment_rows import as_text

    model = load()
    count = settings.count or 0
    found, told = answers(model, settings, Going(load, count * settings.samples, "responses"))
    judged = verdicts(load, settings.judge, found) if settings.judge is not None else [None] * len(found)
    by_proxy = verdicts(load, settings.proxy, found) if settings.proxy is not None else None
    divergence = _divergence(model, load.other(settings.reference), found) if settings.reference is not None else None
    rows: list[Sample] = [
        {
            "prompt": one.number,
            "sample": one.sample,
            "opening": hashlib.sha256(as_text(one.row.prompt).encode()).hexdigest()[:16],
            "asked": as_text(one.row.prompt),
            "response": one.text,
            "tokens": len(one.tokens) or None,
            "ended": one.ended,
            "log_prob": one.log_prob,
            "score": None if verdict is None else verdict.score,
            "parts": None if verdict is None else strict_json.dumps(dict(verdict.parts)),
            "proxy": None if by_proxy is None else by_proxy[place].score,
            "kl": None if divergence is None else divergence[place],
        }
        for place, (one, verdict) in enumerate(zip(found, judged, strict=True))
    ]
    return with_notes(rows, told)


def summarize(samples: pd.DataFrame, settings: ResponsesSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    found = []
    if settings.judge is not None:
        scores = samples["score"].astype(float)
        found += [_mean(SCORE, samples, scores)] if scores.notna().any() else []
        parts = [strict_json.loads(one) for one in samples["parts"]]
        for name in dict.fromkeys(name for one in parts for name in one):
            values = samples["score"].astype(float) * 0 + [float(one.get(name, math.nan)) for one in parts]
            found += [_mean(PART, samples, values, part=name)] if values.notna().any() else []
    if settings.proxy is not None and samples["proxy"].astype(float).notna().any():
        found.append(_mean(PROXY, samples, samples["proxy"].astype(float)))
        if (agreed := _agreement(samples)) is not None:
            found.append(agreed)
    if settings.reference is not None:
        found.append(_mean(KL, samples, samples["kl"].astype(float)))
    found += [
        *([_mean(LENGTH, samples, samples["tokens"].astype(float))] if samples["tokens"].notna().any() else []),
        _mean(ENDED, samples, samples["ended"].astype(float)),
        Measurement(
            metric=DISTINCT,
            value=samples["response"].nunique() / len(samples),
            interval="none: it depends on the number of responses",
            n=len(samples),
            n_unit="responses",
        ),
    ]
    if settings.judge is not None:
        unscored = int(samples["score"].astype(float).isna().sum())
        found.append(Measurement(metric=UNSCORED, value=float(unscored), n=len(samples), n_unit="responses"))
    return found


def _mean(metric: Metric, samples: pd.DataFrame, values: pd.Series[float], part: str | None = None) -> Measurement:
    """The mean over prompts of the means of their responses, with Student's t over prompts."""
    from harness.statistics.intervals import ratio_of_sums

    means = values.groupby(samples["prompt"]).mean().dropna().to_numpy(dtype=float)
    value, low, high, n = ratio_of_sums(means, np.ones(len(means)))
    if metric.unit == "fraction" and low is not None and high is not None:
        low, high = max(low, 0.0), min(high, 1.0)
    how = "t over prompts" if low is not None else "none: one prompt"
    return Measurement(metric=metric, value=value, low=low, high=high, interval=how, n=n, n_unit="prompts", part=part)


def _agreement(samples: pd.DataFrame) -> Measurement | None:
    """How often the second judge agrees with the first about neighbors among the samples of a prompt; None where no two
    of them are scored unequally."""
    from harness.measures.clustered_share import share

    prompts, agreed = [], []
    for prompt, group in samples.sort_values("sample").groupby("prompt"):
        score, proxy = (group[name].astype(float).to_numpy() for name in ("score", "proxy"))
        for at in range(0, len(score) - 1, 2):
            gap, by_proxy = score[at] - score[at + 1], proxy[at] - proxy[at + 1]
            if gap and math.isfinite(gap) and math.isfinite(by_proxy):
                prompts.append(str(prompt))
                agreed.append(0.5 if by_proxy == 0 else float((by_proxy > 0) == (gap > 0)))
    if not agreed:
        return None
    value, low, high, n = share(prompts, np.array(agreed))
    how = "Wilson, effective n over prompts, t; with ties t over prompts" if low is not None else "none: one prompt"
    return Measurement(metric=AGREEMENT, value=value, low=low, high=high, interval=how, n=n, n_unit="prompts")


def _divergence(model: LanguageModel, reference: LanguageModel, found: list[Response]) -> list[float]:
    """Of each response the sum over its prefixes of KL(model || reference), in nats."""
    from harness.scoring.divergence import divergences

    if model.identity.tokenizer_digest != reference.identity.tokenizer_digest:
        raise Unsupported(
            f"the reference {reference.identity.name} has another tokenizer: its tokens are other ones; take the model "
            "that this one was trained from"
        )
    context = min(model.identity.context, reference.identity.context)
    read = [(*one.prompt, *one.tokens) for one in found]
    each = divergences(reference, model, read, context, max(context // 2, 1))
    return [float(whole.kl[len(one.prompt) - 1 :].sum()) for one, whole in zip(found, each, strict=True)]


RESPONSES = Measure(
    name="responses",
    version=1,
    about="What the model answers to prompts: what a judge says of it, its length, and how far it is from a reference.",
    settings=ResponsesSettings,
    metrics=(SCORE, PART, PROXY, AGREEMENT, KL, LENGTH, ENDED, DISTINCT, UNSCORED),
    collect=collect,
    summarize=summarize,
    needs=lambda library, settings: (
        {"generates": ""}
        if settings.reference is None
        else {"logits": "its divergence from a reference takes logits, and this model writes texts alone"}
    ),
    texts=lambda settings: (settings.text,),
    asks=lambda settings: tuple(
        dict.fromkeys(
            (
                *asked_of(settings.judge),
                *asked_of(settings.proxy),
                *(() if settings.reference is None else (settings.reference,)),
            )
        )
    ),
    seconds=seconds_to_answer,
    passes=one_context,
)
