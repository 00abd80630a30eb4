"""`reward_model`: does a reward model give the higher reward to the responses that people preferred, and how surely?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.measures.measure import Facts, Load, Measure, Sample, with_notes
from harness.measures.pairs.settings import PairSettings, pairs_of
from harness.measures.pairs.summary import pair_metrics, pair_row, summed_up
from harness.results.record import Measurement

if TYPE_CHECKING:
    import pandas as pd

TOKENS_PER_PAIR = 400.0
"""About as many as two responses have, each with its prompt, for estimates."""
METRICS = pair_metrics("reward", "reward", "reward")


class RewardModelSettings(PairSettings):
    """Settings of `reward_model`."""


def collect(load: Load, settings: RewardModelSettings) -> list[Sample]:
    """One row per pair. The rewards are computed in fp32, whatever the cell's precision."""
    from harness.corpora.alignment_rows import opening
    from harness.models.reward_model import Rewards

    asked = pairs_of(settings)
    judged, told = Rewards(load.source).of_pairs(asked.rows)
    found = [
        pair_row(number, opening(row.prompt), row.chosen, row.rejected, row.label, (chosen, rejected), 1.0)
        | {"asked": asked.asked}
        for number, (row, chosen, rejected) in enumerate(judged)
    ]
    return with_notes(found, [*asked.told, *told])


def summarize(samples: pd.DataFrame, settings: RewardModelSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    return summed_up(samples, METRICS, int(samples["asked"].iloc[0]))


REWARD_MODEL = Measure(
    name="reward_model",
    version=1,
    about="How good a reward model is: accuracy, margin and calibration on pairs whose better response is known.",
    settings=RewardModelSettings,
    metrics=METRICS.all,
    collect=collect,
    summarize=summarize,
    texts=lambda settings: (settings.text,),
    seconds=lambda settings, pace: pace.start + pace.compute(TOKENS_PER_PAIR * (settings.count or 500)),
)
