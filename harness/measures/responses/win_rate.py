"""`win_rate`: how often a model's answer is better than another model's, by a judge.

Ties count half. A judge that scores each answer by itself (a rule, a reward model) is asked once; a language model is
shown both answers in both orders (`shown_pairs.py`). A model against itself, with the same draws, gets 0.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from harness.errors import UserError
from harness.measures.cost import one_context
from harness.measures.going import Going
from harness.measures.measure import Facts, Load, Measure, Sample, with_notes
from harness.measures.responses.answering import Response, answers
from harness.measures.responses.judging import asked_of, better, is_scorer, verdicts
from harness.measures.responses.settings import ResponseSettings, seconds_to_answer
from harness.measures.responses.shown_pairs import preferred
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd

    from harness.statistics.intervals import Interval


class WinRateSettings(ResponseSettings):
    """Settings of `win_rate`."""

    against: str = Field(min_length=1)
    """The other model of the suite, by its name; it answers the same prompts with the same settings and seeds."""
    judge: str = Field(min_length=1)
    """What says which answer is better: a rule (`gold`, `answers`, `shorter`, `longer`), a reward model of the suite,
    or any other model of the suite, which is shown both answers in both orders."""


WIN_RATE = Metric(
    name="win_rate",
    unit="fraction",
    direction=Direction.HIGHER,
    definition="Share of comparisons whose answer by this model the judge prefers; ties count half.",
    headline=True,
)
CONTROLLED = Metric(
    name="length_controlled_win_rate",
    unit="fraction",
    direction=Direction.HIGHER,
    definition="The same at equal lengths: sigmoid(theta) of the logistic regression of the outcome on tanh(length "
    "difference / its standard deviation), lengths in characters (Dubois et al. 2024, without the instruction term).",
)
TIES = Metric(
    name="tied",
    unit="fraction",
    direction=Direction.NONE,
    definition="Share of comparisons that are ties: equal scores, or a judge that goes by the place alone.",
)
LONGER = Metric(
    name="answers_longer",
    unit="characters",
    direction=Direction.NONE,
    definition="Mean length of this model's answer less that of the other's.",
)
POSITION = Metric(
    name="judge_position_bias",
    unit="fraction",
    direction=Direction.NONE,
    definition="Share of showings in which a judge that is shown two answers prefers the first: 0.5 is no bias, as "
    "each pair is shown in both orders.",
)
NEITHER = Metric(
    name="judge_undecided",
    unit="comparisons",
    direction=Direction.LOWER,
    definition="Comparisons in which a judge gave `A` and `B` together less than half of its probability in one of the "
    "orders: it answers something else, and they are left out.",
    detail=True,
)


def collect(load: Load, settings: WinRateSettings) -> list[Sample]:
    """One row per comparison."""
    from harness.corpora.alignment_rows import as_text

    total = (settings.count or 0) * settings.samples
    scored = is_scorer(load, settings.judge)
    going = Going(load, total * (2 if scored else 6), "answers and verdicts")
    ours, told = answers(load(), settings, going)
    theirs, told_theirs = answers(load.other(settings.against), settings, going)
    pairs = _paired(ours, theirs)
    if not pairs:
        raise UserError("no prompt was answered by both models; give shorter prompts, or lower `max_new`")
    if scored:
        mine, others = (verdicts(load, settings.judge, [pair[which] for pair in pairs]) for which in (0, 1))
        outcomes: list[float | None] = [better(a.score, b.score) for a, b in zip(mine, others, strict=True)]
        more: list[dict[str, float]] = [
            {"score": a.score, "other_score": b.score} for a, b in zip(mine, others, strict=True)
        ]
    else:
        asked = [as_text(one.row.prompt) for one, _ in pairs]
        said = preferred(
            load.other(settings.judge), asked, [one.text for one, _ in pairs], [two.text for _, two in pairs], going
        )
        outcomes = [one.outcome for one in said]
        more = [{"first_place": one.first_place, "coverage": one.coverage} for one in said]
    rows: list[Sample] = [
        {
            "prompt": one.number,
            "sample": one.sample,
            "opening": hashlib.sha256(as_text(one.row.prompt).encode()).hexdigest()[:16],
            "asked": as_text(one.row.prompt),
            "answer": one.text,
            "other_answer": other.text,
            "outcome": outcome,
            **others_said,
        }
        for (one, other), outcome, others_said in zip(pairs, outcomes, more, strict=True)
    ]
    return with_notes(rows, [*told, *(f"{settings.against}: {sentence}" for sentence in told_theirs)])


def summarize(samples: pd.DataFrame, settings: WinRateSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    from harness.measures.clustered_share import share, sums_and_counts
    from harness.statistics.intervals import ratio_of_sums
    from harness.statistics.length_controlled import length_controlled

    decided = samples[samples["outcome"].notna()]
    if decided.empty:
        raise UserError(
            f"the judge {settings.judge} says neither A nor B of any of {len(samples)} comparisons; name another judge"
        )
    openings = list(decided["opening"])
    outcomes = decided["outcome"].to_numpy(dtype=float)
    longer = np.array([len(a) - len(b) for a, b in zip(decided["answer"], decided["other_answer"], strict=True)])
    wilson = "Wilson, effective n over prompts, t; with ties t over prompts"
    found = [
        _measurement(WIN_RATE, share(openings, outcomes), wilson),
        _measurement(CONTROLLED, length_controlled(outcomes, longer, openings), "t over prompts of the log odds"),
        _measurement(TIES, share(openings, (outcomes == 0.5).astype(float)), wilson),
        _measurement(LONGER, ratio_of_sums(*sums_and_counts(openings, longer.astype(float))), "t over prompts"),
    ]
    if "first_place" in samples:
        first = decided["first_place"].to_numpy(dtype=float)
        found.append(_measurement(POSITION, share(openings, first), wilson))
        neither = float(len(samples) - len(decided))
        found.append(Measurement(metric=NEITHER, value=neither, n=len(samples), n_unit="comparisons"))
    return found


def _paired(ours: Sequence[Response], theirs: Sequence[Response]) -> list[tuple[Response, Response]]:
    """Answers to the same prompt and of the same number; prompts that one of the models wasn't asked are left out."""
    of_other = {(one.number, one.sample): one for one in theirs}
    return [(one, of_other[one.number, one.sample]) for one in ours if (one.number, one.sample) in of_other]


def _measurement(metric: Metric, found: Interval, how: str) -> Measurement:
    given = how if found.low is not None else "none: one prompt, or all comparisons came out alike"
    return Measurement(
        metric=metric, value=found.value, low=found.low, high=found.high, interval=given, n=found.n, n_unit="prompts"
    )


WIN_RATE_MEASURE = Measure(
    name="win_rate",
    version=1,
    about="How often the model's answer is better than another model's, by rules, a reward model or a judge model.",
    settings=WinRateSettings,
    metrics=(WIN_RATE, CONTROLLED, TIES, LONGER, POSITION, NEITHER),
    collect=collect,
    summarize=summarize,
    needs=lambda library, settings: {"generates": ""},
    texts=lambda settings: (settings.text,),
    asks=lambda settings: tuple(dict.fromkeys((settings.against, *asked_of(settings.judge)))),
    seconds=lambda settings, pace: seconds_to_answer(settings, pace, models=2),
    passes=one_context,
)
