"""`preference`: does a model find the responses likelier that people preferred?

With a reference the judgment is DPO's implicit reward, beta · (log p(response) - log reference(response)), the token
that ends a response included (Rafailov et al. 2023, section 4); without one, the log-likelihood itself. Both favor
short responses by themselves: what the shorter one gets stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from harness.errors import Unsupported
from harness.measures.cost import one_context
from harness.measures.going import Going
from harness.measures.measure import Facts, Load, Measure, Sample, with_notes
from harness.measures.pairs.settings import PairSettings, pairs_of
from harness.measures.pairs.summary import pair_metrics, pair_row, summed_up
from harness.models.contract import LanguageModel
from harness.results.record import Measurement

if TYPE_CHECKING:
    import pandas as pd

    from harness.models.turn_ids import PairIds

TOKENS_PER_PAIR = 300.0
"""About as many as two responses with their prompt have, for estimates."""
METRICS = pair_metrics("preference", "log-likelihood, or with a reference the implicit reward", "nats")


class PreferenceSettings(PairSettings):
    """Settings of `preference`."""

    reference: str | None = Field(default=None, min_length=1)
    """A model of the suite: the judgment is then the implicit reward of DPO, by how much likelier a response is than
    under that one. Left out, it is the log-likelihood."""
    beta: float = Field(default=0.1, gt=0, allow_inf_nan=False, le=1e6)
    """What the difference is multiplied by for the probability that the chosen response is the better one, as in DPO:
    of the calibration alone."""


def collect(load: Load, settings: PreferenceSettings) -> list[Sample]:
    """One row per pair."""
    from harness.corpora.alignment_rows import opening
    from harness.models.chat import has_template
    from harness.models.turn_ids import IN_PLAIN_TURNS, encoded_pairs

    model = load()
    asked = pairs_of(settings)
    pairs, told = encoded_pairs(model, asked.rows)
    going = Going(load, len(pairs) * (2 if settings.reference is None else 4), "responses")
    judged = _log_probs(model, pairs, going)
    if settings.reference is not None:
        reference = load.other(settings.reference)
        if reference.identity.tokenizer_digest != model.identity.tokenizer_digest:
            raise Unsupported(
                f"the reference {settings.reference} has another tokenizer: its tokens are other ones; take the model "
                "that this one was trained from"
            )
        before = _log_probs(reference, pairs, going)
        judged = [
            (chosen - old_chosen, rejected - old_rejected)
            for (chosen, rejected), (old_chosen, old_rejected) in zip(judged, before, strict=True)
        ]
    found = [
        pair_row(
            one.place, opening(one.row.prompt), one.row.chosen, one.row.rejected, one.row.label, both, settings.beta
        )
        | {"asked": asked.asked}
        for one, both in zip(pairs, judged, strict=True)
    ]
    return with_notes(found, [*asked.told, *told, *([] if has_template(model) else [IN_PLAIN_TURNS])])


def summarize(samples: pd.DataFrame, settings: PreferenceSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    return summed_up(samples, METRICS, int(samples["asked"].iloc[0]))


def _log_probs(model: LanguageModel, pairs: Sequence[PairIds], going: Going) -> list[tuple[float, float]]:
    """Of each pair the log-likelihoods of both responses, in nats."""
    from harness.scoring.engine import score
    from harness.scoring.request import Scored

    requests = [
        Scored(one.prompt + response, len(one.prompt)) for one in pairs for response in (one.chosen, one.rejected)
    ]
    scores = score(model, requests, on_scored=lambda places, _: going(len(places)))
    totals = [one.total for one in scores]
    return list(zip(totals[::2], totals[1::2], strict=True))


PREFERENCE = Measure(
    name="preference",
    version=1,
    about="Whether the model finds the responses likelier that people preferred: accuracy, margin, calibration.",
    settings=PreferenceSettings,
    metrics=METRICS.all,
    collect=collect,
    summarize=summarize,
    texts=lambda settings: (settings.text,),
    asks=lambda settings: () if settings.reference is None else (settings.reference,),
    seconds=lambda settings, pace: (
        pace.start + pace.compute((1 if settings.reference is None else 2) * TOKENS_PER_PAIR * (settings.count or 500))
    ),
    passes=one_context,
)
